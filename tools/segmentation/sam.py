"""SAM and SAM 2 of transformers, asked for a box's single mask: SAM's answer to a prompt without ambiguity."""

from __future__ import annotations

from typing import Any

import numpy as np

from .mask_model import Box, Masked, MaskModel, stability_of

__all__ = ["Sam2Segmenter", "SamSegmenter"]


class SamSegmenter(MaskModel):
    """`SamModel` of transformers."""

    def _load(self, device: str) -> None:
        import transformers

        self._processor = self.weights.load(transformers.SamProcessor)
        self._model = self.weights.load_model(transformers.SamModel).float().eval().to(device)

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
        self._model = self.weights.load_model(transformers.Sam2Model).float().eval().to(device)
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
