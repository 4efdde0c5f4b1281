"""How well a language model does what `mini-writer` is taught, on held-out prompts with pairs of words that no training row held.

What a picture of a rewrite would have right is read from its words: a painter that knows plain words only is imagined, so that the
search can be measured by itself, many prompts in minutes. The real one is measured by `inloop opt2i`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...agents.opt2i import Rewriter, Shown
from ...agents.rows import rows_from
from ...agents.scene import NotUnderstood, Questioner, SceneGraph, simple_scene_graph
from ...prompts import load
from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message
from ..world import Spec, Wording, spec_of, specs, word, wording_of
from .caption_rows import skill_of, true_answer
from .revising import judged, plainness
from .writer_rows import rows

__all__ = ["graph_right", "measure_writer"]

_ROUNDS, _CANDIDATES = 3, 3


@dataclass(frozen=True, kw_only=True)
class _Prompt:
    spec: Spec
    wording: Wording
    number: int


async def measure_writer(chat: Chat, *, count: int) -> dict[str, float]:
    """Shares of what is right of `count` prompts, role by role; and what a search gains with its rewrites."""
    rng = np.random.default_rng(906)
    prompts = [
        _Prompt(spec=spec, wording=word(spec, rng, looseness=0.7, held_out=True), number=number)
        for number, spec in enumerate(itertools.islice(specs(907, held_out=True), count))
    ]
    return {
        **await _graphs(chat, prompts),
        **await _rewriting(chat, prompts),
        **await _captions(chat, count),
        **await _rows(chat, count),
        "prompts": float(count),
    }


async def _graphs(chat: Chat, prompts: Sequence[_Prompt]) -> dict[str, float]:
    questioner = Questioner(chat, "mini")
    right, ruled = [], []
    for prompt in prompts:
        try:
            right.append(graph_right(_rows_of(await questioner.questions(prompt.wording.text)), prompt.wording))
        except CallFailed:
            right.append(False)
        try:
            ruled.append(graph_right(_rows_of(simple_scene_graph(prompt.wording.text)), prompt.wording))
        except NotUnderstood:
            ruled.append(False)
    return {
        "scene graphs right and complete": _share(right),
        "scene graphs by the rules for simple English": _share(ruled),
    }


async def _rewriting(chat: Chat, prompts: Sequence[_Prompt]) -> dict[str, float]:
    """A search of three rounds for each prompt, and as many paraphrases without feedback."""
    rewriter = Rewriter(chat, "mini")
    kept: dict[str, list[bool]] = {"rewrites": [], "paraphrases": []}
    plain: dict[str, list[float]] = {"rewrites": [], "paraphrases": []}
    best: dict[str, list[int]] = {"rewrites": [], "paraphrases": []}
    spread: list[float] = []
    for prompt in prompts:
        tried = [_shown(prompt.wording.text, prompt)]
        blind: dict[str, None] = {}
        for turn in range(_ROUNDS):
            seed = 10 * prompt.number + turn
            proposals = await rewriter.propose(text=tried[0].text, history=tried, n=_CANDIDATES, seed=seed)
            new = [_shown(text, prompt) for text in proposals.texts]
            # the plainness of what a round proposes: if it were the same for all, nothing would be left to choose
            shares = [share for shown in new if (share := _plainness(shown.text, prompt)) is not None]
            if len(shares) > 1:
                spread.append(float(np.std(shares)))
            tried += new
            blind.update(dict.fromkeys((await rewriter.paraphrase(tried[0].text, _CANDIDATES, seed)).texts))
        for name, texts in (("rewrites", [shown.text for shown in tried[1:]]), ("paraphrases", list(blind))):
            kept[name] += [spec_of(text) == prompt.spec for text in texts]
            plain[name] += [share for text in texts if (share := _plainness(text, prompt)) is not None]
            best[name].append(max([tried[0].score, *(_shown(text, prompt).score for text in texts)]))
    wanted = _ROUNDS * _CANDIDATES * len(prompts)
    return {
        "rewrites that keep the meaning": _share(kept["rewrites"]),
        "paraphrases that keep the meaning": _share(kept["paraphrases"]),
        "new rewrites of those asked for": len(kept["rewrites"]) / wanted,
        "new paraphrases of those asked for": len(kept["paraphrases"]) / wanted,
        "plain words: the user's": _share([plainness(prompt.wording, prompt.spec) for prompt in prompts]),
        "plain words: rewrites": _share(plain["rewrites"]),
        "plain words: paraphrases": _share(plain["paraphrases"]),
        "plain words: standard deviation of what one round proposes": _share(spread),
        "imagined score: the user's": _share([_shown(p.wording.text, p).score / 100 for p in prompts]),
        "imagined score: best of the search": _share([score / 100 for score in best["rewrites"]]),
        "imagined score: best of as many paraphrases": _share([score / 100 for score in best["paraphrases"]]),
        "searches that end at 100": _share([score == 100 for score in best["rewrites"]]),
        "as many paraphrases that reach 100": _share([score == 100 for score in best["paraphrases"]]),
    }


def _plainness(text: str, prompt: _Prompt) -> float | None:
    said = wording_of(text)
    return plainness(said, prompt.spec) if said is not None and spec_of(text) == prompt.spec else None


def _shown(text: str, prompt: _Prompt) -> Shown:
    """A text with the answers of the imagined judge; all are no where it does not mean what the user's does."""
    said = wording_of(text)
    nodes = prompt.wording.scene_graph()
    if said is None or spec_of(text) != prompt.spec:
        right = [False] * len(nodes)
    else:
        right = [ok for _, ok in judged(said, prompt.wording, prompt.spec, np.random.default_rng(0), luck=0.0)]
    parts = tuple((node.question, 100 * ok) for node, ok in zip(nodes, right, strict=True))
    return Shown(text=text, score=round(100 * float(np.mean(right))), parts=parts)


async def _captions(chat: Chat, count: int) -> dict[str, float]:
    asked = list(itertools.islice(rows(912, held_out=True, role="same"), count))
    answers = [await _answer(chat, row.prompt, 0.0) for row in asked]
    out = {}
    for truth in ("yes", "no"):
        right = [answer == truth for answer, row in zip(answers, asked, strict=True) if row.answer == truth]
        out[f"two captions say the same: right where it is {truth}"] = _share(right)
    return out


async def _rows(chat: Chat, count: int) -> dict[str, float]:
    asked = list(itertools.islice(rows(913, held_out=True, role="rows"), count // 3))
    right, alike = [], []
    for row in asked:
        text, _, label = row.prompt.splitlines()[0].removeprefix("Rows: ").rpartition(" | ")
        reply = await _answer(chat, load("rows/mini_rows").render(text=text, label=label, n=_CANDIDATES), 1.0)
        drafts = rows_from(reply)[:_CANDIDATES]
        missing = [False] * (_CANDIDATES - len(drafts))
        right += [draft.label is not None and true_answer(draft.text) == draft.label for draft in drafts] + missing
        alike += [skill_of(draft.text) == skill_of(text) for draft in drafts] + missing
    return {"rows like a row: the answer is right": _share(right), "rows like a row: the same is asked": _share(alike)}


async def _answer(chat: Chat, prompt: str, temperature: float) -> str:
    reply = await chat.complete([Message(role="user", content=prompt)], seed=0, temperature=temperature, max_tokens=192)
    return reply.text.strip()


def _rows_of(graph: SceneGraph) -> list[tuple[str, str, Sequence[int]]]:
    return [(node.tuple, node.question, node.parents) for node in graph.nodes]


def graph_right(nodes: Sequence[tuple[str, str, Sequence[int]]], wording: Wording) -> bool:
    """Whether (tuple, question, parents) rows are exactly the scene graph of a wording, in any order."""

    def named(rows: Sequence[tuple[str, str, Sequence[int]]]) -> set[tuple[str, str, frozenset[str]]]:
        facts = {place: fact for place, (fact, _, _) in enumerate(rows, start=1)}
        return {
            (fact, question, frozenset(facts.get(p, "?") for p in parents if p)) for fact, question, parents in rows
        }

    # the rules also ask what the writer was not taught: whether two things are next to each other
    asked = [row for row in nodes if not row[0].endswith(", next to)")]
    return named(asked) == named([(n.fact, n.question, n.parents) for n in wording.scene_graph()])


def _share(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if values else float("nan")
