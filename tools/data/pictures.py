"""Picture files as they come: read once, straightened out, kept in the blob store.

What is scored is what a viewer shows: rotated as EXIF says, the first frame of an animation, transparency over white,
CMYK as RGB, and greys of more than 8 bits by their depth: the white of 16 bits is the white of 8, whatever else is in the
picture. Each of these is told in `notes`. A file that is plain already is kept byte for byte. A picture with a value that is no
number is no picture.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef, Record
from ...runtime.store import BlobStore, MemoryBlobs

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Picture",
    "as_shown",
    "content_sha256",
    "keep_picture",
    "read_picture",
    "read_pictures",
]

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jfif"])
MAX_PIXELS = 100_000_000
"""Above this a picture is refused: decoded it would take more than 300 MB."""
_MAX_SIDE = 4096
_ORIENTATION = 0x0112


class Picture(Record):
    """A picture in the blob store. `notes` say what was done to it."""

    blob: BlobRef
    notes: tuple[str, ...] = ()


def read_picture(path: Path, blobs: BlobStore) -> Picture:
    """Read a file; `BadInput` names it and says why it cannot be scored."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"the picture {str(path)!r} cannot be read: {error.strerror}.") from None
    return keep_picture(data, blobs, name=str(path))


def read_pictures(paths: Sequence[Path], blobs: BlobStore) -> tuple[list[BlobRef], list[str]]:
    """The pictures of those files that can be read, and why the others cannot."""
    pictures, unread = [], []
    for path in paths:
        try:
            pictures.append(read_picture(path, blobs).blob)
        except BadInput as error:
            unread.append(str(error))
    return pictures, unread


def keep_picture(data: bytes, blobs: BlobStore | MemoryBlobs, *, name: str) -> Picture:
    """Straighten out the bytes of a picture file and keep them; `name` is what errors call it.

    Raises:
        BadInput: no picture, a damaged one, or one of more than `MAX_PIXELS`.
    """
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    if not data:
        raise BadInput(f"the picture {name!r} is an empty file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", images.DecompressionBombWarning)
            with images.open(io.BytesIO(data)) as opened:
                width, height = opened.size
                if width * height > MAX_PIXELS:
                    raise BadInput(
                        f"the picture {name!r} has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million:"
                        " make it smaller."
                    )
                kind = images.MIME.get(opened.format or "", "")
                turned = opened.getexif().get(_ORIENTATION, 1) not in (0, 1)
                plain = opened.mode in ("RGB", "L") and not turned and getattr(opened, "n_frames", 1) == 1
                if plain and kind in ("image/png", "image/jpeg", "image/webp") and max(opened.size) <= _MAX_SIDE:
                    opened.load()  # a damaged file says so here
                    if "transparency" not in opened.info:
                        return Picture(blob=blobs.put(data, kind))
                straight, notes = _straight(opened)
    except images.DecompressionBombError:
        raise BadInput(f"the picture {name!r} has too many pixels to be decoded safely: make it smaller.") from None
    except UnidentifiedImageError:
        raise BadInput(f"{name!r} is no picture that Pillow can read.") from None
    except BadInput as error:
        raise (
            error if repr(name) in str(error) else BadInput(f"the picture {name!r} cannot be scored: {error}.")
        ) from None
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise BadInput(f"the picture {name!r} is damaged ({type(error).__name__}: {error}).") from None
    return Picture(blob=blobs.put_image(straight), notes=tuple(notes))


def as_shown(image: Image) -> Image:
    """An image as a viewer shows it, as RGB: see above. One of more than 4096 pixels a side is made smaller.

    Raises:
        BadInput: a grey value is no number, or below 0.
    """
    return _straight(image)[0]


def content_sha256(path: Path) -> str:
    """The sha256 of what a picture file shows: its size and RGB values as a viewer sees them, whatever the file format.

    Raises:
        BadInput: it cannot be read, is no picture, or a damaged one.
    """
    from PIL import Image as images

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", images.DecompressionBombWarning)
            with images.open(path) as opened:
                image, _ = _straight(opened)
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise BadInput(f"{str(path)!r} is no picture that can be read ({type(error).__name__}: {error}).") from None
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.tobytes()).hexdigest()


def _straight(opened: Any) -> tuple[Image, list[str]]:
    from PIL import Image as images
    from PIL import ImageOps

    notes = []
    if getattr(opened, "n_frames", 1) > 1:
        notes.append(f"the first of {opened.n_frames} frames")
        opened.seek(0)
    image: Image = opened
    image.load()
    if image.getexif().get(_ORIENTATION, 1) not in (0, 1):
        image = ImageOps.exif_transpose(image)
        notes.append("rotated as its EXIF says")
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I", "F"):
        image, scale = _eight_bits(image)
        notes.append(f"grey values of 0 to {scale} as 8 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        under = images.new("RGBA", image.size, "white")
        under.alpha_composite(image)
        image = under
        notes.append("transparency over white")
    if image.mode not in ("RGB", "L", "RGBA", "P", "1"):
        notes.append(f"{image.mode} as RGB")
    image = image.convert("RGB")
    if max(image.size) > _MAX_SIDE:
        notes.append(f"{image.width} x {image.height} pixels made smaller")
        image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    return image, notes


def _eight_bits(image: Any) -> tuple[Image, str]:
    """A grey picture of more than 8 bits as one of 8, and what its white was.

    The mode says the depth, but for "I" and "F", which hold what a file had: of these the smallest of the usual whites that no
    value exceeds is taken (1 for fractions, then 8, 16 and 32 bits).

    Raises:
        BadInput: a value is no number, or below 0: what is black or white cannot be told.
    """
    import numpy as np
    from PIL import Image as images

    wide = np.asarray(image, dtype=np.float64)
    if not np.isfinite(wide).all():
        raise BadInput(f"{int((~np.isfinite(wide)).sum())} of its pixels are no numbers (NaN or infinite)")
    if wide.min() < 0:
        raise BadInput(f"its grey values go from {wide.min():g} to {wide.max():g}: give values from 0")
    # Pillow reads a PNG of 16 bits as either, by its version
    deep = image.mode.startswith("I;16") or getattr(image, "format", None) == "PNG"
    whites = (65535.0,) if deep else (*((1.0,) if image.mode == "F" else ()), 255.0, 65535.0, 2.0**31 - 1, 2.0**32 - 1)
    white = next((each for each in whites if wide.max() <= each), None)
    if white is None:
        raise BadInput(f"its grey values go up to {wide.max():g}: what is white cannot be told")
    return images.fromarray((wide * (255 / white)).round().astype("uint8")), f"{white:g}"
