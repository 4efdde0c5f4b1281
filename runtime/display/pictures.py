"""Pictures that are embedded in a page, within a limit of bytes."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import PrerequisiteError
from ..records import BlobRef

if TYPE_CHECKING:
    from ..store import BlobStore, MemoryBlobs

__all__ = ["DEFAULT_LIMIT", "Pictures"]

DEFAULT_LIMIT = 16_000_000
_THUMB = 256
_SMALL = 32_768  # bytes
_TALL = 4  # times as long as wide


class Pictures:
    """Data URIs of blobs, within a limit of bytes.

    An image above `side` pixels is embedded as a WebP thumbnail of that size. A blob that is missing or damaged is
    counted in `missing`; one that the limit leaves out, in `left_out`.
    """

    def __init__(self, blobs: BlobStore | MemoryBlobs, limit: int = DEFAULT_LIMIT, side: int = _THUMB) -> None:
        self._blobs, self._limit, self._side = blobs, limit, side
        self._uris: dict[str, str] = {}
        self._used = 0
        self.missing: set[str] = set()
        self.left_out: set[str] = set()

    def embed(self, images: Iterable[BlobRef]) -> None:
        """Take these images into the page, as far as the limit allows."""
        for ref in images:
            if ref.sha256 in self._uris or ref.sha256 in self.missing:
                continue
            if self._used >= self._limit:
                self.left_out.add(ref.sha256)
                continue
            try:
                uri = self._encode(ref)
            except PrerequisiteError:
                self.missing.add(ref.sha256)
                continue
            self._uris[ref.sha256] = uri
            self._used += len(uri)

    def uri(self, ref: BlobRef) -> str | None:
        """The data URI of an embedded image; None where it is not on the page."""
        return self._uris.get(ref.sha256)

    def _encode(self, ref: BlobRef) -> str:
        data, kind = self._blobs.get(ref), ref.media_type
        with contextlib.suppress(OSError):  # what Pillow cannot open, a browser may
            if (small := self._thumbnail(data)) is not None:
                data, kind = small, "image/webp"
        return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"

    def _thumbnail(self, data: bytes) -> bytes | None:
        """The picture at the size of the page; None for one that may stand there as it is."""
        from PIL import Image

        with Image.open(io.BytesIO(data)) as image:
            # a tall picture may have few bytes and the length of a page
            tall = max(image.size) > _TALL * min(image.size)
            if max(image.size) <= self._side or (len(data) <= _SMALL and not tall):
                return None
            small = image.convert("RGB")
        small.thumbnail((self._side, self._side))
        out = io.BytesIO()
        small.save(out, "WEBP", quality=85)
        return out.getvalue()
