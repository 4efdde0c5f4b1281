"""BLIP in this process: what its question answering and its captions have in common.

For each picture the vision encoder runs once for all its questions of one shape. Pictures run in batches of a fixed shape (half as many as
questions, at most 4), filled up with blanks, so that a picture's features do not depend on what it is encoded with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ...runtime.errors import InloopError
from ...runtime.records import BlobRef
from ...runtime.session import chunks
from .local import LocalModel
from .shapes import PromptedImage
from .weights import Weights

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["IMAGES", "BlipModel", "images_beside"]

O = TypeVar("O")  # noqa: E741

IMAGES = 4
_REMEMBERED = 256 * 2**20  # bytes of encoded pictures that are kept


def images_beside(batch: int) -> int:
    """How many pictures are encoded at once beside a batch of so many questions."""
    return max(1, min(IMAGES, batch // 2))


class BlipModel(LocalModel[PromptedImage, O]):
    """Base: pictures in, features out. A subclass loads `_model` and `_processor`. `encoded` counts the pictures encoded."""

    def __init__(self, weights: Weights, store: Store, settings: Settings, *, max_batch: int) -> None:
        super().__init__(weights, store, settings, max_batch=max_batch, linger=0.02, waits=lambda item: item.batch > 1)
        self.encoded = 0
        self._model: Any = None
        self._processor: Any = None
        self._memory: OrderedDict[tuple[str, int], Any] = OrderedDict()

    def _encode(self, images: Iterable[BlobRef], size: int) -> dict[str, Any]:
        """Each picture's features (tokens, width) from batches of `size`, or why it has none; the newest are remembered for later batches."""
        import torch

        encoded: dict[str, Any] = {}
        fresh: list[tuple[str, Any]] = []
        for image in images:
            sha = image.sha256
            if sha in encoded:
                continue
            if (sha, size) in self._memory:
                encoded[sha] = self._memory[sha, size]
                self._memory.move_to_end((sha, size))
                continue
            try:
                picture = self._store.blobs.get_image(image).convert("RGB")
            except InloopError as error:
                encoded[sha] = error
                continue
            encoded[sha] = None
            fresh.append((sha, self._processor.image_processor(picture, return_tensors="pt").pixel_values[0]))
        for chunk in chunks(fresh, size):
            pixels = [values for _, values in chunk]
            pixels += [torch.zeros_like(pixels[0])] * (size - len(chunk))
            features = self._model.vision_model(pixel_values=torch.stack(pixels).to(self._device)).last_hidden_state
            for (sha, _), feature in zip(chunk, features, strict=False):
                encoded[sha] = self._memory[sha, size] = feature.clone()
            self.encoded += len(chunk)
        if self._memory:
            newest = next(reversed(self._memory.values()))
            room = max(IMAGES, _REMEMBERED // (newest.numel() * newest.element_size()))
            while len(self._memory) > room:
                self._memory.popitem(last=False)
        return encoded
