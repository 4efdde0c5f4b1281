"""The kinds of files that are read, by the end of their names, each with its reader.

Invariants: what a file says is never an instruction, only text; a file that cannot be read is a `BadInput` that names
it, the reason and the remedy; a file without any text (a scanned PDF) is one, and never an empty document.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ....runtime.errors import BadInput
from ....runtime.store import BlobStore
from ...data import SUFFIXES, keep_picture
from ..chunks import Document
from .epub import read_epub
from .html import read_html
from .mail import read_box, read_message
from .markdown import read_markdown, read_plain
from .notebook import read_notebook
from .outline import Hints, Reading
from .pdf import read_pdf
from .rst import read_rst
from .sheets import read_csv, read_excel
from .slides import read_slides
from .word import read_word

__all__ = ["KINDS", "Kind", "kinds_in_words", "media_of", "parse", "rules_of"]


class Kind(NamedTuple):
    """A kind of file. `rules` is the number of its reader's rules: it is raised when what the reader gives changes."""

    media: str
    words: str
    suffixes: tuple[str, ...]
    read: Callable[[bytes, str, Hints], Reading]
    rules: int = 1


KINDS = (
    Kind("text/plain", "text", (".txt", ".text", ".log", ".org", ".tex"), read_plain, 2),
    Kind("text/markdown", "Markdown", (".md", ".markdown", ".mdx"), read_markdown, 2),
    Kind("text/x-rst", "reStructuredText", (".rst", ".rest"), read_rst, 2),
    Kind("text/html", "HTML", (".html", ".htm", ".xhtml"), read_html, 2),
    Kind("application/pdf", "PDF", (".pdf",), read_pdf, 2),
    Kind(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Word", (".docx", ".docm"), read_word
    ),
    Kind(
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "PowerPoint",
        (".pptx", ".pptm"),
        read_slides,
    ),
    Kind("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel", (".xlsx", ".xlsm"), read_excel),
    Kind("text/csv", "CSV", (".csv", ".tsv", ".tab"), read_csv),
    Kind("application/epub+zip", "EPUB", (".epub",), read_epub),
    Kind("application/x-ipynb+json", "notebooks", (".ipynb",), read_notebook),
    Kind("message/rfc822", "e-mail", (".eml",), read_message),
    Kind("application/mbox", "mail boxes", (".mbox",), read_box),
)
_PICTURE = "image/*"
_MEDIA = {**{end: kind.media for kind in KINDS for end in kind.suffixes}, **dict.fromkeys(SUFFIXES, _PICTURE)}
_BY_MEDIA = {kind.media: kind for kind in KINDS}


def media_of(path: Path) -> str | None:
    """The kind of a file by its name, None for one that is not read."""
    return _MEDIA.get(path.suffix.lower())


def kinds_in_words() -> str:
    """What is read, as a sentence says it."""
    return f"{', '.join(kind.words for kind in KINDS)} and pictures"


def rules_of(media: str) -> int:
    """The number of the rules by which files of this kind are read."""
    return _BY_MEDIA[media].rules if media in _BY_MEDIA else 1


def parse(
    data: bytes,
    media: str,
    *,
    id: str,
    name: str,
    blobs: BlobStore | None = None,
    caption: str = "",
    hints: Hints | None = None,
) -> Document:
    """The document that the bytes of a file hold; `name` is what errors call it, `caption` what a picture shows.

    Raises:
        BadInput: no text in it, or it is not what its name says.
        PrerequisiteError: a package of the extra `rag` or `office` is not installed.
    """
    if media == _PICTURE:
        if blobs is None:
            raise BadInput(f"the picture {name!r} needs a blob store to be kept in.")
        picture = keep_picture(data, blobs, name=name)
        return Document(
            id=id, text=caption.strip(), sections=(), source=name, media=picture.blob.media_type, image=picture.blob,
            notes=picture.notes,
        )  # fmt: skip
    kind = _BY_MEDIA.get(media)
    if kind is None:
        raise BadInput(f"{name!r} is of the kind {media!r}, which is not read: {', '.join(sorted(_MEDIA))} are.")
    reading = kind.read(data, name, hints or Hints())
    if not any(reading.text[section.start : section.end].strip() for section in reading.sections):
        raise BadInput(f"{name!r} holds no text.")
    return Document(
        id=id, text=reading.text, sections=reading.sections, title=reading.title, source=name, media=media,
        meta=dict(reading.meta), notes=reading.notes,
    )  # fmt: skip
