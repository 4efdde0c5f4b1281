"""A vision-language model behind an OpenAI-compatible server, as a judge that answers questions and as a captioner.

The picture comes before the words in every message, so that a server with a prefix cache reads it once for all its
questions. A closed question is answered greedily, by yes or no alone where the server can be held to a choice, and
P(yes) / (P(yes) + P(no)) is taken from the first token's alternatives (as VQAScore does, Lin et al. 2024); it is None where
the server gives none.

Invariant: an answer belongs to one picture and one question, whatever else is asked; each is a call in the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...prompts import load
from ...runtime.errors import BadInput
from ...runtime.llm import OpenAIChat, open_server
from ...runtime.records import Answer, BlobRef, Message, Reply
from ...runtime.session import settled
from .questions import closed_answer, is_closed, yes_or_no

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["ServedCaptioner", "ServedVQA", "is_served", "open_served_vqa"]

_ALTERNATIVES = 20  # the most that servers give
_CLOSED = ("Yes", "No", "yes", "no")
"""What a server is held to: both spellings, since the probabilities of both count, as in process. There those with a blank before them count
too, of which a chat template leaves next to nothing."""
_ANSWER_TOKENS, _CAPTION_TOKENS = 16, 96


def is_served(spec: str) -> bool:
    """Whether a model's spec is the address of a server."""
    return spec.startswith(("http://", "https://"))


def open_served_vqa(spec: str, store: Store, settings: Settings) -> ServedVQA:
    """The judge at `http(s)://HOST:PORT/v1[,http(s)://...][#MODEL]`; raises as `open_chat` does."""
    return ServedVQA(open_server(spec, store, settings, option="--vqa"))


class _Served:
    def __init__(self, chat: OpenAIChat) -> None:
        self.chat = chat

    @property
    def model(self) -> str:
        """The model's id at its server."""
        return self.chat.model

    @property
    def revision(self) -> str:
        """What identifies the weights, as far as the server tells."""
        return self.chat.revision

    @property
    def notes(self) -> list[str]:
        """What a reader of the run must know: what the server cannot do."""
        return self.chat.notes

    @property
    def spread(self) -> Mapping[str, int]:
        """How many answers each of several servers gave; nothing where there is one."""
        return self.chat.spread

    async def aclose(self) -> None:
        """Close the connections."""
        await self.chat.aclose()


class ServedVQA(_Served):
    """A `VisualQA` on a vision-language chat model."""

    def __init__(self, chat: OpenAIChat) -> None:
        super().__init__(chat)
        self._heard_no_probability = False

    @property
    def notes(self) -> list[str]:
        """What a reader of the run must know: what the server cannot do, and that answers have no probability."""
        without = (
            f"the server of {self.model!r} gives no probabilities of its answers' first tokens: yes and no are taken from the text, nothing"
            " tells how sure it is, and VQAScore cannot be computed."
        )
        return [*self.chat.notes, *([without] if self._heard_no_probability else [])]

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        """One answer a (picture, question), in order. `p_yes` is None for open questions.

        Raises:
            BadInput: an empty question.
            CallFailed: a question could not be answered; the other answers are kept.
            PrerequisiteError: the server is down, or its model does not see pictures.
        """
        for _, question in asked:
            if not question.strip():
                raise BadInput(f"the question {question!r} is empty: write what is to be answered.")
        # questions of one picture after each other: the first one fills the server's prefix cache for the rest
        order = sorted(range(len(asked)), key=lambda place: asked[place][0].sha256)
        answers = await settled([self._answer(*asked[place]) for place in order])
        placed = dict(zip(order, answers, strict=True))
        return [placed[place] for place in range(len(asked))]

    async def _answer(self, image: BlobRef, question: str) -> Answer:
        question, closed = " ".join(question.split()), is_closed(question)
        text = load("captions/vqa_closed" if closed else "captions/vqa_open").render(question=question)
        reply = await self.chat.complete(
            [Message(role="user", content=text, images=(image,))],
            temperature=0.0,
            max_tokens=_ANSWER_TOKENS,
            top=_ALTERNATIVES if closed else 0,
            among=_CLOSED if closed else (),
        )
        said = reply.text.strip()
        if not closed:
            return Answer(text=said.rstrip("."))
        p_yes = _p_yes(reply)
        self._heard_no_probability |= p_yes is None and not any(reply.top)
        return Answer(text=closed_answer(said), p_yes=p_yes)


class ServedCaptioner(_Served):
    """A `Captioner` on a vision-language chat model."""

    async def caption(self, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str]:
        """One sentence a picture, in order; with a question, one that says what the question asks for.

        Raises as `ServedVQA.answer` does.
        """
        return await settled([self._caption(image, question) for image, question in asked])

    async def _caption(self, image: BlobRef, question: str | None) -> str:
        wish = f" Say what is needed to answer: {' '.join(question.split())}" if question and question.strip() else ""
        text = load("captions/caption").render(wish=wish)
        message = Message(role="user", content=text, images=(image,))
        return (await self.chat.complete([message], temperature=0.0, max_tokens=_CAPTION_TOKENS)).text.strip()


def _p_yes(reply: Reply) -> float | None:
    """From the alternatives of the answer's first token; None where they hold neither word."""
    sums = {"yes": 0.0, "no": 0.0}
    for token, logprob in reply.top[0] if reply.top else ():
        word = yes_or_no(token)
        if word is not None:
            sums[word] += math.exp(logprob)
    total = sums["yes"] + sums["no"]
    return round(sums["yes"] / total, 6) if total > 0 else None
