"""Whether two pictures show the same pixels: cropped, mirrored, recompressed or recoloured, but the same.

One is laid over the other at every place, at sizes down to 70 %, mirrored or not, and compared by normalised cross-correlation channel by channel,
which a change of brightness or of colours leaves as it is; first coarsely, then finely around the best place. What an encoder
cannot tell from a copy, the same scene with another thing in it, differs in one part: the worst part counts as well.

Where most of the overlap is plain, a crop is not told from the same small thing elsewhere: there, whole pictures alone are laid over each other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["DETAILED", "Alignment", "Thumbnails", "align", "detail"]

_COARSE, _FINE = 16, 48
_SIZES = (1.0, 0.92, 0.84, 0.76, 0.7)
_PARTS = 6
_HOPELESS = 0.75  # a coarse correlation below that of all copies; nearly all pairs end here
_FLAT = 1e-4  # variance of a channel, of 1: noise of a plain picture
_CROPPED = 0.97  # a smaller part of the side than that is a crop

DETAILED = 0.4
"""The share of parts that must not be plain for a crop to be told; of drawn scenes, clip art and photographs nearly all have more, of one drawn thing less."""

Pixels = NDArray[np.float32]


class Thumbnails:
    """A picture as a square of 48 pixels, and as one of 16, in 8 bits a channel: 8 kB, so that those of a whole folder can be held."""

    def __init__(self, picture: Any) -> None:
        from PIL import Image

        rgb = picture.convert("RGB")
        self._squares = [np.asarray(rgb.resize((side, side), Image.Resampling.BILINEAR)) for side in (_COARSE, _FINE)]

    @property
    def coarse(self) -> Pixels:
        """(16, 16, 3) of 0 to 1."""
        return _float(self._squares[0])

    @property
    def fine(self) -> Pixels:
        """(48, 48, 3) of 0 to 1."""
        return _float(self._squares[1])


class _Overlays(NamedTuple):
    """By size, what a comparison of squares of 16 pixels needs beside the pixels themselves, so that 25 kB a picture are held.

    `norms` (3, places): one over the deviation of each channel at every place of that size. `parts` (3, pixels, 2): the whole square that small, as it
    is and mirrored, with channels of mean 0, divided so that its product with a place, times the norm, is a third of their correlation.
    `level` (3,): what a flat channel adds, see `_unit`.
    """

    norms: list[Pixels]
    parts: list[Pixels]
    level: list[Pixels]


@lru_cache(maxsize=8192)
def _overlays(thumbnails: Thumbnails) -> _Overlays:
    coarse, found = thumbnails.coarse, _Overlays([], [], [])
    for scale in _SIZES:
        side = round(_COARSE * scale)
        found.norms.append(_float_of(1 / np.sqrt(_places(coarse, side).var(axis=2) + _FLAT)))
        small = _resized(coarse, side)
        both = np.stack([small, small[:, ::-1]]).transpose(3, 1, 2, 0).reshape(3, side * side, 2)
        deviation = np.sqrt(both.var(axis=1, keepdims=True) + _FLAT)
        centred = both - both.mean(axis=1, keepdims=True)
        found.parts.append(_float_of(centred / deviation / (3 * side * side)))
        found.level.append(_float_of(_FLAT / (3 * deviation[:, 0, 0])))
    return found


def _places(coarse: Pixels, side: int) -> Pixels:
    """(3, places, pixels): the squares of that side at every place."""
    windows = np.lib.stride_tricks.sliding_window_view(coarse, (side, side), axis=(0, 1))
    return windows.transpose(2, 0, 1, 3, 4).reshape(3, -1, side * side)


def _correlations(whole: Pixels, norms: Pixels, part: Pixels, level: Pixels) -> Pixels:
    """(places, 2): the mean over the channels of the correlations of a part, as it is and mirrored, with the places (3, places, pixels) of a whole."""
    return np.asarray(((whole @ part + level[:, None, None]) * norms[:, :, None]).sum(axis=0))


class Alignment(NamedTuple):
    """`score`: from 0 to 1, 1 for the same pixels. `scale`: the side of the smaller part in that of the whole, 1 where nothing is cropped."""

    score: float
    scale: float
    mirrored: bool


def align(one: Thumbnails, other: Thumbnails) -> Alignment:
    """How well two pictures can be laid over each other; symmetric but for ties."""
    best: tuple[float, int, bool, bool, int] = (-2.0, 0, False, False, 0)
    ones, others = _overlays(one), _overlays(other)
    squares = one.coarse, other.coarse
    for number, scale in enumerate(_SIZES):
        side = round(_COARSE * scale)
        tried = [
            _correlations(_places(squares[0], side), ones.norms[number], others.parts[number], others.level[number])
        ]
        if number:
            tried.append(_correlations(_places(squares[1], side), others.norms[number], ones.parts[number], ones.level[number]))  # fmt: skip
        for mirrored in (False, True):
            # the part is mirrored in the place of the whole: what matters is where the one lies in the other
            for swapped, correlations in enumerate(tried):
                found = correlations[:, int(mirrored)]
                place = int(found.argmax())
                if found[place] > best[0]:
                    best = (float(found[place]), number, mirrored, bool(swapped), place)
    first, number, mirrored, swapped, place = best
    if first < _HOPELESS:
        return Alignment(0.0, _SIZES[number], mirrored)
    # where neither is much smaller, either may be the crop
    finer = [
        _finer(one, other, number, mirrored, each, place) for each in ((False, True) if not number else (swapped,))
    ]
    finest, parts = max(finer, key=lambda each: each[0].score)
    if finest.scale >= _CROPPED or parts >= DETAILED:
        return finest
    return max((_whole(one, other, each) for each in (False, True)), key=lambda each: each.score)


def detail(pixels: Pixels) -> float:
    """The share of parts that are not plain, of a square (side, side, 3) such as `Thumbnails.fine`."""
    step = len(pixels) // _PARTS
    parts = pixels[: step * _PARTS, : step * _PARTS].reshape(_PARTS, step, _PARTS, step, 3)
    return float((parts.var(axis=(1, 3)).mean(axis=2) > _FLAT).mean())


def _whole(one: Thumbnails, other: Thumbnails, mirrored: bool) -> Alignment:
    """The whole pictures laid over each other."""
    inner = other.fine[:, ::-1] if mirrored else other.fine
    score, _, _ = _best_place(one.fine, inner, 0, 0, 0)
    return Alignment(_scored(score, one.fine, inner), 1.0, mirrored)


def _scored(correlation: float, one: Pixels, other: Pixels) -> float:
    return round(float(max(0.0, min(correlation, 1.0) * _worst_part(one, other))), 4)


def _finer(
    one: Thumbnails, other: Thumbnails, number: int, mirrored: bool, swapped: bool, place: int
) -> tuple[Alignment, float]:
    """The best alignment around a coarse one, and the share of its overlap that is not plain.

    At `place` of those of the size `number`, with `one` inside of `other` where `swapped`.
    """
    around, inner = (other.fine, one.fine) if swapped else (one.fine, other.fine)
    if mirrored:
        inner = inner[:, ::-1]
    coarse = round(_COARSE * _SIZES[number])
    y, x = divmod(place, _COARSE - coarse + 1)
    centre = (np.array([y, x]) + coarse / 2) * _FINE / _COARSE
    middle = round(_FINE * _SIZES[number])
    tried: dict[int, tuple[float, int, int, Pixels]] = {}

    def attempt(side: int) -> None:
        if side not in tried and _FINE // 2 <= side <= _FINE:
            top, left = (round(float(each) - side / 2) for each in centre)
            small = _resized(inner, side)
            tried[side] = (*_best_place(around, small, top, left, 2), small)

    for step in (0, -2, 2):
        attempt(middle + step)
    for _ in range(3):  # to the next sides of the best one, as long as that helps
        side = max(tried, key=lambda each: tried[each][0])
        attempt(side - 1)
        attempt(side + 1)
    side = max(tried, key=lambda each: tried[each][0])
    score, y, x, small = tried[side]
    overlap = around[y : y + side, x : x + side]
    return Alignment(_scored(score, overlap, small), side / _FINE, mirrored), detail(overlap)


def _unit(rows: Pixels) -> Pixels:
    """(n, 3, pixels) as rows whose dot product is the mean over the channels of their correlations.

    A channel that is flat in both says nothing against them: a constant joins it, so that noise is not compared with noise.
    """
    flat = (rows - rows.mean(axis=2, keepdims=True)) / np.sqrt(rows.shape[2])
    flat = np.concatenate([flat, np.full((*flat.shape[:2], 1), np.sqrt(_FLAT), dtype=np.float32)], axis=2)
    flat = flat / np.linalg.norm(flat, axis=2, keepdims=True) / np.sqrt(3)
    return np.asarray(flat.reshape(len(rows), -1), dtype=np.float32)


def _resized(pixels: Pixels, side: int) -> Pixels:
    from PIL import Image

    if side == len(pixels):
        return pixels
    small = Image.fromarray((pixels * 255).round().astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
    return _float(np.asarray(small))


def _float(pixels: NDArray[np.uint8]) -> Pixels:
    return _float_of(pixels.astype(np.float32) / 255)


def _float_of(values: Any) -> Pixels:
    return np.asarray(values, dtype=np.float32)


def _best_place(whole: Pixels, part: Pixels, top: int, left: int, reach: int) -> tuple[float, int, int]:
    """The best correlation of `part` with `whole`, and where: at most `reach` pixels from (top, left), all in pixels of `whole`."""
    side, room = len(part), len(whole) - len(part)
    low_y, high_y = max(0, min(room, top - reach)), max(0, min(room, top + reach))
    low_x, high_x = max(0, min(room, left - reach)), max(0, min(room, left + reach))
    area = whole[low_y : high_y + side, low_x : high_x + side]
    windows = np.lib.stride_tricks.sliding_window_view(area, (side, side), axis=(0, 1))
    across = windows.shape[1]
    found = _unit(windows.reshape(-1, 3, side * side)) @ _unit(part.transpose(2, 0, 1).reshape(1, 3, -1))[0]
    best = int(found.argmax())
    return float(found[best]), low_y + best // across, low_x + best % across


def _worst_part(one: Pixels, other: Pixels) -> float:
    """From 0 to 1: 1 where the part with the largest difference differs no more than the picture as a whole varies by a tenth."""
    residual = np.zeros(one.shape[:2], dtype=np.float32)
    total = 0.0
    for channel in range(3):
        mine, theirs = one[..., channel] - one[..., channel].mean(), other[..., channel] - other[..., channel].mean()
        gain = float((mine * theirs).mean() + _FLAT) / float(np.square(theirs).mean() + _FLAT)
        residual += np.square(mine - gain * theirs)
        total += float(np.square(mine).mean())
    step = len(residual) // _PARTS
    parts = residual[: step * _PARTS, : step * _PARTS].reshape(_PARTS, step, _PARTS, step).mean(axis=(1, 3))
    return float(np.exp(-parts.max() / (total + 3 * _FLAT) / 2))
