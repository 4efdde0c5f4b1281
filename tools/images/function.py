"""A plain function as a text-to-image model: `paint(prompt: str, seed: int) -> PIL.Image.Image`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...runtime.errors import CallFailed
from ...runtime.records import BlobRef, Cost, ImageRequest
from ...runtime.run import settled
from ..models import FunctionModel

__all__ = ["FunctionImages"]


class FunctionImages(FunctionModel):
    """An `ImageGenerator`; see `tools.models.function` for when a picture is kept."""

    kind = "image"

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """One PNG a request, in order.

        Raises:
            CallFailed: the function raised, or gave no picture; the others are kept.
        """
        return await settled([self._generate(request) for request in requests])

    async def _generate(self, request: ImageRequest) -> BlobRef:
        def is_there(value: Any) -> bool:
            return self.store.blobs.has(BlobRef.model_validate(value))

        def arguments() -> tuple[str, int]:
            return request.prompt, request.seed

        cost = Cost(calls=1, images=1)
        value = await self.once(arguments, request.model_dump(), self._keep, cost=cost, usable=is_there)
        return BlobRef.model_validate(value)

    def _keep(self, picture: Any) -> dict[str, Any]:
        from PIL.Image import Image

        if not isinstance(picture, Image):
            raise CallFailed(f"{self.name} gave {type(picture).__name__} {picture!r:.60} and no PIL.Image.Image.")
        return self.store.blobs.put_image(picture.convert("RGB")).model_dump()
