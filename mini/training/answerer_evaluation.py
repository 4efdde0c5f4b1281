"""How well a language model answers from what is told of a picture, on questions that `mini-answerer` was not taught.

Phrasings, (thing, fact) pairs and sets of things are those of the test set, beside captions and questions that were written by hand; what is
told is right, or lacks the answer by purpose, so that the captioner is not measured with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...agents.captions import CaptionAnswerer, Vote, is_untold
from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from ...runtime.session import settled
from ...tools.data import Shot
from ..world import items
from .answerer_case import UNKNOWN, Case
from .answerer_questions import HAND_WRITTEN
from .answerer_rows import HELD_OUT_KINDS, known_case, lacking_case, seen_case

__all__ = ["measure_answerer"]

_SEEING = ("can you name {x}?",)
_EXAMPLES = 2


async def measure_answerer(chat: Chat, *, count: int) -> dict[str, float]:
    """Shares of right answers in the words of `inloop vqa`, of `count` questions each."""
    rng = np.random.default_rng(910)
    asked = list(items("test", count, seed=909))
    answerer = CaptionAnswerer(chat, "promptcap")
    seen = [seen_case(item, rng, _SEEING) for item in asked]
    known = [known_case(item, rng, passages=3) for item in asked]
    lacking = [
        case for item in asked if (case := lacking_case(item, rng, _SEEING)) is not None and case.kind == "lacking"
    ]
    taught = [seen_case(item, rng) for item in items("train", _EXAMPLES, seed=911)]
    accepted = [frozenset(item.answers) for item in asked]

    async def said(cases: Sequence[Case], examples: Sequence[Case] = ()) -> list[str]:
        shots = [
            Shot(id=str(place), question=each.question, answer=each.answer, caption=each.context[0])
            for place, each in enumerate(examples)
        ]
        examples_of = [shots] if shots else []
        votes = await settled(
            [answerer.votes(case.question, case.context, examples_of, logprobs=False) for case in cases]
        )
        for [vote] in votes:
            if isinstance(vote, CallFailed):
                raise vote
        return [vote.text for [vote] in votes if isinstance(vote, Vote)]

    right = [text == case.answer for text, case in zip(await said(seen), seen, strict=True)]
    new = [ok for ok, case in zip(right, seen, strict=True) if case.answer in HELD_OUT_KINDS]
    shown = [text == case.answer for text, case in zip(await said(seen, taught), seen, strict=True)]
    told = [text in answers for text, answers in zip(await said(known), accepted, strict=True)]
    written = [Case(kind="hand", question=asks, context=told, answer=right[0]) for told, asks, right in HAND_WRITTEN]
    heard = await said(written)
    fitting = [
        text in right or (UNKNOWN in right and is_untold(text))
        for text, (_, _, right) in zip(heard, HAND_WRITTEN, strict=True)
    ]
    return {
        "what is seen, in the caption": _share(right),
        "of things that were never taught": _share(new),
        f"with {_EXAMPLES} examples": _share(shown),
        "a fact, in one of three passages": _share(told),
        "the caption lacks it: says unknown": _share([is_untold(text) for text in await said(lacking)]),
        f"{len(HAND_WRITTEN)} questions by hand": _share(fitting),
    }


def _share(values: Sequence[bool]) -> float:
    return round(float(np.mean(values)), 4) if values else float("nan")
