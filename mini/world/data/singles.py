"""Scenes of a single object, any side at any place: what labelled sets and audits are made of."""

from __future__ import annotations

import numpy as np

from ..compositions import size_of
from ..domains import Domain
from ..drawing import SIZE, Group, Placed, Scene, Spec
from ..vocabulary import BACKGROUNDS, COLORS, SHAPES

__all__ = ["SIDES", "color_for", "single"]

SIDES = (26, 44)  # pixels, the second one too


def single(
    group: Group,
    rng: np.random.Generator,
    *,
    seed: int,
    sides: tuple[int, int] = SIDES,
    background: str | None = None,
    domain: Domain = "flat",
) -> Scene:
    """One object of a group, anywhere; `background` None: any. The word for its size follows from its side."""
    side = int(rng.integers(sides[0], sides[1] + 1))
    x, y = (int(part) for part in rng.integers(1, SIZE - side, size=2))
    any_background = str(rng.choice(list(BACKGROUNDS)))
    placed = Placed(
        kind=group.kind, color=group.color, texture=group.texture, size=size_of(side), x=x, y=y, side=side, group=0
    )
    background = background or any_background
    spec = Spec(groups=(group,), background=background)
    return Scene(spec=spec, objects=(placed,), background=background, domain=domain, seed=seed)


def color_for(kind: str, rng: np.random.Generator) -> str | None:
    """Any colour for a shape, None for a thing."""
    color = str(rng.choice(list(COLORS)))
    return color if kind in SHAPES else None
