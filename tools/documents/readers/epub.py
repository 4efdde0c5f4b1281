"""EPUB: a ZIP file of XHTML pages in the order of its spine, each read as HTML is."""

from __future__ import annotations

import io
import posixpath
import zipfile
from typing import Any
from urllib.parse import unquote

from .encodings import DECLARED, decoded
from .html import put_page
from .office import damaged
from .outline import Hints, Outline, Reading, meta_of

__all__ = ["read_epub"]


def read_epub(data: bytes, name: str, hints: Hints) -> Reading:
    """A book (.epub).

    Raises:
        BadInput: it is damaged, or its text is locked (DRM).
        PrerequisiteError: the extra `rag` is not installed.
    """
    outline = Outline()
    with damaged(name, "EPUB", data), zipfile.ZipFile(io.BytesIO(data)) as book:
        container = _soup(book.read("META-INF/container.xml"))
        root = str(container.find("rootfile")["full-path"])
        package = _soup(book.read(root))
        files = {item.get("id"): item for item in package.find_all("item")}
        for reference in package.find_all("itemref"):
            item = files.get(reference.get("idref"))
            if item is None or "nav" in str(item.get("properties") or "").split():
                continue
            if "html" in str(item.get("media-type")):
                path = posixpath.normpath(posixpath.join(posixpath.dirname(root), unquote(str(item.get("href")))))
                page = book.read(path)
                said = DECLARED.search(page[:4096])
                text, _ = decoded(page, name, declared=said[1].decode("ascii", "replace") if said else "")
                put_page(text, outline, name)
        says = {
            each: tag.get_text(strip=True)
            for each in ("title", "creator", "date", "language")
            if (tag := package.find(f"dc:{each}"))
        }
        meta = {"author": says.get("creator"), "date": says.get("date"), "language": says.get("language")}
        return outline.reading(title=says.get("title", ""), meta=meta_of(meta))


def _soup(source: bytes) -> Any:
    from bs4 import BeautifulSoup

    return BeautifulSoup(source, "html.parser")
