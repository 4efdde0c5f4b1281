"""What `mini-writer` is taught: rewriting a prompt under feedback, paraphrasing it without, writing the tuples of its scene graph,
writing rows like a row, and whether two captions say the same.

Each row is one user message, in the compact format of `prompts/*/mini_*.md`, and its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...prompts import load
from ..world import (
    BACKGROUNDS,
    COLORS,
    COUNTS,
    OPPOSITE,
    RELATIONS,
    SHAPES,
    SIZES,
    THINGS,
    Node,
    Phrase,
    Spec,
    Wording,
    is_held_out,
    specs,
    word,
)
from .caption_rows import SKILLS, caption_row
from .revising import PARAPHRASE, REWRITE, Habit, Slot, judged, revise, slots_of

__all__ = ["Row", "ROLES", "altered", "rows"]

SHOWN_WRONG = 2
# the shares of the rows; a tuple forgotten or a word exchanged costs a whole graph or rewrite, so these have the most
ROLES = {
    "rewrite": 0.36, "paraphrase": 0.1, "tuples": 0.32, "same": 0.14, "rows": 0.08,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """One exchange. `role`: one of `ROLES`."""

    role: str
    prompt: str
    answer: str


def rows(seed: int, *, held_out: bool = False, role: str | None = None) -> Iterator[Row]:
    """An endless stream of rows: of one role, or of all by their shares."""
    rng = np.random.default_rng([seed, 41])
    stream = specs(seed, held_out=held_out)
    makers: dict[str, Callable[[Spec, Wording, np.random.Generator], Row | None]] = {
        "rewrite": _rewrite, "paraphrase": _paraphrase, "tuples": _tuples, "same": _same, "rows": _like_row,
    }  # fmt: skip
    for spec in stream:
        wording = word(spec, rng, looseness=float(rng.random() ** 0.5), held_out=held_out)
        row = makers[role or str(rng.choice(list(ROLES), p=list(ROLES.values())))](spec, wording, rng)
        if row is not None and row.answer:
            yield row


def _numbered(lines: Iterable[str]) -> str:
    return "\n".join(f"{place} | {line}" for place, line in enumerate(lines, start=1))


def _tuples(spec: Spec, wording: Wording, rng: np.random.Generator) -> Row:
    prompt = load("scene/mini_tuples").render(prompt=wording.text)
    return Row(role="tuples", prompt=prompt, answer=_numbered(node.fact for node in wording.scene_graph()))


def _rewrite(spec: Spec, wording: Wording, rng: np.random.Generator) -> Row:
    """What the loop shows: the user's wording and the best tries with their scores, and what the best of them has wrong."""
    tried = [wording] if rng.random() < 0.9 else []
    for _ in range(int(rng.choice(3, p=[0.4, 0.3, 0.3])) if tried else 0):
        tried.append(revise(tried[-1], spec, _wrong(judged(tried[-1], wording, spec, rng), wording)[1], rng))
    tried = list({each.text: each for each in tried}.values())
    scored = sorted(
        ((_score(answers), each, answers) for each in tried if (answers := judged(each, wording, spec, rng))),
        key=lambda entry: entry[0],
    )
    base = scored[-1][1] if scored else wording
    names, marked = _wrong(scored[-1][2], wording) if scored else ([], frozenset())
    if scored and rng.random() < 0.15:  # where noun phrases are scored, these are the parts
        places = [int(place) for place in rng.permutation(len(wording.phrases))]
        names = [_noun_phrase(wording.phrases[place]) for place in places]
        marked = frozenset((part, place) for place in places for part in ("noun", "color", "size", "counter"))
    texts = _texts(base, spec, marked, {wording.text, *(each.text for each in tried)}, rng, REWRITE)
    prompt = load("opt2i/mini_rewrite").render(
        prompt=wording.text,
        tried="".join(["Tried:\n", *(f"{score} {each.text}\n" for score, each, _ in scored)]) if scored else "",
        wrong=f"Wrong: {' '.join(names)}\n" if names else "",
        n=len(texts),
    )
    return Row(role="rewrite", prompt=prompt, answer=_tagged(texts))


def _noun_phrase(phrase: Phrase) -> str:
    """As noun phrases are read from a scene graph: with a number in place of "a trio of"."""
    return replace(phrase, counter=COUNTS[phrase.count][0]).text if phrase.count > 1 else phrase.text


def _score(answers: list[tuple[Node, bool]]) -> int:
    return round(100 * float(np.mean([right for _, right in answers])))


def _wrong(answers: list[tuple[Node, bool]], asked: Wording) -> tuple[list[str], frozenset[Slot]]:
    """The first two questions that were answered with no, as the rewriter is shown them, and the words they hang on."""
    wrong = [node for node, right in answers if not right][:SHOWN_WRONG]
    return [node.question for node in wrong], frozenset(slot for node in wrong for slot in slots_of(node, asked))


def _paraphrase(spec: Spec, wording: Wording, rng: np.random.Generator) -> Row:
    texts = _texts(wording, spec, frozenset(), {wording.text}, rng, PARAPHRASE)
    prompt = load("opt2i/mini_paraphrase").render(prompt=wording.text, n=len(texts))
    return Row(role="paraphrase", prompt=prompt, answer=_tagged(texts))


def _texts(
    base: Wording, spec: Spec, marked: frozenset[Slot], known: set[str], rng: np.random.Generator, habit: Habit
) -> list[str]:
    """One to five new texts, fewer where a caption is so short that there are not so many."""
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.1, 0.15, 0.35, 0.2, 0.2]))
    texts: list[str] = []
    for _ in range(60):
        text = revise(base, spec, marked, rng, habit).text
        if text not in known and text not in texts:
            texts.append(text)
        if len(texts) == count:
            break
    return texts


def _tagged(texts: list[str]) -> str:
    return "\n".join(f"<PROMPT>{text}</PROMPT>" for text in texts)


def _same(spec: Spec, wording: Wording, rng: np.random.Generator) -> Row:
    """Two captions: of one spec in two wordings, or of one that differs from it in one thing."""
    same, changed = bool(rng.random() < 0.5), altered(spec, rng)
    while is_held_out(changed) and not is_held_out(spec):  # few neighbours of a held-out spec are held out
        changed = altered(spec, rng)
    other = word(spec if same else changed, rng, looseness=float(rng.random()))
    prompt = load("captions/mini_same").render(one=wording.text, other=other.text)
    return Row(role="same", prompt=prompt, answer="yes" if same else "no")


def altered(spec: Spec, rng: np.random.Generator) -> Spec:
    """A spec that differs in one thing: a kind, a colour, a size, the count, the relation, the background, who is where."""
    place = int(rng.integers(len(spec.groups)))
    group = spec.groups[place]

    def other(options: dict[str, tuple[str, ...]], than: str | None) -> str:
        return str(rng.choice([name for name in options if name != than]))

    def with_group(**fields: object) -> Spec:
        groups = list(spec.groups)
        groups[place] = replace(group, **fields)  # type: ignore[arg-type]
        return replace(spec, groups=tuple(groups))

    changes = [with_group(kind=other(SHAPES if group.color else THINGS, group.kind))] * 3
    if group.color:
        changes += [with_group(color=other(COLORS, group.color))] * 3
    if group.size:
        changes.append(with_group(size=other(SIZES, group.size)))
    if group.count > 1:
        changes.append(with_group(count=int(rng.choice([count for count in COUNTS if count != group.count]))))
    if spec.relation:
        changes += [replace(spec, relation=OPPOSITE[spec.relation]), replace(spec, groups=spec.groups[::-1])] * 2
        changes.append(replace(spec, relation=other(RELATIONS, spec.relation)))
    if spec.background:
        changes.append(replace(spec, background=other(BACKGROUNDS, spec.background)))
    changed = changes[int(rng.integers(len(changes)))]
    return changed if changed != spec else altered(spec, rng)


def _like_row(spec: Spec, wording: Wording, rng: np.random.Generator) -> Row | None:
    """A row, and rows of the same skill about other scenes; None where the caption holds nothing to ask about."""
    skill = str(rng.choice(SKILLS))
    seed_row = caption_row(wording, skill, rng)
    if seed_row is None:
        return None
    count = int(rng.choice([1, 2, 3, 4]))
    written: list[str] = []
    for other in specs(int(rng.integers(2**31))):
        row = caption_row(word(other, rng, looseness=float(rng.random())), skill, rng)
        if row is not None:
            written.append(f"{row.text} | {row.answer}")
        if len(written) == count:
            break
    prompt = load("rows/mini_rows").render(text=seed_row.text, label=seed_row.answer, n=count)
    return Row(role="rows", prompt=prompt, answer=_numbered(written))
