"""Compositions: scenes of three to six objects of many sizes and textures that may hide parts of each other.

A caption of the world names two groups at most; a composition has a group for each of its objects, from the farthest to the nearest.
"""

from __future__ import annotations

import numpy as np

from .domains import Domain
from .drawing import PIXELS, SIZE, Group, Placed, Scene, Spec
from .textures import SURFACES, TEXTURES
from .truth import Truth
from .vocabulary import BACKGROUNDS, COLORS, KINDS, SHAPES

__all__ = ["LEAST_SEEN", "compose", "size_of"]

LEAST_SEEN = 0.3  # the share of each object that is seen
_SIDES = (18, 46)  # pixels, the second one too
_TRIES = 200


def compose(seed: int, *, count: int | None = None, textured: float = 0.3, domain: Domain = "flat") -> Scene:
    """A scene in which at least two objects overlap, and at least `LEAST_SEEN` of each is seen.

    Args:
        seed: of all that is drawn at random.
        count: objects, 2 to 6; None: three to six.
        textured: the share of objects with a texture.
        domain: how it is drawn.

    Raises:
        ValueError: `count` is none of these.
    """
    rng = np.random.default_rng([seed, 81])
    wanted = int(rng.integers(3, 7)) if count is None else count
    if not 2 <= wanted <= 6:
        raise ValueError(f"count={count!r}: a composition has 2 to 6 objects.")
    background = str(rng.choice(list(BACKGROUNDS)))
    kinds = [str(kind) for kind in rng.choice(list(KINDS), size=wanted, replace=False)]
    groups = [_group(kind, rng, textured) for kind in kinds]
    objects: list[Placed] = []
    while len(objects) < wanted or not Truth.of(_scene(objects, background, domain, seed)).hides:
        objects = []
        for place, group in enumerate(groups):
            objects += _one_in_front(objects, group, place, rng)
    return _scene(objects, background, domain, seed)


def size_of(side: int) -> str:
    """The word for a side in pixels."""
    return min(PIXELS, key=lambda size: abs(PIXELS[size] - side))


def _group(kind: str, rng: np.random.Generator, textured: float) -> Group:
    color = str(rng.choice(list(COLORS)))
    pattern, surface = str(rng.choice(list(TEXTURES))), str(rng.choice([name for name in SURFACES if name != kind]))
    if rng.random() >= textured:
        return Group(kind=kind, color=color if kind in SHAPES else None)
    if rng.random() < 0.3:
        return Group(kind=kind, texture=surface)
    return Group(kind=kind, color=color, texture=pattern)


def _one_in_front(objects: list[Placed], group: Group, place: int, rng: np.random.Generator) -> list[Placed]:
    """One more object, at a place where it leaves enough of the others to be seen; none where no place is good after `_TRIES`."""
    for _ in range(_TRIES):
        side = int(rng.integers(_SIDES[0], _SIDES[1] + 1))
        x, y = (int(part) for part in rng.integers(1, SIZE - side, size=2))
        look = {"kind": group.kind, "color": group.color, "texture": group.texture}
        nearer = Placed(**look, size=size_of(side), x=x, y=y, side=side, group=place)  # type: ignore[arg-type]
        if min(Truth.of(_scene([*objects, nearer], "white", "flat", 0)).visible_shares) >= LEAST_SEEN:
            return [nearer]
    return []


def _scene(objects: list[Placed], background: str, domain: Domain, seed: int) -> Scene:
    groups = tuple(Group(kind=o.kind, color=o.color, texture=o.texture, size=o.size) for o in objects)
    spec = Spec(groups=groups, background=background)
    return Scene(spec=spec, objects=tuple(objects), background=background, domain=domain, seed=seed)
