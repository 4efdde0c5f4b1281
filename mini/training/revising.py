"""How one wording is made of another: each of its words is kept, made plain, or exchanged for a less plain one, by chance.

A rewrite under feedback makes plain what was marked wrong; a paraphrase knows of no feedback and takes any of the words, the plain one
as often as each of the others.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ..world import HELD_OUT, Node, Phrase, Spec, Wording, plain, word

__all__ = ["PARAPHRASE", "REWRITE", "Habit", "Slot", "judged", "plain_slots", "plainness", "revise", "slots_of"]

# a choice of words: what it is of, and of which phrase (None: of the sentence)
Slot = tuple[str, int | None]
_RELATION: frozenset[Slot] = frozenset({("relation", None), ("order", None)})


@dataclass(frozen=True, kw_only=True)
class Habit:
    """Chances of a word to be (kept, made plain, exchanged), where it was marked wrong and where it was not."""

    marked: tuple[float, float, float]
    unmarked: tuple[float, float, float]


REWRITE = Habit(marked=(0.05, 0.87, 0.08), unmarked=(0.5, 0.28, 0.22))
# there are three words to choose from on average
PARAPHRASE = Habit(marked=(0.35, 0.22, 0.43), unmarked=(0.35, 0.22, 0.43))


def revise(
    base: Wording, spec: Spec, marked: Collection[Slot], rng: np.random.Generator, habit: Habit = REWRITE
) -> Wording:
    """Another wording of `spec`, made of `base`; `marked` are the slots that were found wrong."""
    sentences = (base, plain(spec), word(spec, rng, looseness=1.0))

    def choice(*slot: Slot) -> int:
        return int(rng.choice(3, p=habit.marked if set(slot) & set(marked) else habit.unmarked))

    phrases: list[Phrase] = []
    for place, options in enumerate(zip(*(sentence.phrases for sentence in sentences), strict=True)):
        while True:
            noun, color = options[choice(("noun", place))].noun, options[choice(("color", place))].color
            if (noun, color) not in HELD_OUT:
                break
        size, counter = options[choice(("size", place))].size, options[choice(("counter", place))].counter
        phrases.append(replace(options[0], noun=noun, color=color, size=size, counter=counter))
    return Wording(
        phrases=tuple(phrases),
        relation=sentences[choice(("relation", None))].relation,
        background=sentences[choice(("background", None))].background,
        syntax=sentences[choice(("order", None))].syntax,
    ).settled()


def slots_of(node: Node, wording: Wording) -> frozenset[Slot]:
    """The words of `wording` that a question of its own scene graph hangs on."""
    kind, _, _ = node.fact.partition(" (")
    if kind == "entity - whole":
        place = node.id - 1
        noun: Slot = ("noun", place)
        # where two things share their noun it is the colour that tells them apart
        return frozenset(
            {noun, ("color", place)} if wording.entities()[place] != wording.phrases[place].noun else {noun}
        )
    if kind == "relation - spatial":
        return _RELATION
    if kind == "global - background":
        return frozenset({("background", None)})
    part = {"attribute - color": "color", "attribute - size": "size", "other - count": "counter"}[kind]
    return frozenset({(part, node.parents[0] - 1)})


def plain_slots(wording: Wording, spec: Spec) -> dict[Slot, bool]:
    """For each choice of words that `spec` leaves: whether it is the plain one."""
    simple = plain(spec)
    same: dict[Slot, bool] = {("order", None): replace(wording, syntax=0).text == wording.text}
    for place, (chosen, easy) in enumerate(zip(wording.phrases, simple.phrases, strict=True)):
        for part in ("noun", "color", "size", "counter"):
            if getattr(easy, part) is not None:
                same[(part, place)] = getattr(chosen, part) == getattr(easy, part)
    for part in ("relation", "background"):
        if getattr(simple, part) is not None:
            same[(part, None)] = getattr(wording, part) == getattr(simple, part)
    return same


def plainness(wording: Wording, spec: Spec) -> float:
    """The share of a wording's choices that are the plain ones, from 0 to 1."""
    return float(np.mean(list(plain_slots(wording, spec).values())))


def judged(
    painted: Wording, asked: Wording, spec: Spec, rng: np.random.Generator, *, luck: float = 0.1
) -> list[tuple[Node, bool]]:
    """Each question of `asked` with what a judge may say of a picture of `painted`, by a painter that knows plain words only.

    Where a question hangs on others that were answered with no, so is it. `luck` is the chance that it is otherwise than the words say.
    """
    easy = plain_slots(painted, spec)
    right: dict[int, bool] = {0: True}
    nodes = asked.scene_graph()
    for node in nodes:
        shown = all(easy[slot] for slot in slots_of(node, asked)) != (rng.random() < luck)
        right[node.id] = shown and all(right[parent] for parent in node.parents)
    return [(node, right[node.id]) for node in nodes]
