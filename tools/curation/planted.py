"""Copies and look-alikes planted into pictures of one's own, to see what finds copies there, and at which threshold.

A copy is made of a picture as copies come about: cropped, saved as a small JPEG, recoloured, mirrored. A look-alike is a picture of its own that
is nearly the same: a part of it is replaced by what another picture has there, or its halves change places. The threshold that parts them best
is found without anything being known of the copies that the pictures hold by themselves.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from ...runtime.errors import BadInput
from ...runtime.records import Record

__all__ = ["CHANGES", "COPIES", "Change", "CurvePoint", "Planted", "plant", "proposed", "recall_curve", "wilson"]

Change: TypeAlias = Literal["crop", "recompress", "recolor", "mirror", "replaced", "swapped"]
CHANGES: tuple[Change, ...] = get_args(Change)
COPIES: tuple[Change, ...] = CHANGES[:4]
"""The changes that leave a copy; the others leave a look-alike."""


class Planted(NamedTuple):
    """One planted picture: which one it was made of, by its place, and how."""

    source: int
    change: Change
    score: float

    @property
    def is_copy(self) -> bool:
        """Whether it is a copy of its source, and no look-alike."""
        return self.change in COPIES


class CurvePoint(Record):
    """What a threshold does: the shares of planted copies and of look-alikes above it, with 95 % intervals (Wilson 1927)."""

    threshold: float
    recall: float
    recall_ci: tuple[float, float]
    false: float
    false_ci: tuple[float, float]


def plant(picture: Any, other: Any, change: Change, rng: np.random.Generator, *, part: float = 0.2) -> Any:
    """A changed PIL picture; `other`: where a replaced part comes from, and `part`: the side of that part, of 1."""
    from PIL import Image, ImageOps

    rgb = picture.convert("RGB")
    width, height = rgb.size
    match change:
        case "crop":
            share = float(rng.uniform(0.8, 0.95))
            wide, high = max(1, round(width * share)), max(1, round(height * share))
            left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
            return rgb.crop((left, top, left + wide, top + high)).resize((width, height), Image.Resampling.BICUBIC)
        case "recompress":
            small = rgb.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BILINEAR) if min(width, height) >= 256 else rgb  # fmt: skip
            buffer = io.BytesIO()
            small.save(buffer, format="JPEG", quality=int(rng.integers(25, 71)))
            return Image.open(buffer).convert("RGB")
        case "recolor":
            gains = rng.permutation([0.75, 1.0, 1.2]) + rng.uniform(-0.08, 0.08, size=3)
            pixels = np.asarray(rgb, dtype=np.float32) * gains.astype(np.float32)
            return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))
        case "mirror":
            return ImageOps.mirror(rgb)
        case "replaced":
            wide, high = max(1, round(width * part)), max(1, round(height * part))
            left, top = _most_detailed(rgb, wide, high, part)
            patch = other.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
            result = rgb.copy()
            result.paste(patch.crop((left, top, left + wide, top + high)), (left, top))
            return result
        case "swapped":
            half, result = width // 2, Image.new("RGB", rgb.size)
            result.paste(rgb.crop((half, 0, width, height)), (0, 0))
            result.paste(rgb.crop((0, 0, half, height)), (width - half, 0))
            return result


def _most_detailed(picture: Any, wide: int, high: int, part: float) -> tuple[int, int]:
    """Where a part of this size differs most from the picture's mean: what is replaced must be something."""
    pixels = np.asarray(picture.convert("L").resize((32, 32)), dtype=np.float64)
    detail = np.square(pixels - np.median(pixels))
    side = max(1, round(32 * part))
    windows = np.lib.stride_tricks.sliding_window_view(detail, (side, side)).sum(axis=(2, 3))
    row, column = np.unravel_index(int(windows.argmax()), windows.shape)
    width, height = picture.size
    return min(width - wide, int(column) * width // 32), min(height - high, int(row) * height // 32)


def recall_curve(planted: Sequence[Planted], thresholds: Sequence[float]) -> list[CurvePoint]:
    """Recall of copies and share of look-alikes taken for copies, by threshold.

    Raises:
        BadInput: no copy or no look-alike was planted.
    """
    copies = np.array([each.score for each in planted if each.is_copy])
    alike = np.array([each.score for each in planted if not each.is_copy])
    if not len(copies) or not len(alike):
        raise BadInput("there must be planted copies and look-alikes: give more pictures.")
    points = []
    for threshold in thresholds:
        hit, false = int((copies > threshold).sum()), int((alike > threshold).sum())
        points.append(
            CurvePoint(
                threshold=round(float(threshold), 4),
                recall=hit / len(copies),
                recall_ci=wilson(hit, len(copies)),
                false=false / len(alike),
                false_ci=wilson(false, len(alike)),
            )
        )
    return points


def proposed(curve: Sequence[CurvePoint]) -> CurvePoint:
    """The point with the most recall over false removals (Youden 1950); of equal ones the middle one, as far from both as can be."""
    best = max(round(point.recall - point.false, 9) for point in curve)
    equal = [point for point in curve if round(point.recall - point.false, 9) == best]
    return equal[len(equal) // 2]


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, z = hits / of, 1.959964
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
