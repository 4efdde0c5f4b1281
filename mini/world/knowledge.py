"""A question set that needs to see and to know: what is left of the red circle, and what are its young called?

A picture holds three or four different things in the corners; a question means one of them by where it stands, by its
colour, its size or its corner (what has to be seen), and asks for a fact about it (what has to be known, from a small corpus).

Invariants:

- The name of the thing that is meant does not stand in its question, nor does the answer.
- No phrasing of a question and no (thing, fact) pair of the test set occurs in the training set, nor does a set of things.
- A generic caption names two of the things, as a person who describes a picture leaves out what nobody asked for; a picture
  has five of them, as in COCO. The oracle caption says what is meant, and not the answer.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, TypeAlias

import numpy as np

from .domains import TRAINED_DOMAINS, Domain
from .drawing import PIXELS, SIZE, Group, Placed, Scene, Spec
from .grammar import article
from .questions import holds
from .vocabulary import BACKGROUNDS, COLORS, KINDS, RELATIONS, SHAPES, SIZES, THINGS

__all__ = [
    "TEMPLATES",
    "Asked",
    "Split",
    "View",
    "corpus",
    "facts",
    "generic",
    "items",
    "many_things",
    "pairs",
    "summary",
    "views",
]

Split: TypeAlias = Literal["train", "test"]

# per kind of fact the phrasings of the training questions and those of the test questions; {x} is the thing that is meant
TEMPLATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "young": (("what is the young of {x} called?", "what do you call a baby of {x}?"), ("which name has the child of {x}?",)),
    "sound": (("which sound does {x} make?", "what noise comes from {x}?"), ("what do you hear when {x} calls?",)),
    "home": (("where is {x} mostly found?", "what is the home of {x}?"), ("in which place does {x} belong?",)),
    "eats": (("what does {x} eat?", "what is the food of {x}?"), ("which meal does {x} like best?",)),
    "group": (("what is a group of {x} called?", "which word means several of {x}?"), ("how do you name many of {x} together?",)),
    "worker": (("who works with {x}?", "whose trade has to do with {x}?"), ("which profession goes with {x}?",)),
    "country": (("which country is linked with {x}?", "which country does one think of with {x}?"), ("what nation is {x} tied to?",)),
    "category": (("what kind of thing is {x}?", "to which class does {x} belong?"), ("under which heading would you file {x}?",)),
    "holiday": (("on which day does {x} play a part?", "which feast goes with {x}?"), ("what celebration is {x} known from?",)),
    "material": (("what is {x} made of?", "which material makes up {x}?"), ("of which substance does {x} consist?",)),
    "nutrient": (("what is {x} rich in?", "which nutrient is in {x}?"), ("what healthy substance does {x} give you?",)),
    "drink": (("which drink is made of {x}?", "what can be drunk that is made from {x}?"), ("what beverage has {x} in it?",)),
    "fuel": (("what does {x} run on?", "which fuel moves {x}?"), ("where does {x} get its energy from?",)),
    "sides": (("how many sides has {x}?", "what is the number of sides of {x}?"), ("how many straight lines bound {x}?",)),
    "solid": (("what is {x} as a solid?", "which solid matches {x}?"), ("what would {x} be in three dimensions?",)),
    "symbol": (("what does {x} stand for?", "what is {x} a sign of?"), ("which idea does {x} symbolise?",)),
}  # fmt: skip

_CORNERS = {
    "at the top left": (25, 25),
    "at the top right": (71, 25),
    "at the bottom left": (25, 71),
    "at the bottom right": (71, 71),
}


@dataclass(frozen=True, kw_only=True)
class View:
    """One way of meaning a thing of a scene. `phrase`: "the thing above the red ring"; `caption` says what it is."""

    kind: str
    thing: Placed
    phrase: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One item. `relation` is the kind of fact, `template` the phrasing, `generic` five captions that nobody asked for."""

    scene: Scene
    view: View
    relation: str
    template: str
    question: str
    answers: tuple[str, ...]
    generic: tuple[str, ...]

    @property
    def passage(self) -> str:
        """The id of the passage that holds the answer."""
        return self.view.thing.kind


@functools.cache
def facts() -> dict[str, dict[str, Any]]:
    """What is known: for each thing its passage (`text`) and its facts, each with all accepted answers, the usual one first."""
    content = resources.files(__package__ or "").joinpath("facts.json").read_text(encoding="utf-8")
    known: dict[str, dict[str, Any]] = json.loads(content)
    return known


def corpus() -> list[dict[str, Any]]:
    """The passages in BEIR's form, those about things that are never drawn with them."""
    return [{"_id": kind, "title": kind, "text": known["text"], "metadata": {}} for kind, known in facts().items()]


def pairs(split: Split) -> list[tuple[str, str]]:
    """The (thing, kind of fact) pairs of a split: every second thing of each kind of fact is for the test."""
    wanted = 0 if split == "train" else 1
    return [
        (kind, relation)
        for relation in TEMPLATES
        for place, kind in enumerate(kind for kind in KINDS if relation in facts()[kind])
        if place % 2 == wanted
    ]


def many_things(rng: np.random.Generator, *, split: Split, first: str | None = None, flat: float = 1.0) -> Scene:
    """A picture of three or four different things in the corners; `first` is one of them."""
    while True:
        kinds = [] if first is None else [first]
        count = 3 + int(rng.random() < 0.6)
        while len(kinds) < count:
            kind = str(rng.choice(list(SHAPES if rng.random() < 0.5 else THINGS)))
            if kind not in kinds:
                kinds.append(kind)
        if _is_test(kinds) == (split == "test"):
            break
    background = str(rng.choice(list(BACKGROUNDS))) if rng.random() < 0.5 else "white"
    corners = rng.permutation(list(_CORNERS.values()))
    objects = []
    for place, kind in enumerate(kinds):
        size = str(rng.choice(list(SIZES)))
        side = PIXELS[size]
        x, y = (int(np.clip(round(c - side / 2 + rng.uniform(-2, 2)), 1, SIZE - side - 1)) for c in corners[place])
        color = str(rng.choice(list(COLORS))) if kind in SHAPES else None
        objects.append(Placed(kind=kind, color=color, size=size, x=x, y=y, side=side, group=place))
    groups = tuple(Group(kind=o.kind, color=o.color, size=o.size) for o in objects)
    domain: Domain = "flat" if rng.random() < flat else TRAINED_DOMAINS[1 + int(rng.integers(len(TRAINED_DOMAINS) - 1))]
    spec = Spec(groups=groups, background=background)
    return Scene(spec=spec, objects=tuple(objects), background=background, domain=domain, seed=int(rng.integers(2**31)))


def _is_test(kinds: list[str]) -> bool:
    """One set of things in five is for the test, by its hash."""
    return hashlib.sha256(" ".join(sorted(kinds)).encode()).digest()[0] < 51


def _named(thing: Placed, *, sure: bool = True) -> str:
    """The name of a thing, as in "red circle" or "cat"."""
    return f"{thing.color} {thing.kind}" if thing.color and sure else thing.kind


def _a(thing: Placed) -> str:
    name = _named(thing)
    return f"{article(name)} {name}"


def _beside(one: Placed, other: Placed) -> str | None:
    """The plain relation of two things of one row or one column; None for things across."""
    dx, dy = abs(one.x + one.side / 2 - other.x - other.side / 2), abs(one.y + one.side / 2 - other.y - other.side / 2)
    if min(dx, dy) > SIZE / 8:
        return None
    return next(relation for relation in RELATIONS if holds(relation, one, other))


def views(scene: Scene, rng: np.random.Generator, *, looseness: float = 0.4) -> list[View]:
    """Every way of meaning one thing of a scene, each of which fits that thing alone."""
    found = []

    def say(words: tuple[str, ...]) -> str:
        return str(rng.choice(words[1:])) if len(words) > 1 and rng.random() < looseness else words[0]

    def add(kind: str, thing: Placed, phrase: str, caption: str) -> None:
        found.append(View(kind=kind, thing=thing, phrase=phrase, caption=caption))

    for thing in scene.objects:
        noun = "shape" if thing.color and rng.random() < 0.5 else "thing"
        for other in scene.objects:
            relation = None if other is thing else _beside(thing, other)
            if relation is not None:
                seen = _named(other, sure=bool(rng.random() < 0.6))
                where = f"{say(RELATIONS[relation])} the {seen}"
                add("relation", thing, f"the {noun} {where}", f"{_a(thing)} {relation} {_a(other)}")
        if thing.color and sum(o.color == thing.color for o in scene.objects) == 1:
            add("color", thing, f"the {say(COLORS[thing.color])} shape", f"the {thing.color} shape is {_a(thing)}")
        if sum(o.size == thing.size for o in scene.objects) == 1:
            add("size", thing, f"the only {say(SIZES[thing.size])} {noun}", f"the {thing.size} thing is {_a(thing)}")
        corner = min(
            _CORNERS,
            key=lambda name: (
                abs(thing.x + thing.side / 2 - _CORNERS[name][0]) + abs(thing.y + thing.side / 2 - _CORNERS[name][1])
            ),
        )
        add("corner", thing, f"the {noun} {corner}", f"{_a(thing)} {corner}")
    return found


def generic(scene: Scene, rng: np.random.Generator) -> str:
    """A caption for no question, as people write them: two of the things, large ones rather than small ones."""
    weights = np.array([3.0 if thing.size == "large" else 1.0 for thing in scene.objects])
    order = rng.choice(len(scene.objects), size=2, replace=False, p=weights / weights.sum())
    one, other = (scene.objects[int(place)] for place in order)
    return _of_two(scene, one, other, rng.random())


def summary(scene: Scene) -> str:
    """The one caption for no question that a captioner can be held to: of the first two things, large ones before small ones, then as one reads."""

    def turn(thing: Placed) -> tuple[bool, bool, int]:
        return thing.size != "large", thing.y + thing.side / 2 > SIZE / 2, thing.x

    one, other = sorted(scene.objects, key=turn)[:2]
    return _of_two(scene, one, other, 0.0 if _beside(one, other) else 0.5 if scene.background != "white" else 1.0)


def _of_two(scene: Scene, one: Placed, other: Placed, way: float) -> str:
    """Two things and how they stand, or their ground, or that there are others: `way` from 0 to 1."""
    relation = _beside(one, other)
    if relation is not None and way < 0.35:
        return f"{_a(one)} {relation} {_a(other)}"
    if way < 0.7:
        return f"{_a(one)} and {_a(other)} on {article(scene.background)} {scene.background} background"
    return f"{_a(one)}, {_a(other)} and other things"


def items(split: Split, count: int, seed: int = 0) -> Iterator[Asked]:
    """`count` items of a split, every (thing, fact) pair as often as every other; the same for the same seed."""
    rng = np.random.default_rng([seed, 31, split == "test"])
    wanted = pairs(split)
    order: list[tuple[str, str]] = []
    for _ in range(count):
        if not order:
            order = [wanted[int(place)] for place in rng.permutation(len(wanted))]
        kind, relation = order.pop()
        while True:
            scene = many_things(rng, split=split, first=kind)
            answers = tuple(facts()[kind][relation])
            fitting = [view for view in views(scene, rng) if view.thing.kind == kind]
            ways = sorted({view.kind for view in fitting})
            way = str(rng.choice(ways))
            fitting = [view for view in fitting if view.kind == way]
            view = fitting[int(rng.integers(len(fitting)))]
            template = str(rng.choice(TEMPLATES[relation][split == "test"]))
            question = template.format(x=view.phrase)
            if not any(answer in question for answer in answers):
                break
        yield Asked(
            scene=scene,
            view=view,
            relation=relation,
            template=template,
            question=question,
            answers=answers,
            generic=tuple(generic(scene, rng) for _ in range(5)),
        )
