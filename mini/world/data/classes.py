"""Classes: one object a picture, labelled; a balanced train, validation and test split, and three tests that are shifted one way each.

Trained on flat pictures of middle sizes in the objects' own looks, a model meets other domains, textures and sizes in the shifted tests,
with everything else as in the test split.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..domains import DOMAINS, Domain
from ..drawing import Group, Scene
from ..textures import TEXTURES
from ..vocabulary import COLORS, KINDS, SHAPES
from .pictures import DrawnSet, Picture
from .singles import color_for, single

__all__ = ["CLASSES"]

_SPLITS = {  # split -> its part of the training pictures
    "train": 1.0, "validation": 0.25, "test": 0.5, "shifted_domain": 0.5, "shifted_texture": 0.5, "shifted_size": 0.5,
}  # fmt: skip
_OTHER_SIDES = ((14, 19), (56, 80))


def _scene(kind: str, split: str, place: int, seed: int, rng: np.random.Generator) -> Scene:
    plain = Group(kind=kind, color=color_for(kind, rng))
    if split == "shifted_domain":
        domain: Domain = DOMAINS[1 + place % (len(DOMAINS) - 1)]
        return single(plain, rng, seed=seed, domain=domain)
    if split == "shifted_texture":
        pattern, color = list(TEXTURES)[place % len(TEXTURES)], str(rng.choice(list(COLORS)))
        return single(Group(kind=kind, color=color, texture=pattern), rng, seed=seed)
    if split == "shifted_size":
        return single(plain, rng, seed=seed, sides=_OTHER_SIDES[place % 2])
    return single(plain, rng, seed=seed)


def _plan(count: int, seed: int) -> Iterator[Picture]:
    kinds = list(KINDS)
    for number, (split, part) in enumerate(_SPLITS.items()):
        rng = np.random.default_rng([seed, 90, number])
        shift = split.removeprefix("shifted_") if split.startswith("shifted_") else "none"
        for place in range(max(1, round(count * part))):
            # each class comes once before any comes again, and with each kind of shift in turn
            kind = kinds[place % len(kinds)]
            scene = _scene(kind, split, place // len(kinds), seed * 1_000_003 + number * 100_003 + place, rng)
            columns = {"label": kind, "family": "shape" if kind in SHAPES else "thing", "shift": shift}
            yield Picture(split=split, name=f"{place:05d}", columns=columns, scene=scene)


CLASSES = DrawnSet(
    name="classes",
    title="40 classes of the drawn world",
    summary="One object a picture, 32 things and 8 shapes in equal numbers; three shifted tests ask what a classifier holds on to when the "
    "domain, the texture or the size is another one than in training.",
    count=2000,
    counts="training pictures",
    columns={
        "label": "the class, one of 40",
        "family": '"shape" or "thing"',
        "shift": 'what differs from the training pictures: "none", "domain", "texture" or "size"',
    },
    labels=("label",),
    plan=_plan,
)
