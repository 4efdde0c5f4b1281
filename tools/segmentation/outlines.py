"""Masks as polygons and back.

An outline runs along the edges of pixels, so that filling it gives the very mask; OpenCV's runs through the middle of the pixels and loses half
of one all around. Corners are (x, y) in pixels from the top left corner of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from .masks import Mask

__all__ = ["Polygon", "filled", "outlines", "simplified"]

Polygon: TypeAlias = list[tuple[float, float]]


def outlines(mask: Mask) -> list[Polygon]:
    """The outlines of a mask, the longest first: one of each part and one of each hole, as corners without those on a straight line.

    Parts that touch at a corner alone are parts of their own.
    """
    padded = np.pad(np.asarray(mask, dtype=bool), 1)
    # each edge between a pixel inside and one outside, walked with the inside on its right hand
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(pixels: Mask, start: tuple[int, int], end: tuple[int, int]) -> None:
        for y, x in np.argwhere(pixels).tolist():
            edges.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))

    inside = padded[1:-1, 1:-1]
    add(inside & ~padded[:-2, 1:-1], (0, 0), (1, 0))
    add(inside & ~padded[1:-1, 2:], (1, 0), (1, 1))
    add(inside & ~padded[2:, 1:-1], (1, 1), (0, 1))
    add(inside & ~padded[1:-1, :-2], (0, 1), (0, 0))
    found = []
    while edges:
        start = next(iter(edges))
        path, at, came = [start], start, (0, 0)
        while True:
            nexts = edges[at]
            # where two parts touch, the sharper turn to the right stays with the same part
            step = max(nexts, key=lambda to: _turn(came, (to[0] - at[0], to[1] - at[1])))
            nexts.remove(step)
            if not nexts:
                del edges[at]
            came, at = (step[0] - at[0], step[1] - at[1]), step
            if at == start:
                break
            path.append(at)
        found.append(_corners(path))
    return sorted(found, key=lambda polygon: -_length(polygon))


def _turn(came: tuple[int, int], goes: tuple[int, int]) -> int:
    return came[0] * goes[1] - came[1] * goes[0]


def _corners(path: list[tuple[int, int]]) -> Polygon:
    points = np.array(path, dtype=np.int64)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return [(float(x), float(y)) for x, y in points[(before != after).any(axis=1)].tolist()]


def _length(polygon: Polygon) -> float:
    points = np.array(polygon)
    return float(np.abs(np.roll(points, -1, axis=0) - points).sum())


def simplified(polygon: Polygon, tolerance: float) -> Polygon:
    """The polygon without corners that lie nearer than `tolerance` pixels to the line that is left (Douglas and Peucker 1973)."""
    points = np.array([*polygon, polygon[0]], dtype=np.float64)
    far = int(np.argmax(((points - points[0]) ** 2).sum(axis=1)))
    keep = {0, far, len(points) - 1}
    spans = [(0, far), (far, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        line = points[last] - points[first]
        away = points[first + 1 : last] - points[first]
        length = float(np.hypot(*line))
        distance = (
            np.abs(line[0] * away[:, 1] - line[1] * away[:, 0]) / length if length else np.hypot(away[:, 0], away[:, 1])
        )
        worst = int(distance.argmax())
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            keep.add(middle)
            spans += [(first, middle), (middle, last)]
    return [polygon[place] for place in sorted(keep - {len(points) - 1})]


def filled(polygons: Sequence[Sequence[tuple[float, float]]], height: int, width: int) -> Mask:
    """The mask of the pixels whose middle lies in one of the polygons; within each, what is enclosed twice is outside (even-odd)."""
    mask = np.zeros((height, width), dtype=bool)
    middles = np.arange(height) + 0.5
    for polygon in polygons:
        if len(polygon) < 3:
            continue
        turns = np.zeros((height, width + 1), dtype=np.int64)
        for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            if y0 == y1:
                continue
            rows = np.flatnonzero((middles >= min(y0, y1)) & (middles < max(y0, y1)))
            xs = x0 + (middles[rows] - y0) * (x1 - x0) / (y1 - y0)
            np.add.at(turns, (rows, np.clip(np.ceil(xs - 0.5), 0, width).astype(np.int64)), 1)
        mask |= turns.cumsum(axis=1)[:, :width] % 2 == 1
    return mask
