"""What the HTML pages share: their look, and the images that are embedded in them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING, Any

from ...runtime.errors import PrerequisiteError
from ...runtime.records import BlobRef

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["DEFAULT_LIMIT", "Pictures", "draw"]

DEFAULT_LIMIT = 16_000_000
_THUMB = 256


class Pictures:
    """Data URIs of blobs, within a limit of bytes.

    An image above 256 pixels is embedded as a WebP thumbnail of that size. A blob that is missing or damaged is
    counted in `missing`; one that the limit leaves out, in `left_out`.
    """

    def __init__(self, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> None:
        self._blobs = blobs
        self._limit = limit
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
        if len(data) > 32_768:
            from PIL import Image

            with Image.open(io.BytesIO(data)) as image:
                if max(image.size) > _THUMB:
                    small = image.convert("RGB")
                    small.thumbnail((_THUMB, _THUMB))
                    out = io.BytesIO()
                    small.save(out, "WEBP", quality=85)
                    data, kind = out.getvalue(), "image/webp"
        return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def draw(template: str, **values: Any) -> str:
    """The page of a template, named from the folder of the app (`rag/ask.html.j2`); text is escaped, an unknown name is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    app = __name__.rsplit(".", 2)[0]
    environment = Environment(
        loader=PackageLoader(app, ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    css = resources.files(app).joinpath("report", "page.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(css=css, **values)
