"""What all segmenters of this room share: a mask a box, behind the call ledger.

Invariants: a box is asked for one mask; pictures are looked at one at a time, so a mask does not depend on the company; what is kept is the mask
as PNG, cut at 0, with the model's own estimate of its fit and its stability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.records import BlobRef, Cost, Segment
from ...runtime.session import settled
from ...runtime.store import Call
from ..models import LocalModel, Weights
from .masks import Box, Mask, put_mask

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["Box", "MaskModel", "Masked", "stability_of"]

Asked = tuple[BlobRef, tuple[Box, ...]]
Masked = tuple[Mask, float, float]

OFFSET = 1.0
"""How far the cut through a model's numbers is moved up and down for the stability of a mask, as in SAM's own generator of masks."""


class MaskModel(LocalModel[Asked, list[Masked]]):
    """A `Segmenter`; see `open_segmenter`."""

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=4, linger=0.02)

    async def segment(self, asked: Sequence[Asked]) -> list[tuple[Segment, ...]]:
        """A mask for each box of each picture, in order.

        Raises:
            BadInput: a box without an area.
            CallFailed: a picture could not be worked on; the others are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        for _, boxes in asked:
            for box in boxes:
                if not (all(map(math.isfinite, box)) and box[2] > box[0] and box[3] > box[1]):
                    raise BadInput(f"the box {box!r} has no area: give (x0, y0, x1, y1) with x0 < x1 and y0 < y1.")
        return await settled([self._segmented(image, boxes) for image, boxes in asked])

    async def _segmented(self, image: BlobRef, boxes: tuple[Box, ...]) -> tuple[Segment, ...]:
        if not boxes:
            return ()
        inputs = {"image": image.sha256, "boxes": [list(map(float, box)) for box in boxes]}
        call = Call(kind="segmentation", model=self.model, revision=self.revision, params={}, inputs=inputs)

        async def keep(masks: list[Masked]) -> Any:
            return [
                Segment(
                    mask=put_mask(mask, self._store.blobs), iou=_share(iou), stability=_share(stability)
                ).model_dump()
                for mask, iou, stability in masks
            ]

        def usable(value: Any) -> bool:
            return all(self._store.blobs.has(each["mask"]["sha256"]) for each in value)

        rows = await self._once(call, (image, boxes), keep, cost=Cost(calls=1), usable=usable)
        return tuple(Segment.model_validate(row) for row in rows)

    def _look(self, picture: Any, boxes: tuple[Box, ...]) -> list[Masked]:
        """(mask, estimate of its fit, stability) of each box in an RGB picture."""
        raise NotImplementedError

    def _serve(self, items: list[Asked]) -> list[list[Masked] | InloopError]:
        outcomes: list[list[Masked] | InloopError] = []
        for image, boxes in items:
            try:
                masks = self._look(self._store.blobs.get_image(image).convert("RGB"), boxes)
            except InloopError as error:
                outcomes.append(error)
                continue
            if all(math.isfinite(number) for _, *numbers in masks for number in numbers):
                outcomes.append(masks)
            else:
                outcomes.append(CallFailed(f"{self.model} gave NaN for the picture {image.sha256[:12]}"))
        return outcomes


def stability_of(logits: NDArray[np.float32]) -> float:
    """How little a mask changes when its cut does: intersection over union of the cuts at +1 and at -1; 0 where nothing is left."""
    most = int((logits > -OFFSET).sum())
    return float((logits > OFFSET).sum() / most) if most else 0.0


def _share(value: float) -> float:
    """From 0 to 1, and rounded: the last bits differ between machines."""
    return round(min(max(float(value), 0.0), 1.0), 6)
