"""Plain functions in the places of models: one that paints, one that edits.

def paint(prompt: str, seed: int) -> PIL.Image.Image: ...
def edit(prompt: str, seed: int, image: PIL.Image.Image, mask: PIL.Image.Image | None, strength: float) -> PIL.Image.Image: ...
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import CallFailed
from ...runtime.records import BlobRef, Cost, EditRequest, ImageRequest
from ...runtime.session import settled
from ..models import FunctionModel
from .canvas import Canvas

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FunctionEditor", "FunctionImages"]


class _PictureFunction(FunctionModel):
    """Base: a function that gives a picture; see `tools.models.function` for when it is kept."""

    async def _picture(
        self, arguments: Callable[[], tuple[Any, ...]], inputs: dict[str, Any], finish: Callable[[Image], Image]
    ) -> BlobRef:
        """The PNG of what `finish` makes of the function's picture, as RGB."""

        def keep(picture: Any) -> dict[str, Any]:
            from PIL.Image import Image

            if not isinstance(picture, Image):
                raise CallFailed(f"{self.name} gave {type(picture).__name__} {picture!r:.60} and no PIL.Image.Image.")
            return self.store.blobs.put_image(finish(picture.convert("RGB"))).model_dump()

        def is_there(value: Any) -> bool:
            return self.store.blobs.has(BlobRef.model_validate(value))

        value = await self.once(arguments, inputs, keep, cost=Cost(calls=1, images=1), usable=is_there)
        return BlobRef.model_validate(value)


class FunctionImages(_PictureFunction):
    """An `ImageGenerator`."""

    kind = "image"

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """One PNG a request, in order.

        Raises:
            CallFailed: the function raised, or gave no picture; the others are kept.
        """
        return await settled([self._generate(request) for request in requests])

    async def _generate(self, request: ImageRequest) -> BlobRef:
        return await self._picture(
            lambda: (request.prompt, request.seed), request.model_dump(), finish=lambda picture: picture
        )


class FunctionEditor(_PictureFunction):
    """An `ImageEditor`. The function is given the mask in black and white, and what it paints outside of it is dropped."""

    kind = "edit"

    async def edit(self, requests: Sequence[EditRequest]) -> list[BlobRef]:
        """One PNG a request, in order.

        Raises:
            BadInput: a strength that is no share, or a mask that cannot be used (see `tools.images.canvas`).
            CallFailed: the function raised, or gave no picture of the size of the one that it was given; the others are kept.
            PrerequisiteError: a picture is not in the store.
        """
        for request in requests:
            await asyncio.to_thread(Canvas.of, request, self.store.blobs)
        return await settled([self._edit(request) for request in requests])

    async def _edit(self, request: EditRequest) -> BlobRef:
        def arguments() -> tuple[Any, ...]:
            canvas = Canvas.of(request, self.store.blobs)
            mask = None if canvas.mask is None else canvas.mask_image()
            return request.prompt, request.seed, canvas.picture, mask, request.strength

        def finish(picture: Image) -> Image:
            import numpy as np
            from PIL import Image as images

            canvas = Canvas.of(request, self.store.blobs)
            if picture.size != canvas.size:
                raise CallFailed(f"{self.name} gave a picture of {picture.size} pixels for one of {canvas.size}.")
            return images.fromarray(canvas.keep_outside(np.asarray(picture)))

        return await self._picture(arguments, request.content(), finish)
