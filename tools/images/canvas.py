"""What an edit works on: the picture as pixels, and where it is painted anew.

A picture is taken as a viewer shows it (`tools.data.pictures`: transparency over white, 16 bits as 8). A mask is white where the
picture is painted anew and black where it is kept, as diffusers has it; a grey of at least half counts as white. A transparent mask is
refused: some programs mean by transparent what is to be painted, others what is to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef, EditRequest
from ...runtime.store import BlobStore
from ..data import as_shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["Canvas"]

_HALF = 128


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """`pixels` (height, width, 3) and `mask` (height, width), True where the picture is painted anew; no mask: everywhere."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, request: EditRequest, blobs: BlobStore) -> Canvas:
        """The picture and the mask of a request.

        Raises:
            BadInput: the strength is no share; a grey value of the picture or the mask is no number; or the mask is of another
                size, empty, or transparent.
            PrerequisiteError: a blob is missing, or no picture.
        """
        import numpy as np

        if not 0 < request.strength <= 1:
            raise BadInput(
                f"strength={request.strength!r}: give a number above 0 (all is kept) and at most 1 (all is painted anew)."
            )
        picture = _shown(blobs.get_image(request.image), "picture")
        mask = None if request.mask is None else _mask(request.mask, blobs, picture)
        return cls(pixels=np.array(picture), mask=mask)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.pixels.shape[:2]
        return width, height

    @property
    def picture(self) -> Image:
        """The picture, as RGB."""
        from PIL import Image

        return Image.fromarray(self.pixels)

    def mask_image(self, *, cell: int = 1) -> Image:
        """The mask in 8 bits, white where the picture is painted anew; grown to whole squares of `cell` pixels.

        A pipeline paints latents, which stand for squares: of a mask that is finer it would leave some unpainted.
        """
        import numpy as np
        from PIL import Image

        width, height = self.size
        mask = np.ones((height, width), dtype=bool) if self.mask is None else self.mask
        cells = mask.reshape(height // cell, cell, width // cell, cell).any(axis=(1, 3))
        return Image.fromarray(cells.repeat(cell, axis=0).repeat(cell, axis=1).astype("uint8") * 255)

    def keep_outside(self, painted: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`painted` (height, width, 3) within the mask, the picture itself outside of it."""
        import numpy as np

        return painted if self.mask is None else np.where(self.mask[..., None], painted, self.pixels)


def _shown(image: Image, noun: str) -> Image:
    try:
        return as_shown(image)
    except BadInput as error:
        raise BadInput(f"the {noun} cannot be used: {error}.") from None


def _mask(ref: BlobRef, blobs: BlobStore, picture: Image) -> NDArray[np.bool_]:
    import numpy as np

    image = blobs.get_image(ref)
    if image.size != picture.size:
        raise BadInput(
            f"the mask is {image.width} x {image.height} pixels and the picture {picture.width} x {picture.height}:"
            " give a mask of the picture's size."
        )
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        raise BadInput(
            "the mask has transparent pixels, which some programs paint anew and others keep:"
            " give it in white (painted anew) and black (kept)."
        )
    grey = np.asarray(_shown(image, "mask").convert("L"))
    mask: NDArray[np.bool_] = grey >= _HALF
    if not mask.any():
        raise BadInput(
            f"the mask is empty, its brightest grey is {grey.max()} of 255: make white what is to be painted anew."
        )
    return mask
