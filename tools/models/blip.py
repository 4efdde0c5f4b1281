"""BLIP in this process: what its question answering and its captions have in common.

For each picture the vision encoder runs once for all its questions. Pictures run in batches of one fixed shape, filled up
with blanks, so that a picture's features do not depend on what it is encoded with.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

from ...runtime.errors import InloopError
from ...runtime.records import BlobRef
from ...runtime.run import chunks
from .local import LocalModel
from .weights import Weights

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["IMAGES", "BlipModel"]

O = TypeVar("O")  # noqa: E741

IMAGES = 4
_REMEMBERED = 256 * 2**20  # bytes of encoded pictures that are kept


class BlipModel(LocalModel[tuple[BlobRef, str], O]):
    """Base: pictures in, features out. A subclass loads `_model` and `_processor`. `encoded` counts the pictures encoded."""

    def __init__(self, weights: Weights, store: Store, settings: Settings, *, max_batch: int) -> None:
        super().__init__(weights, store, settings, max_batch=max_batch, linger=0.02)
        self.encoded = 0
        self._model: Any = None
        self._processor: Any = None
        self._memory: OrderedDict[str, Any] = OrderedDict()

    def _encode(self, images: list[BlobRef]) -> dict[str, Any]:
        """Each picture's features (tokens, width), or why it has none; the newest are remembered for later batches."""
        import torch

        encoded: dict[str, Any] = {}
        fresh: list[tuple[str, Any]] = []
        for image in images:
            sha = image.sha256
            if sha in encoded:
                continue
            if sha in self._memory:
                encoded[sha] = self._memory[sha]
                self._memory.move_to_end(sha)
                continue
            try:
                picture = self._store.blobs.get_image(image).convert("RGB")
            except InloopError as error:
                encoded[sha] = error
                continue
            encoded[sha] = None
            fresh.append((sha, self._processor.image_processor(picture, return_tensors="pt").pixel_values[0]))
        for chunk in chunks(fresh, IMAGES):
            pixels = [values for _, values in chunk]
            pixels += [torch.zeros_like(pixels[0])] * (IMAGES - len(chunk))
            features = self._model.vision_model(pixel_values=torch.stack(pixels).to(self._device)).last_hidden_state
            for (sha, _), feature in zip(chunk, features, strict=False):
                encoded[sha] = self._memory[sha] = feature.clone()
            self.encoded += len(chunk)
        if self._memory:
            newest = next(reversed(self._memory.values()))
            room = max(IMAGES, _REMEMBERED // (newest.numel() * newest.element_size()))
            while len(self._memory) > room:
                self._memory.popitem(last=False)
        return encoded
