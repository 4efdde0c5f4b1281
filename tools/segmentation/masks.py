"""Masks as arrays of truth values (height, width) and as PNG in the blob store; how far two of them agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...runtime.records import BlobRef

if TYPE_CHECKING:
    from ...runtime.store import BlobStore, MemoryBlobs

__all__ = ["Box", "Mask", "box_iou", "box_of", "get_mask", "mask_iou", "put_mask"]

Mask: TypeAlias = NDArray[np.bool_]
Box: TypeAlias = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels from the top left; x1 and y1 lie behind the last pixel."""


def put_mask(mask: Mask, blobs: BlobStore | MemoryBlobs) -> BlobRef:
    """Keep a mask as a black and white PNG."""
    return blobs.put_image(Image.fromarray(np.ascontiguousarray(mask)))


def get_mask(ref: BlobRef | str, blobs: BlobStore) -> Mask:
    """The mask behind an address; `PrerequisiteError` where it is gone or altered."""
    return np.asarray(blobs.get_image(ref).convert("L")) > 127


def mask_iou(one: Mask, other: Mask) -> float:
    """Intersection over union of two masks of one size; two that are empty agree (1)."""
    union = int(np.logical_or(one, other).sum())
    return float(np.logical_and(one, other).sum() / union) if union else 1.0


def box_iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes; 0 where neither has an area."""
    wide = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    high = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    both = wide * high
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both
    return both / union if union > 0 else 0.0


def box_of(mask: Mask) -> Box:
    """The box around a mask; (0, 0, 0, 0) for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return (0.0, 0.0, 0.0, 0.0)
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
