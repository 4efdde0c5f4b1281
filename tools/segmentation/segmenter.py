"""Masks of what is in boxes, behind the call ledger: SAM and SAM 2 of transformers, and one of the drawn world.

Invariants: a box is asked for one mask (SAM's answer to a prompt without ambiguity); pictures are looked at one at a time, so a mask does not depend
on the company; what is kept is the mask as PNG, cut at 0, with the model's own estimate of its fit and its stability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.protocols import Segmenter
from ...runtime.records import BlobRef, Cost, Segment
from ...runtime.roles import Role
from ...runtime.run import settled
from ...runtime.store import Call
from ..models import LocalModel, Weights, find_weights, options_of
from ..vision import drawn_distance, is_drawn
from .masks import Box, Mask, box_iou, box_of, put_mask

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["MaskModel", "OFFSET", "open_segmenter", "stability_of"]

Asked = tuple[BlobRef, tuple[Box, ...]]
Masked = tuple[Mask, float, float]

OFFSET = 1.0
"""How far the cut through a model's numbers is moved up and down for the stability of a mask, as in SAM's own generator of masks."""

SEGMENTER: Role[Segmenter] = Role("segmenter", Segmenter, own=("mini",))


@SEGMENTER.opener
def open_segmenter(spec: str, store: Store, settings: Settings) -> Segmenter:
    """The segmenter behind `spec`: "mini" (drawn pictures alone), a folder or hub id of a SAM or SAM 2 of transformers, or your own.

    Raises:
        BadInput: no such model, or a model of another kind.
        PrerequisiteError: the model cannot be had.
    """
    name, _, query = spec.strip().partition("?")
    if query:
        raise BadInput(f"{spec!r}: a segmenter takes no options behind a '?'.")
    if name == "mini":
        return DrawnSegmenter(store, settings)
    weights = find_weights(spec, "segmenter", settings.cache_dir)
    kind = SamSegmenter if weights.config()["model_type"] == "sam" else Sam2Segmenter
    return kind(weights, store, settings)


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


class SamSegmenter(MaskModel):
    """`SamModel` of transformers."""

    def _load(self, device: str) -> None:
        import transformers

        self._processor = self.weights.load(transformers.SamProcessor)
        self._model = self.weights.load(transformers.SamModel).float().eval().to(device)

    def _look(self, picture: Any, boxes: tuple[Box, ...]) -> list[Masked]:
        import torch

        inputs = self._processor(images=picture, input_boxes=[[list(box) for box in boxes]], return_tensors="pt")
        sizes = (inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes"))
        with torch.inference_mode():
            made = self._model(**inputs.to(self._device), multimask_output=False)
        [logits] = self._processor.post_process_masks(made.pred_masks.cpu(), *sizes, binarize=False)
        return _masked(logits[:, 0], made.iou_scores[0, :, 0])


class Sam2Segmenter(MaskModel):
    """`Sam2Model` of transformers.

    Its processor needs torchvision and does little: the picture is squeezed into a square, the boxes with it, and the masks are spread again.
    """

    def _load(self, device: str) -> None:
        import torch
        import transformers

        told = self.weights.json("preprocessor_config.json") or self.weights.json("processor_config.json").get(
            "image_processor", {}
        )
        self._mean, self._std = (
            torch.tensor(told.get(name, default)).reshape(3, 1, 1)
            for name, default in (("image_mean", _IMAGENET_MEAN), ("image_std", _IMAGENET_STD))
        )
        self._model = self.weights.load(transformers.Sam2Model).float().eval().to(device)
        self._side = int(self._model.config.prompt_encoder_config.image_size)

    def _look(self, picture: Any, boxes: tuple[Box, ...]) -> list[Masked]:
        import torch
        import torch.nn.functional as F
        from PIL import Image

        square = picture.resize((self._side, self._side), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float().div(255)
        across, down = self._side / picture.width, self._side / picture.height
        squeezed = torch.tensor([[[x0 * across, y0 * down, x1 * across, y1 * down] for x0, y0, x1, y1 in boxes]])
        with torch.inference_mode():
            made = self._model(
                pixel_values=((pixels - self._mean) / self._std)[None].to(self._device),
                input_boxes=squeezed.to(self._device),
                multimask_output=False,
            )
        size = (picture.height, picture.width)
        logits = F.interpolate(made.pred_masks[0].float(), size, mode="bilinear", align_corners=False)
        return _masked(logits[:, 0], made.iou_scores[0, :, 0])


_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _masked(logits: Any, fits: Any) -> list[Masked]:
    numbers = logits.float().cpu().numpy()
    return [(each > 0, fit, stability_of(each)) for each, fit in zip(numbers, fits.float().cpu().tolist(), strict=True)]


class DrawnSegmenter(MaskModel):
    """Of the drawn world: what stands out from the plain ground within a box. It knows no other pictures.

    A picture of another kind gets the whole box as its mask, with an estimate of 0. The estimate of the fit is how well the mask's own box
    fits the one asked for.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        weights = Weights(
            spec="mini", model="mini-segmenter", revision="1", source="mini", commit=None, root=Path(), marker="",
            options=options_of("mini", ""),
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
