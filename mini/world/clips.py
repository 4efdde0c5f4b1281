"""Clips: short silent films as lists of scenes, each with its description, and the truth of every frame.

One thing moves across the picture, grows, shrinks, or passes behind or in front of another one that stands still. Places and sides are
whole pixels; a frame is a `Scene`, so that its masks, boxes and visible shares are those of any other (`truth.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from PIL import Image

from .compositions import size_of
from .description import phrase
from .domains import Domain
from .drawing import SIZE, Group, Placed, Scene, Spec, draw
from .grammar import article
from .truth import Truth
from .vocabulary import BACKGROUNDS, COLORS, KINDS, SHAPES

__all__ = ["MOTIONS", "Clip", "film"]

Motion: TypeAlias = Literal["moves", "grows", "shrinks", "passes behind", "passes in front of"]
MOTIONS: tuple[Motion, ...] = get_args(Motion)
FRAMES = 12
_WAYS = {"from left to right": (1, 0), "from right to left": (-1, 0), "downwards": (0, 1), "upwards": (0, -1)}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Some frames of one shot. `actor` is the place, among the objects of each frame, of the one that moves or grows."""

    description: str
    motion: Motion
    scenes: tuple[Scene, ...]
    actor: int

    def frames(self) -> list[Image.Image]:
        """The 96x96 pictures in their order."""
        return [draw(scene) for scene in self.scenes]

    def truths(self) -> list[Truth]:
        """What is true of each frame."""
        return [Truth.of(scene) for scene in self.scenes]


def film(seed: int, *, motion: Motion | None = None, frames: int = FRAMES, domain: Domain = "flat") -> Clip:
    """One clip.

    Args:
        seed: of all that is drawn at random.
        motion: what happens; None: drawn at random.
        frames: their number, at least 2.
        domain: how it is drawn.

    Raises:
        ValueError: there are fewer than two frames.
    """
    if frames < 2:
        raise ValueError(f"frames={frames!r}: a clip has at least 2.")
    rng = np.random.default_rng([seed, 82])
    motion = motion or MOTIONS[int(rng.integers(len(MOTIONS)))]
    background = str(rng.choice(list(BACKGROUNDS)))
    first, second = (str(kind) for kind in rng.choice(list(KINDS), size=2, replace=False))
    actor, other = (
        Group(kind=kind, color=str(rng.choice(list(COLORS))) if kind in SHAPES else None) for kind in (first, second)
    )
    what, objects = _ACTIONS[motion](motion, actor, other, frames, rng)
    groups = tuple(group for group in (actor, other) if group.kind in {thing.kind for thing in objects[0]})
    spec = Spec(groups=groups, background=background)
    scenes = tuple(
        Scene(spec=spec, objects=things, background=background, domain=domain, seed=seed) for things in objects
    )
    place = next(place for place, thing in enumerate(objects[0]) if thing.kind == actor.kind)
    where = f"on {article(background)} {background} background"
    return Clip(description=f"{what} {where}", motion=motion, scenes=scenes, actor=place)


Objects: TypeAlias = tuple[Placed, ...]
Action: TypeAlias = Callable[[Motion, Group, Group, int, np.random.Generator], tuple[str, list[Objects]]]


def _moves(
    motion: Motion, actor: Group, other: Group, frames: int, rng: np.random.Generator
) -> tuple[str, list[Objects]]:
    """Across the free half of the picture, past the other one, without touching it."""
    way = _way(rng)
    side, line = int(rng.integers(24, 37)), int(rng.integers(18, 27))
    still = _object(other, 1, int(rng.integers(24, 37)), _point(way, int(rng.integers(30, 67)), SIZE - 1 - line))
    path = _path(way, side, frames)
    return f"{phrase(actor)} moves {way} past {phrase(other)}", [
        (still, _object(actor, 0, side, _point(way, along, line))) for along in path
    ]


def _changes(
    motion: Motion, actor: Group, other: Group, frames: int, rng: np.random.Generator
) -> tuple[str, list[Objects]]:
    """From small to large around one point, or from large to small."""
    small, large = int(rng.integers(16, 23)), int(rng.integers(48, 61))
    center = tuple(int(part) for part in rng.integers(36, 61, size=2))
    sides = [small + (large - small) * frame // (frames - 1) for frame in range(frames)]
    if motion == "shrinks":
        sides.reverse()
    return f"{phrase(actor)} {motion}", [(_object(actor, 0, side, center),) for side in sides]  # type: ignore[arg-type]


def _passes(
    motion: Motion, actor: Group, other: Group, frames: int, rng: np.random.Generator
) -> tuple[str, list[Objects]]:
    """Through the middle of the other one, at one of its two sides in depth."""
    way = _way(rng)
    side, line = int(rng.integers(22, 31)), int(rng.integers(44, 53))
    still = _object(other, 1, int(rng.integers(42, 51)), _point(way, int(rng.integers(45, 52)), line))
    moving = [_object(actor, 0, side, _point(way, along, line)) for along in _path(way, side, frames)]
    behind = motion == "passes behind"
    return f"{phrase(actor)} {motion} {phrase(other)} {way}", [
        (thing, still) if behind else (still, thing) for thing in moving
    ]


_ACTIONS: dict[Motion, Action] = {
    "moves": _moves, "grows": _changes, "shrinks": _changes, "passes behind": _passes, "passes in front of": _passes,
}  # fmt: skip


def _way(rng: np.random.Generator) -> str:
    return list(_WAYS)[int(rng.integers(len(_WAYS)))]


def _path(way: str, side: int, frames: int) -> list[int]:
    """Centres along a way, from one edge of the picture to the other."""
    start, end = side // 2 + 1, SIZE - 1 - side + side // 2
    places = [start + (end - start) * frame // (frames - 1) for frame in range(frames)]
    return places if sum(_WAYS[way]) > 0 else places[::-1]


def _point(way: str, along: int, line: int) -> tuple[int, int]:
    return (along, line) if _WAYS[way][0] else (line, along)


def _object(group: Group, place: int, side: int, center: tuple[int, int]) -> Placed:
    x, y = (part - side // 2 for part in center)
    return Placed(kind=group.kind, color=group.color, size=size_of(side), x=x, y=y, side=side, group=place)
