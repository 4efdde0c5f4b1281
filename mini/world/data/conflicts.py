"""Cue conflict: pictures whose outline says one class and whose filling says another, and pictures to learn both from.

In the train and validation splits the cues agree: things look as they always do, and each of six shapes has a pattern of its own, so a
classifier can learn either cue. In the test split they never do. The share of shape answers among those that name either cue is the
shape bias (Geirhos et al. 2019, https://arxiv.org/abs/1811.12231).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ..drawing import Group
from ..textures import SURFACES, TEXTURES
from ..vocabulary import COLORS
from .pictures import DrawnSet, Picture
from .singles import single

__all__ = ["AGREED", "CONFLICTS"]

AGREED = {
    "circle": "stripes", "square": "checks", "triangle": "bricks", "star": "dots", "heart": "waves", "diamond": "grain",
}  # fmt: skip
_SIDES = (32, 56)
_PATTERN_PICTURES = 4  # one picture in so many is a shape with a pattern

Cues = tuple[str, str, str]  # family, shape, texture


def _cues(conflict: bool, rng: np.random.Generator) -> Iterator[Cues]:
    """Endless: each pair of a family once, in any order, before any comes again."""
    if conflict:
        things: list[tuple[str, str]] = [*itertools.permutations(SURFACES, 2)]
        patterns = [(shape, texture) for shape in AGREED for texture in TEXTURES if texture != AGREED[shape]]
    else:
        things, patterns = [(thing, thing) for thing in SURFACES], [*AGREED.items()]
    next_thing, next_pattern = _shuffled(things, rng), _shuffled(patterns, rng)
    for place in itertools.count():
        if place % _PATTERN_PICTURES == _PATTERN_PICTURES - 1:
            yield ("pattern", *next(next_pattern))
        else:
            yield ("thing", *next(next_thing))


def _shuffled(pairs: list[tuple[str, str]], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    while True:
        for place in rng.permutation(len(pairs)).tolist():
            yield pairs[place]


def _plan(count: int, seed: int) -> Iterator[Picture]:
    for number, (split, part) in enumerate({"train": 1.0, "validation": 0.25, "test": 1.0}.items()):
        rng = np.random.default_rng([seed, 91, number])
        conflict = split == "test"
        cues = [
            *itertools.islice(_cues(conflict, np.random.default_rng([seed, 94, number])), max(1, round(count * part)))
        ]
        for place, cue in enumerate(rng.permutation(len(cues)).tolist()):
            family, shape, texture = cues[cue]
            color = str(rng.choice(list(COLORS)))
            group = Group(kind=shape)
            if family == "pattern":
                group = Group(kind=shape, color=color, texture=texture)
            elif conflict:
                group = Group(kind=shape, texture=texture)
            scene = single(group, rng, seed=seed * 1_000_003 + number * 100_003 + place, sides=_SIDES)
            columns = {"family": family, "shape": shape, "texture": texture, "conflict": conflict}
            yield Picture(split=split, name=f"{place:05d}", columns=columns, scene=scene)


CONFLICTS = DrawnSet(
    name="cue-conflict",
    title="Cue conflict in the drawn world",
    summary="The outline of one class filled with the texture of another: 16 things with each other's surfaces, and 6 shapes with each "
    "other's patterns. Both labels are truth; which one a model names is its shape bias.",
    count=960,
    counts="test pictures, and as many to train on",
    columns={
        "family": '"thing": outline and surface of things; "pattern": a shape in a pattern',
        "shape": "what its outline is",
        "texture": 'what fills it: a thing, or a pattern; that of training says "'
        + ", ".join(f"{shape} {texture}" for shape, texture in AGREED.items())
        + '"',
        "conflict": "whether the two disagree",
    },
    labels=("shape", "texture"),
    plan=_plan,
)
