"""Textures: what fills an outline. Patterns in the tones of a colour, and the surfaces of things, for pictures whose cues disagree.

A pattern is known by its geometry, whatever its colour. A surface is a piece of a thing, mirrored from tile to tile, so that it has
the thing's colours and marks and none of its outline: a cat's outline filled with it is a cat by shape and a strawberry by texture
(cue conflict: Geirhos et al. 2019, https://arxiv.org/abs/1811.12231). All is drawn with integers, the same on every processor.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .sprites import FINER, RGB, Pixels, outlined, own_picture, silhouette

__all__ = ["SURFACES", "TEXTURES", "textured"]

Mask: TypeAlias = NDArray[np.bool_]
Grid: TypeAlias = NDArray[np.int64]

# pattern -> the adjective of what has it
TEXTURES: dict[str, str] = {
    "stripes": "striped", "dots": "dotted", "checks": "checked", "waves": "wavy", "bricks": "bricked", "grain": "grainy",
}  # fmt: skip

# things whose surfaces can be told apart, and where a piece is that shows it (left, top, width, height in hundredths of the thing's
# picture): no eyes, which are a face by themselves
SURFACES: dict[str, tuple[int, int, int, int]] = {
    "cow": (24, 20, 46, 18), "lion": (12, 30, 23, 44), "panda": (4, 8, 36, 34), "fish": (36, 35, 38, 28), "banana": (40, 48, 24, 36),
    "carrot": (30, 46, 24, 22), "strawberry": (28, 40, 52, 40), "pizza": (38, 28, 34, 34), "cake": (18, 44, 64, 46),
    "mushroom": (10, 18, 80, 46), "tree": (18, 8, 62, 50), "sunflower": (28, 14, 46, 46), "cactus": (42, 14, 16, 70),
    "house": (16, 36, 68, 48), "bus": (10, 40, 78, 30), "gift": (16, 34, 68, 46),
}  # fmt: skip


@functools.lru_cache(maxsize=4096)  # there are many: each fill in each colour at each side
def textured(kind: str, texture: str, color: str | None, side: int) -> Pixels:
    """(side, side, 4) RGBA: the outline of `kind` filled with a pattern in `color` (black if None) or with the surface of a thing.

    Raises:
        KeyError: `texture` is neither a pattern of `TEXTURES` nor a thing of `SURFACES`.
    """
    inner = (side - 2) * FINER
    figure = _surface(texture, inner) if texture in SURFACES else _pattern(texture, color or "black", inner)
    figure.putalpha(silhouette(kind, inner))
    return outlined(figure)


def _pattern(texture: str, color: str, side: int) -> Image.Image:
    """A (side, side) RGB ground of `color` with its marks in the tone that stands out from it."""
    rows, columns = np.indices((side, side))
    marks = _MARKS[texture](
        rows, columns, 4 * FINER + side // 9
    )  # 6 pixels from mark to mark in a small figure, 8 in a large one
    tones = np.array([RGB[color], _other_tone(color)], dtype=np.uint8)
    return Image.fromarray(tones[marks.astype(np.intp)])


def _other_tone(color: str) -> list[int]:
    """A darker tone of a light colour, a lighter one of a dark colour."""
    red, green, blue = RGB[color]
    if 3 * red + 6 * green + blue > 1100:
        return [part * 45 // 100 for part in (red, green, blue)]
    return [part + (255 - part) * 75 // 100 for part in (red, green, blue)]


def _stripes(rows: Grid, columns: Grid, period: int) -> Mask:
    return (rows + columns) % (period * 7 // 5) < period * 7 // 10


def _dots(rows: Grid, columns: Grid, period: int) -> Mask:
    line = rows // period
    down, across = rows % period - period // 2, (columns + line % 2 * (period // 2)) % period - period // 2
    return np.asarray(down**2 + across**2 < (period * 3 // 10) ** 2)


def _checks(rows: Grid, columns: Grid, period: int) -> Mask:
    return np.asarray((rows * 2 // period + columns * 2 // period) % 2 == 0)


def _waves(rows: Grid, columns: Grid, period: int) -> Mask:
    along = columns % period
    height = 2 * along * (period - along) // period  # a parabola for each half of a wave
    return (rows + np.where(columns // period % 2 == 0, height, -height)) % period < period // 2


def _bricks(rows: Grid, columns: Grid, period: int) -> Mask:
    course, joint = period * 3 // 4, FINER
    shifted = columns + rows // course % 2 * period * 3 // 4
    return (rows % course < joint) | (shifted % (period * 3 // 2) < joint)


def _grain(rows: Grid, columns: Grid, period: int) -> Mask:
    cell = period // 4
    specks = np.random.default_rng(17).random((64, 64)) < 0.4
    return np.asarray(specks[rows // cell % 64, columns // cell % 64])


_MARKS: dict[str, Callable[[Grid, Grid, int], Mask]] = {
    "stripes": _stripes, "dots": _dots, "checks": _checks, "waves": _waves, "bricks": _bricks, "grain": _grain,
}  # fmt: skip


def _surface(thing: str, side: int) -> Image.Image:
    """(side, side) RGB: a piece of the thing, mirrored from tile to tile."""
    whole = own_picture(thing, side)
    left, top, width, height = (part * side // 100 for part in SURFACES[thing])
    piece = whole.crop((left, top, left + width, top + height))
    ground = Image.new("RGBA", piece.size, "white")
    ground.alpha_composite(piece)
    tile = np.asarray(ground.convert("RGB"))
    tile = np.concatenate([tile, tile[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)
    rows, columns = np.arange(side) % tile.shape[0], np.arange(side) % tile.shape[1]
    return Image.fromarray(tile[rows[:, None], columns])
