"""An exact reader of the drawn world, from its own sprites and geometry: the judge that no bundled model can fool.

It finds what stands out from the background, cuts it into connected pieces and compares each piece, in its box, with every
sprite of the world in every colour. A piece that resembles none of them is read as nothing (`kind` None).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .questions import holds
from .vocabulary import COLORS, SHAPES, THINGS
from .world import BACKGROUND_RGB, SIZE, Placed, Spec, sprite

__all__ = ["Seen", "Verdict", "check", "read"]

SIDE = 16
STANDS_OUT = 26.0  # RGB distance from the background that counts as drawn
RESEMBLES = 64.0  # RMS distance to the nearest sprite above which a piece is unreadable
SMALLEST = 24  # pixels; less is a speck
LARGEST = 32  # side in pixels; more is no object of the world


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The objects of a picture, unreadable pieces (kind "") left in, and its background."""

    objects: tuple[Placed, ...]
    background: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What holds of a picture of a spec; None where the spec does not ask for it."""

    present: tuple[bool, ...]
    bound: tuple[bool, ...]
    relation: bool | None
    count: bool | None
    background: bool | None


def read(image: Image.Image) -> Seen:
    """Read a 64x64 picture of the flat domain."""
    pixels = np.asarray(image.convert("RGB").resize((SIZE, SIZE))).astype(np.float32)
    edge = np.concatenate(
        [
            pixels[:2].reshape(-1, 3),
            pixels[-2:].reshape(-1, 3),
            pixels[:, :2].reshape(-1, 3),
            pixels[:, -2:].reshape(-1, 3),
        ]
    )
    ground = np.median(edge, axis=0)
    background = min(BACKGROUND_RGB, key=lambda name: float(np.abs(np.array(BACKGROUND_RGB[name]) - ground).sum()))
    out = np.sqrt(((pixels - ground) ** 2).sum(-1)) > STANDS_OUT
    objects = []
    for piece in _pieces(out):
        rows, columns = np.nonzero(piece)
        top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        kind, color = _nearest(_patch(pixels, piece, ground, int(top), int(bottom), int(left), int(right)), ground)
        side = int(max(bottom - top, right - left))
        if side > LARGEST:
            kind, color = "", None
        size = "large" if side > 18 else "small"
        objects.append(
            Placed(
                kind=kind,
                color=color,
                size=size,
                x=int((left + right - side) // 2),
                y=int((top + bottom - side) // 2),
                side=side,
                group=0,
            )
        )
    return Seen(objects=tuple(objects), background=background)


def check(image: Image.Image, spec: Spec) -> Verdict:
    """Whether a picture shows what a spec asks for."""
    seen = read(image)

    def of(kind: str, color: str | None, *, loose: bool = False) -> list[Placed]:
        return [o for o in seen.objects if o.kind == kind and (loose or color is None or o.color == color)]

    present = tuple(bool(of(g.kind, g.color, loose=True)) for g in spec.groups)
    bound = tuple(bool(of(g.kind, g.color)) for g in spec.groups if g.color)
    relation = None
    if spec.relation:
        ones, others = (of(g.kind, g.color) for g in spec.groups)
        relation = any(holds(spec.relation, one, other) for one in ones for other in others if one is not other)
    count = None
    if len(spec.groups) == 1:
        group = spec.groups[0]
        count = len(of(group.kind, group.color)) == group.count and len(seen.objects) == group.count
    return Verdict(
        present=present,
        bound=bound,
        relation=relation,
        count=count if spec.groups[0].count > 1 else None,
        background=seen.background == spec.background if spec.background else None,
    )


def _pieces(out: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Connected pieces of a mask (pixels up to two apart belong together), without specks."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(out), strict=True)}
    found = []
    while left:
        stack = [left.pop()]
        piece = np.zeros_like(out)
        while stack:
            y, x = stack.pop()
            piece[y, x] = True
            for near in [(y + dy, x + dx) for dy in range(-2, 3) for dx in range(-2, 3)]:
                if near in left:
                    left.remove(near)
                    stack.append(near)
        if piece.sum() >= SMALLEST:
            found.append(piece)
    return found


def _patch(
    pixels: NDArray[np.float32],
    piece: NDArray[np.bool_],
    ground: NDArray[np.float32],
    top: int,
    bottom: int,
    left: int,
    right: int,
) -> NDArray[np.float32]:
    """The piece on its ground, centred in a square and scaled to `SIDE`."""
    side = max(bottom - top, right - left)
    square = np.empty((side, side, 3), dtype=np.float32)
    square[:] = ground
    y, x = (side - (bottom - top)) // 2, (side - (right - left)) // 2
    near = piece[top:bottom, left:right, None]
    square[y : y + bottom - top, x : x + right - left] = np.where(near, pixels[top:bottom, left:right], ground)
    image = Image.fromarray(np.clip(square, 0, 255).astype(np.uint8))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)).astype(np.float32)


@functools.cache
def _templates() -> tuple[list[tuple[str, str | None]], NDArray[np.float32], NDArray[np.float32]]:
    """Names, (n, SIDE, SIDE, 3) colours and (n, SIDE, SIDE, 1) opacities of every sprite, each cut to its own box."""
    names: list[tuple[str, str | None]] = [(shape, color) for shape in SHAPES for color in COLORS] + [
        (thing, None) for thing in THINGS
    ]
    colors, opacities = [], []
    for kind, color in names:
        picture = sprite(kind, color, 24)
        rows, columns = np.nonzero(picture[..., 3] > 60)
        cut = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        side = max(cut.shape[:2])
        square = np.zeros((side, side, 4), dtype=np.uint8)
        y, x = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2
        square[y : y + cut.shape[0], x : x + cut.shape[1]] = cut
        small = np.asarray(Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BILINEAR)).astype(np.float32)
        colors.append(small[..., :3])
        opacities.append(small[..., 3:] / 255)
    return names, np.stack(colors), np.stack(opacities)


def _nearest(patch: NDArray[np.float32], ground: NDArray[np.float32]) -> tuple[str, str | None]:
    names, colors, opacities = _templates()
    error = np.sqrt((((colors * opacities + ground * (1 - opacities)) - patch) ** 2).mean((1, 2, 3)))
    best = int(error.argmin())
    return names[best] if error[best] < RESEMBLES else ("", None)
