"""Domains: the manners in which one and the same scene is drawn.

`flat` is the drawing itself; `sketch` and `noisy` belong to how sprites and paper are drawn (`drawing.py`). The others are functions
over the finished flat drawing and a map of which object is seen where, so that a domain changes looks alone: never a place, a mask or
a box. They count in integers, the same on every processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["DOMAINS", "STYLES", "TRAINED_DOMAINS", "Domain", "outlines"]

Domain: TypeAlias = Literal["flat", "sketch", "noisy", "painted", "night", "blueprint"]
DOMAINS: tuple[Domain, ...] = ("flat", "sketch", "noisy", "painted", "night", "blueprint")
TRAINED_DOMAINS = DOMAINS[:3]  # those in the training streams of the bundled models

Pixels: TypeAlias = NDArray[np.uint8]
Map: TypeAlias = NDArray[np.uint8]
Numbers: TypeAlias = NDArray[np.int64]

_FINER = 4  # the canvas of a painting is so many times as fine
_DIRECTIONS = ((4, 0), (4, 2), (3, 3), (2, 4), (0, 4), (-2, 4), (-3, 3), (-4, 2))  # of strokes, all about as long
_INK, _PAPER, _GRID = (228, 238, 250), (26, 62, 130), (48, 86, 156)


def painted(flat: Pixels, shown: Map, seed: int) -> Pixels:
    """Brush strokes, broad ones for the ground and ever finer ones for the objects, each in the colour that it hides."""
    rng = np.random.default_rng([seed, 79])
    height, width = shown.shape
    canvas = Image.fromarray(flat).resize((width * _FINER, height * _FINER), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(canvas)
    turn = int(rng.integers(len(_DIRECTIONS)))
    for of_objects, step, length, thick in ((False, 5, 5, 4), (False, 3, 3, 2), (True, 2, 2, 1), (True, 2, 1, 1)):
        centers = np.argwhere(np.ones((height, width), dtype=bool)[::step, ::step]) * step
        centers = rng.permutation(centers) + rng.integers(-1, 2, centers.shape)
        rows, columns = centers.clip(0, (height - 1, width - 1)).T
        ranks = shown[rows, columns].astype(np.int64)
        turns = turn + (columns + 2 * rows) // 24 + 3 * ranks + rng.integers(-1, 2, len(ranks))
        tones = rng.integers(-14, 15, (len(ranks), 1))
        colors = (flat[rows, columns].astype(np.int64) + tones).clip(0, 255)
        for at in np.flatnonzero((ranks > 0) == of_objects):
            across, down = (part * length // 2 for part in _DIRECTIONS[int(turns[at]) % len(_DIRECTIONS)])
            x, y = int(columns[at]) * _FINER, int(rows[at]) * _FINER
            ends = (x - across, y - down, x + across, y + down)
            pen.line(ends, fill=tuple(colors[at].tolist()), width=thick * _FINER)
    return np.asarray(canvas.resize((width, height), Image.Resampling.BOX))


def night(flat: Pixels, shown: Map, seed: int) -> Pixels:
    """Blue darkness with stars, objects dim, and the light of a moon on their upper left rims."""
    rng = np.random.default_rng([seed, 80])
    there = shown > 0
    dim = flat.astype(np.int64)
    down = np.arange(len(shown))[:, None, None]
    sky = dim * np.array([30, 36, 62]) // 255 + np.array([6, 8, 26]) + down * np.array([1, 2, 4]) // 12
    lit: Numbers = dim * np.array([118, 124, 168]) // 255 + np.array([10, 12, 34])
    out: Numbers = np.where(there[..., None], lit, sky)
    rim = there & (np.pad(shown, ((1, 0), (1, 0)))[:-1, :-1] < shown)
    out[rim] = out[rim] * 2 // 5 + np.array([104, 112, 138])
    near = _grown(there, 2)
    for y, x, light in zip(*rng.integers(0, len(shown), (2, 16)), rng.integers(90, 200, 16), strict=True):
        if not near[y, x]:
            out[y, x] = (light, light, light + 30)
    return np.clip(out, 0, 255).astype(np.uint8)


def blueprint(flat: Pixels, shown: Map, seed: int) -> Pixels:
    """White lines on blue squared paper: outlines, and the edges within; colours are gone."""
    light = flat.astype(np.int64) @ np.array([3, 6, 1]) // 10
    side = np.arange(len(shown))
    squares = (side % 12 == 4)[:, None] | (side % 12 == 4)
    out: Numbers = np.where(squares[..., None], np.array(_GRID), np.array(_PAPER))
    outline = outlines(shown)
    inner = (shown > 0) & ~outline
    edge = np.zeros_like(light)
    for axis in (0, 1):
        difference = np.abs(np.diff(light, axis=axis))
        edge = np.maximum(edge, np.insert(difference, 0, 0, axis=axis))
    ink = np.where(inner, 26 + np.minimum(edge * 3, 200) * (edge > 14), 0)
    ink[outline] = 255
    ink = ink[..., None]
    return np.asarray((out * (255 - ink) + np.array(_INK) * ink) // 255, dtype=np.uint8)


def outlines(shown: Map) -> NDArray[np.bool_]:
    """(96, 96): the pixels of objects at which what is seen beside them lies farther away, given which object is seen where."""
    padded = np.pad(shown, 1)
    beside = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.asarray((shown > 0) & np.logical_or.reduce([other < shown for other in beside]))


def _grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    height, width = mask.shape
    padded = np.pad(mask, by)
    shifts = range(2 * by + 1)
    return np.asarray(np.logical_or.reduce([padded[y : y + height, x : x + width] for y in shifts for x in shifts]))


# domain -> (96, 96, 3) of the flat drawing, (96, 96) of the objects that are seen (0: none, then from the farthest on), and the seed
STYLES: dict[Domain, Callable[[Pixels, Map, int], Pixels]] = {
    "painted": painted,
    "night": night,
    "blueprint": blueprint,
}
