"""Encoders of pictures alone, by transformers and behind the call ledger: DINO, DINOv2, DINOv3, iBOT, BEiT, SEER, and CNNs.

Invariants: fp32; batches of one fixed size, padded, so a vector does not depend on its company; pictures are prepared as the model's own
`preprocessor_config.json` says; a model that lacks some of its weights is refused, since transformers would fill them in at random.

The vector of a picture is what the family's papers probe: of a ViT the class token after the last norm (DINO: Caron et al. 2021, arXiv
2104.14294), of a BEiT the mean of its patch tokens (Bao et al. 2021, arXiv 2106.08254), of the others their pooled output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import CallFailed, InloopError, PrerequisiteError
from ...runtime.records import BlobRef, Cost
from ...runtime.session import chunks, settled
from ...runtime.store import Call
from ..models import LocalModel, Weights
from .entries import packed, unpacked

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["PictureEncoder"]

_BATCH = 8
_UNPOOLED = ("vit", "beit")  # whose pooling layer is not part of what is published


class PictureEncoder(LocalModel[BlobRef, list[float]]):
    """An `ImageEncoder`; see `open_encoder`."""

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=8 * _BATCH, linger=0.02)
        self._kind = str(weights.config()["model_type"])
        self._model: Any = None
        self._processor: Any = None

    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]:
        """One unit vector a picture, in order.

        Raises:
            CallFailed: the model gave a vector that is no direction (zero, NaN or infinite).
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        return await settled([self._embed(image) for image in images])

    async def _embed(self, image: BlobRef) -> list[float]:
        params = {"batch": _BATCH, "as": "picture features"}
        call = Call(
            kind="embedding",
            model=self.model,
            revision=self.revision,
            params=params,
            inputs={"image": image.sha256},
        )

        async def keep(vector: list[float]) -> Any:
            return packed(vector)

        return unpacked(await self._once(call, image, keep, cost=Cost(calls=1)))

    def _load(self, device: str) -> None:
        from transformers import AutoImageProcessor, AutoModel

        self._processor = self.weights.load(AutoImageProcessor)
        options = {"add_pooling_layer": False} if self._kind in _UNPOOLED else {}
        model, about = self.weights.load_model(AutoModel, output_loading_info=True, **options)
        if missing := sorted(about["missing_keys"]):
            raise PrerequisiteError(
                f"{self.weights.spec!r} lacks {len(missing)} of its weights, such as {missing[0]}, and they would be random",
                remedy="fetch or export the model again, whole.",
            )
        self._model = model.float().eval().to(device)

    def _serve(self, items: list[BlobRef]) -> list[list[float] | InloopError]:
        import torch

        outcomes: dict[int, list[float] | InloopError] = {}
        ready: list[tuple[int, Any]] = []
        for place, item in enumerate(items):
            try:
                picture = self._store.blobs.get_image(item).convert("RGB")
                ready.append((place, self._processor(picture, return_tensors="pt").pixel_values[0]))
            except InloopError as error:
                outcomes[place] = error
        with torch.inference_mode():
            for chunk in chunks(ready, _BATCH):
                padded = [pixels for _, pixels in chunk] + [chunk[0][1]] * (_BATCH - len(chunk))
                vectors = self._features(torch.stack(padded).to(self._device)).double()
                unit = (vectors / vectors.norm(dim=-1, keepdim=True)).float().cpu()
                for (place, _), vector in zip(chunk, unit, strict=False):
                    outcomes[place] = (
                        vector.tolist()
                        if bool(torch.isfinite(vector).all())
                        else CallFailed(f"{self.model} gave no direction (zero, NaN or infinite) for {items[place]!r}")
                    )
        return [outcomes[place] for place in range(len(items))]

    def _features(self, pixels: Any) -> Any:
        """(batch, size) of prepared pictures (batch, 3, height, width)."""
        out = self._model(pixel_values=pixels)
        if self._kind == "vit":
            return out.last_hidden_state[:, 0]
        if self._kind == "beit":
            return out.last_hidden_state[:, 1:].mean(dim=1)
        return out.pooler_output.flatten(1)
