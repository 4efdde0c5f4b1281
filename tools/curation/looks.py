"""What can be told of a picture file by reading it once: what it shows, byte for byte and pixel for pixel, and what is wrong with it.

The issues are those that cleanvision names. That library is kept, but brings pandas, matplotlib and SciPy and would decode each file again; what it
computes is a few lines of numpy. An issue is a remark: nothing is removed for one unless that is asked for.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef, Record
from ...runtime.store import BlobStore, MemoryBlobs
from ..data import as_shown, keep_picture
from .alignment import Thumbnails, detail

__all__ = ["ISSUES", "Issue", "Look", "hash_bits", "look_at", "odd_sizes"]

Issue: TypeAlias = Literal[
    "dark", "bright", "blurry", "grayscale", "little in it", "odd aspect", "odd size", "wrong label"
]  # fmt: skip
ISSUES: tuple[Issue, ...] = get_args(Issue)
_SIDE = 768
_DARK, _BRIGHT = 0.32, 0.95  # of the brightest and of the darkest pixels, a hundredth and a twentieth left out
_SHARP = 25.0  # variance of the Laplacian at 256 pixels, grey values of 0 to 255
_BITS = 1.0  # of the entropy of grey values: half the pixels of one value and half of another
_NARROW = 0.35
_ODD = 5.0  # interquartile ranges from the median side


class Look(Record):
    """A picture file. `blob`: the picture as it is embedded and shown, at most 768 pixels a side. `pixels`: the sha256 of what it shows.

    `hashed`: 64 bits that stay nearly the same when it is saved again or recoloured (dHash, Krawetz 2013), as hexadecimal digits; `flipped`: those
    of the mirrored picture. At 256 pixels a side: `light`, the mean brightness as it is perceived, from 0 to 1; `sharpness`, the variance of the
    Laplacian; `detail`, the share of parts that are not plain.
    """

    path: str
    blob: BlobRef
    file: str
    pixels: str
    hashed: str
    flipped: str
    width: int
    height: int
    bytes: int
    light: float = 0.0
    sharpness: float = 0.0
    detail: float = 0.0
    issues: tuple[Issue, ...] = ()

    @property
    def bits(self) -> NDArray[np.float32]:
        """`hashed` as 64 numbers of length 1 in all: their dot product is 1 - d/32 for d bits that differ."""
        return _numbers(self.hashed)

    @property
    def flipped_bits(self) -> NDArray[np.float32]:
        """`flipped`, likewise."""
        return _numbers(self.flipped)


def look_at(folder: Path, path: str, blobs: BlobStore) -> Look:
    """Read the file `path` of a folder, and keep the picture, made smaller where it is large.

    Raises:
        BadInput: it cannot be read, is no picture, or a damaged one.
    """
    from PIL import Image, ImageOps

    try:
        data = (folder / path).read_bytes()
    except OSError as error:
        raise BadInput(f"the picture {path!r} cannot be read: {error.strerror}.") from None
    # read in memory first: a large file stays where it is, and no second copy of it is made
    memory = MemoryBlobs()
    blob = keep_picture(data, memory, name=path).blob
    with Image.open(io.BytesIO(memory.get(blob))) as opened:
        picture = as_shown(opened)
    width, height = picture.size
    shown = hashlib.sha256(f"{width}x{height}:".encode() + picture.tobytes()).hexdigest()
    if max(width, height) > _SIDE:
        small = picture.copy()
        small.thumbnail((_SIDE, _SIDE))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=95)
        blob = blobs.put(out.getvalue(), "image/jpeg")
    else:
        blob = blobs.put(memory.get(blob), blob.media_type)
    return Look(
        path=path, blob=blob, file=hashlib.sha256(data).hexdigest(), pixels=shown, hashed=_hashed(picture),
        flipped=_hashed(ImageOps.mirror(picture)), width=width,
        height=height, bytes=len(data), **_measured(picture),
    )  # fmt: skip


def odd_sizes(looks: Sequence[Look]) -> set[int]:
    """The places of pictures whose size is far from that of the others: more than 5 interquartile ranges from the median side."""
    if len(looks) < 8:
        return set()
    sides = np.sqrt([each.width * each.height for each in looks])
    low, middle, high = np.quantile(sides, [0.25, 0.5, 0.75])
    reach = _ODD * max(high - low, 0.1 * middle)
    return set(np.flatnonzero(np.abs(sides - middle) > reach).tolist())


def hash_bits(picture: Any) -> NDArray[np.float32]:
    """The dHash of a PIL picture as 64 numbers, as in `Look.bits`."""
    return _numbers(_hashed(picture))


def _numbers(hashed: str) -> NDArray[np.float32]:
    told = np.unpackbits(np.frombuffer(bytes.fromhex(hashed), dtype=np.uint8)).astype(np.float32)
    return np.asarray((2 * told - 1) / 8)


def _hashed(picture: Any) -> str:
    from PIL import Image

    grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BILINEAR), dtype=np.int16)
    return np.packbits((grey[:, 1:] > grey[:, :-1]).ravel()).tobytes().hex()


def _measured(picture: Any) -> dict[str, Any]:
    """What is measured of a picture, and the issues that follow from it."""
    small = picture.copy()
    small.thumbnail((256, 256))
    rgb = np.asarray(small, dtype=np.float32)
    light = np.sqrt((rgb**2) @ np.array([0.241, 0.691, 0.068], dtype=np.float32)) / 255  # as it is perceived
    grey = np.asarray(small.convert("L"), dtype=np.float32)
    sharpness = _sharpness(grey)
    found: dict[Issue, bool] = {
        "dark": float(np.quantile(light, 0.99)) < _DARK,
        "bright": float(np.quantile(light, 0.05)) > _BRIGHT,
        "blurry": sharpness < _SHARP,
        "grayscale": bool((rgb.max(axis=2) - rgb.min(axis=2) <= 2).all()),
        "little in it": small.convert("L").entropy() < _BITS,
        "odd aspect": min(picture.size) / max(picture.size) < _NARROW,
    }
    issues = tuple(name for name, true in found.items() if true)
    parts = round(detail(Thumbnails(small).fine), 3)
    return {"issues": issues, "light": round(float(light.mean()), 4), "sharpness": round(min(sharpness, 1e9), 2), "detail": parts}  # fmt: skip


def _sharpness(grey: NDArray[np.float32]) -> float:
    if min(grey.shape) < 3:
        return float("inf")
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())
