"""Masks in drawn pictures without a model: what stands out from the plain ground within a box."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models import Weights
from ..vision import drawn_distance, is_drawn
from .mask_model import Box, Masked, MaskModel, stability_of
from .masks import box_iou, box_of

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DrawnSegmenter"]


class DrawnSegmenter(MaskModel):
    """Of the drawn world: what stands out from the plain ground within a box. It knows no other pictures.

    A picture of another kind gets the whole box as its mask, with an estimate of 0. The estimate of the fit is how well the mask's own box
    fits the one asked for.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        weights = Weights(
            spec="mini", model="mini-segmenter", revision="1", source="mini", commit=None, root=Path(), marker="",
            options={},
        )  # fmt: skip
        super().__init__(weights, store, settings)

    def _set_up(self) -> str:
        return "cpu"

    def _quiet(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _load(self, device: str) -> None:
        return None

    def _look(self, picture: Any, boxes: tuple[Box, ...]) -> list[Masked]:
        drawn = is_drawn(picture)
        logits = (drawn_distance(picture) - _STANDS_OUT) / _STEP if drawn else np.zeros(picture.size[::-1])
        found: list[Masked] = []
        for box in boxes:
            x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
            x1, y1 = math.ceil(box[2]), math.ceil(box[3])
            within = np.zeros(logits.shape, dtype=bool)
            within[y0:y1, x0:x1] = True
            if not drawn:
                found.append((within, 0.0, 0.0))
                continue
            numbers = np.where(within, logits, -np.inf)
            mask = numbers > 0
            found.append((mask, box_iou(box_of(mask), box), stability_of(numbers.astype(np.float32))))
        return found


_STANDS_OUT = 30.0
"""RGB distance from the ground from which on a pixel is taken for a thing's."""
_STEP = 10.0
"""Of that distance, what is one of `OFFSET`."""
