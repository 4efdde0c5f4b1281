"""Everyday scenes by rule, as captions tell them: somebody or something does something, alone or with another thing, or stands near one, somewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..world import COLORS, article

__all__ = [
    "ALONE", "COLORED", "KINDS", "NEAR", "NUMBERS", "PEOPLE", "PLACES", "Part", "Scene", "absent", "everyday_scene", "one_of", "plural_of",
]  # fmt: skip

KINDS: dict[str, tuple[str, ...]] = {
    "animal": tuple(
        """horse bear zebra pigeon turtle shark snake spider donkey camel elephant giraffe monkey parrot owl duck swan crab lobster goat
        cow dog cat sheep rabbit tiger wolf eagle penguin""".split()
    ),
    "vehicle": tuple("bicycle boat train tractor truck motorcycle airplane helicopter van taxi scooter tram ship".split()),
    "fruit": tuple("lemon pear peach melon grape mango coconut pineapple plum kiwi".split()),
    "food": tuple("cookie sandwich pancake burger pie muffin tomato onion sausage potato egg".split()),
    "instrument": tuple("violin drum piano trumpet flute harp accordion".split()),
    "tool": tuple("hammer ladder saw shovel rake drill brush broom".split()),
    "piece of furniture": tuple("bench chair sofa table desk shelf bed stool".split()),
    "thing": tuple(
        """bottle laptop kite clock bowl spoon lamp towel bucket basket helmet jacket camera radio fence bridge statue candle mirror pillow
        blanket stamp letter map ticket flag tent sled surfboard skateboard racket trophy lantern frisbee hat vase book stone""".split()
    ),
}  # fmt: skip
PEOPLE = (
    "man woman boy girl child person sailor farmer nurse chef painter teacher soldier student dancer waiter".split()
)
COLORED = (*COLORS, "brown", "gray", "white")
NUMBERS = ("two", "three", "four", "five", "six", "seven")
ALONE = {
    "animal": ("eating", "sleeping", "running", "standing", "drinking", "resting", "swimming", "jumping"),
    "person": ("cooking", "reading", "sleeping", "running", "dancing", "singing", "smiling", "waiting", "swimming", "sitting", "walking", "working"),
}  # fmt: skip
_WITH = {
    "animal": ("chasing", "watching", "carrying", "smelling", "guarding"),
    "person": ("holding", "carrying", "looking at", "painting", "buying", "cleaning", "pushing", "washing", "fixing", "selling", "throwing"),
}  # fmt: skip
NEAR = {
    "above": ("above", "over"),
    "below": ("below", "beneath", "under"),
    "to the left of": ("to the left of", "left of", "on the left side of"),
    "to the right of": ("to the right of", "right of", "on the right side of"),
    "next to": ("next to", "beside", "near"),
    "behind": ("behind",),
    "in front of": ("in front of",),
    "on": ("on", "on top of"),
    "inside": ("inside", "in"),
}
PLACES = {
    "beach": "on a beach", "park": "in a park", "kitchen": "in a kitchen", "street": "on a street", "field": "in a field", "garden": "in a garden",
    "station": "at a station", "snow": "in the snow", "river": "by a river", "hill": "on a hill", "market": "at a market", "forest": "in a forest",
    "classroom": "in a classroom", "parking lot": "in a parking lot", "bedroom": "in a bedroom", "harbor": "in a harbor", "desert": "in a desert",
}  # fmt: skip
_IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "sheep": "sheep", "wolf": "wolves", "shelf": "shelves",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Who or what is in a scene. `look`: a colour, or ""; `number`: a number word, or "" for one."""

    noun: str
    kind: str
    look: str = ""
    number: str = ""

    @property
    def name(self) -> str:
        """As a question names it, after "the"."""
        return plural_of(self.noun) if self.number else self.noun

    @property
    def phrase(self) -> str:
        """As a caption says it."""
        words = f"{self.look} {self.name}".strip()
        return f"{self.number or article(words)} {words}"

    @property
    def verb(self) -> str:
        """The form of "to be" that goes with it."""
        return "are" if self.number else "is"


@dataclass(frozen=True)
class Scene:
    """`doing` alone, or with `other` ("holding"); else `near` says where `other` is. `place` is one of `PLACES`, or "". `finite`: with "is"."""

    one: Part
    other: Part | None = None
    doing: str = ""
    near: str = ""
    place: str = ""
    finite: bool = False

    @property
    def caption(self) -> str:
        """The scene in words."""
        other = self.other.phrase if self.other else ""
        verb = self.one.verb if self.finite else ""
        words = [self.one.phrase, verb, self.doing or self.near, other, PLACES.get(self.place, "")]
        return " ".join(word for word in words if word)

    @property
    def parts(self) -> list[Part]:
        """Who and what is there."""
        return [self.one, *([self.other] if self.other else [])]


def everyday_scene(rng: np.random.Generator) -> Scene:
    """A scene by chance."""
    place = one_of(list(PLACES), rng) if rng.random() < 0.4 else ""
    roll, finite = rng.random(), bool(rng.random() < 0.3)
    if roll < 0.4:
        one = _part(rng, list(KINDS))
        other = _part(rng, list(KINDS), but=one.noun, single=True)
        return Scene(one, other, near=one_of(list(NEAR), rng), place=place if rng.random() < 0.5 else "")
    one = _part(rng, ["person", "animal"] if rng.random() < 0.9 else ["animal"])
    if roll < 0.7:
        return Scene(one, doing=one_of(ALONE[one.kind], rng), place=place or one_of(list(PLACES), rng), finite=finite)
    other = _part(rng, [kind for kind in KINDS if kind != "piece of furniture"], but=one.noun)
    return Scene(one, other, doing=one_of(_WITH[one.kind], rng), place=place, finite=finite)


def _part(rng: np.random.Generator, kinds: Sequence[str], *, but: str = "", single: bool = False) -> Part:
    kind = one_of(kinds, rng)
    noun = one_of([each for each in (PEOPLE if kind == "person" else KINDS[kind]) if each != but], rng)
    look = one_of(COLORED, rng) if kind != "person" and rng.random() < 0.5 else ""
    number = one_of(NUMBERS, rng) if not single and rng.random() < 0.3 else ""
    return Part(noun, kind, look, number)


def one_of(options: Sequence[str], rng: np.random.Generator) -> str:
    """One of the options by chance."""
    return options[int(rng.integers(len(options)))]


def plural_of(noun: str) -> str:
    """The plural of an everyday noun."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if re.search(r"(s|x|ch|sh|[mt]at?o|ngo)$", noun):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}s"


def absent(scene: Scene, kind: str, rng: np.random.Generator) -> str:
    """A word of a kind that the caption does not hold."""
    there = {part.noun for part in scene.parts}
    return one_of([each for each in (PEOPLE if kind == "person" else KINDS[kind]) if each not in there], rng)
