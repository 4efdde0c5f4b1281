"""Files as documents: text, Markdown, HTML, PDF and pictures, each read by a library that knows its kind.

Invariants: what a file says is never an instruction, only text; a file that cannot be read is a `BadInput` that names
it, the reason and the remedy; a file without any text (a scanned PDF) is one, and never an empty document.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.store import BlobStore
from ..data import SUFFIXES, keep_picture
from .chunks import Document, Section
from .terms import RAG_REMEDY

__all__ = ["KINDS", "media_of", "parse"]

KINDS: dict[str, str] = {
    **dict.fromkeys([".txt", ".text", ".log", ".rst", ".org", ".tex"], "text/plain"),
    **dict.fromkeys([".md", ".markdown", ".mdx"], "text/markdown"),
    **dict.fromkeys([".html", ".htm", ".xhtml"], "text/html"),
    ".pdf": "application/pdf",
    **dict.fromkeys(SUFFIXES, "image/*"),
}
"""The kinds of files that are read, by the end of their names."""

_CONTROLS = {code: None for code in range(32) if chr(code) not in "\t\n\r\f"} | {0x7F: None, 0xFEFF: None}
_PRINTED = bytes({9, 10, 12, 13, 27, *range(32, 256)})
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)


def media_of(path: Path) -> str | None:
    """The kind of a file by its name, None for one that is not read."""
    return KINDS.get(path.suffix.lower())


def parse(
    data: bytes, media: str, *, id: str, name: str, blobs: BlobStore | None = None, caption: str = ""
) -> Document:
    """The document that the bytes of a file hold; `name` is what errors call it, `caption` what a picture shows.

    Raises:
        BadInput: no text in it, or it is not what its name says.
        PrerequisiteError: a package of the extra `rag` is not installed.
    """
    if media == "image/*":
        if blobs is None:
            raise BadInput(f"the picture {name!r} needs a blob store to be kept in.")
        picture = keep_picture(data, blobs, name=name)
        return Document(
            id=id, text=caption.strip(), sections=(), source=name, media=picture.blob.media_type, image=picture.blob,
            notes=picture.notes,
        )  # fmt: skip
    read: dict[str, Callable[[bytes, str], tuple[str, str, list[Section], list[str]]]] = {
        "text/plain": _plain,
        "text/markdown": _markdown,
        "text/html": _html,
        "application/pdf": _pdf,
    }
    if media not in read:
        raise BadInput(f"{name!r} is of the kind {media!r}, which is not read: {', '.join(sorted(KINDS))} are.")
    text, title, sections, notes = read[media](data, name)
    if not text.strip():
        raise BadInput(f"{name!r} holds no text.")
    return Document(
        id=id, text=text, sections=tuple(sections), title=title, source=name, media=media, notes=tuple(notes)
    )


def _decoded(data: bytes, name: str) -> tuple[str, list[str]]:
    """The text of a file in whatever encoding, with Unix line ends; BadInput for a binary file."""
    notes: list[str] = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        head = data[:65536]
        if b"\0" in head or len(head.translate(None, _PRINTED)) > 0.02 * len(head):
            raise BadInput(f"{name!r} is a binary file, whatever its name says.")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            text, notes = _guessed(data, error)
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    odd = sum(unicodedata.category(letter) in ("Cn", "Co", "Cc") or letter == "\ufffd" for letter in text[:5000])
    odd -= text[:5000].count("\n") + text[:5000].count("\t")
    if odd > 0.1 * len(text[:5000]):
        raise BadInput(f"{name!r} is a binary file, whatever its name says.")
    return text, notes


def _guessed(data: bytes, error: UnicodeDecodeError) -> tuple[str, list[str]]:
    """Text that is not UTF-8: nearly so, with a few lines in another encoding, or in another encoding as a whole."""
    lines = data.split(b"\n")
    broken = [place for place, line in enumerate(lines) if not _is_utf8(line)]
    whole = sum(1 for line in lines if _is_utf8(line) and not line.isascii())
    if whole:  # mixed: other lines are UTF-8 beyond ASCII
        text = "\n".join(line.decode("utf-8" if _is_utf8(line) else "cp1252", "replace") for line in lines)
        return text, [f"{len(broken)} lines are not UTF-8 and were read as Windows-1252, the first is {broken[0] + 1}"]
    import charset_normalizer

    best = charset_normalizer.from_bytes(data[:200_000]).best()
    encoding = best.encoding if best is not None else "cp1252"
    return data.decode(encoding, "replace"), [f"not UTF-8; read as {encoding}"]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _plain(data: bytes, name: str) -> tuple[str, str, list[Section], list[str]]:
    text, notes = _decoded(data, name)
    return text, "", [Section(start=0, end=len(text))], notes


def _markdown(data: bytes, name: str) -> tuple[str, str, list[Section], list[str]]:
    """The Markdown source itself, so that offsets are those of the file's text; sections by CommonMark's headings."""
    from markdown_it import MarkdownIt

    text, notes = _decoded(data, name)
    front = _FRONT.match(text)
    skip = front.end() if front else 0
    named = _TITLE.search(front[1]) if front else None
    title = named[1].strip("\"' ") if named else ""
    starts = [skip]
    for line in text[skip:].split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    tokens = MarkdownIt("commonmark").parse(text[skip:])
    heads = [
        (starts[token.map[0]], min(starts[token.map[1]], len(text)), int(token.tag[1:]), _shown(tokens[place + 1]))
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.map is not None and token.level == 0
    ]
    if not title and heads and heads[0][2] == 1:
        title = heads[0][3]
    return text, title, _under(heads, skip, len(text), title), notes


def _shown(inline: Any) -> str:
    """A heading as it is read: without the marks of links and emphasis."""
    return " ".join("".join(t.content if t.content else " " for t in inline.children or []).split())


def _under(heads: list[tuple[int, int, int, str]], start: int, end: int, title: str) -> list[Section]:
    """Sections from headings (start, end of its line, level, text): a heading stands above its section, not inside."""
    sections = []
    above: list[tuple[int, str]] = []
    if (heads and heads[0][0] > start) or not heads:
        sections.append(Section(start=start, end=heads[0][0] if heads else end))
    for place, (begins, ends, level, words) in enumerate(heads):
        above = [*(one for one in above if one[0] < level), (level, words)]
        stop = heads[place + 1][0] if place + 1 < len(heads) else end
        path = tuple(text for _, text in above if text and text != title)
        deeper = place + 1 < len(heads) and heads[place + 1][2] > level
        # a heading with nothing under it is a passage of its own, else its words would be lost
        sections.append(Section(start=ends if deeper or stop > ends + 1 else begins, end=stop, headings=path))
    return sections


_BLOCKS = set(
    "address article aside blockquote body caption dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr"
    " html li main nav ol p pre section summary table tbody tfoot thead tr ul".split()
)
_DROPPED = ("script", "style", "noscript", "template", "head", "nav", "svg", "iframe", "button", "select", "textarea")


def _html(data: bytes, name: str) -> tuple[str, str, list[Section], list[str]]:
    try:
        from bs4 import BeautifulSoup, NavigableString, Tag
        from bs4.element import PreformattedString
    except ImportError as error:
        raise PrerequisiteError(f"reading HTML needs beautifulsoup4: {error}", remedy=RAG_REMEDY) from None
    try:
        soup = BeautifulSoup(data, "html.parser")
        title = " ".join(soup.title.get_text(" ").split()) if soup.title else ""
        for tag in soup.find_all(_DROPPED):
            tag.decompose()
    except Exception as error:  # the parser gives up on what is far from HTML, in its own ways
        raise BadInput(f"{name!r} cannot be read as HTML ({type(error).__name__}: {error}).") from None
    pieces: list[str] = []
    heads: list[tuple[int, int, int, str]] = []
    length = 0

    def put(words: str) -> None:
        nonlocal length
        pieces.append(words)
        length += len(words)

    def gap(size: int) -> None:
        tail = "".join(pieces[-3:])
        have = len(tail) - len(tail.rstrip("\n"))
        if length and have < size:
            put("\n" * (size - have))

    stack: list[Any] = [soup]
    while stack:  # not recursive: a page may be nested deeper than Python's stack
        node = stack.pop()
        if isinstance(node, Tag):
            if node.name in ("h1", "h2", "h3", "h4", "h5", "h6"):
                words = " ".join(node.get_text(" ").split())
                gap(2)
                start = length
                put(words + "\n")
                heads.append((start, length, int(node.name[1]), words))
            elif node.name == "pre":
                gap(2)
                put(node.get_text().strip("\n"))
                gap(2)
            else:
                size = 0 if node.name not in _BLOCKS else 1 if node.name in ("li", "tr", "dd", "dt", "br") else 2
                if size:
                    gap(size)
                    stack.append(lambda size=size: gap(size))
                elif node.name == "br":
                    put("\n")
                elif node.name in ("td", "th"):
                    stack.append(lambda: put(" | "))
                stack.extend(reversed(node.contents))
        elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
            words = re.sub(r"\s+", " ", str(node))
            if words.strip() or (pieces and not pieces[-1].endswith(("\n", " "))):
                put(words.lstrip() if not pieces or pieces[-1].endswith(("\n", " ")) else words)
        elif not isinstance(node, NavigableString):
            node()
    text = "".join(pieces).translate(_CONTROLS | {0x0D: None})
    if len(text) != length:  # control characters went: the headings' places moved, so cut without them
        heads = []
    if not title and heads:
        title = heads[0][3]
    return text, title, _under(heads, 0, len(text), title), []


def _pdf(data: bytes, name: str) -> tuple[str, str, list[Section], list[str]]:
    import logging

    try:
        from pypdf import PdfReader
        from pypdf.errors import PdfReadError
    except ImportError as error:
        raise PrerequisiteError(f"reading PDF needs pypdf: {error}", remedy=RAG_REMEDY) from None
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings are about the file's inner form
    pieces: list[str] = []
    sections: list[Section] = []
    bare: list[int] = []
    length = 0
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise BadInput(f"the PDF {name!r} is locked with a password: save it without one.")
        title = str((reader.metadata or {}).get("/Title") or "").translate(_CONTROLS).strip()
        for number, page in enumerate(reader.pages, start=1):
            words = (page.extract_text() or "").translate(_CONTROLS).replace("\r", "\n")
            words = words.encode("utf-8", "replace").decode("utf-8")  # lone surrogates of broken fonts
            if not words.strip():
                bare.append(number)
                continue
            pieces.append(words.rstrip() + "\n\n")
            sections.append(Section(start=length, end=length + len(pieces[-1]), page=number))
            length += len(pieces[-1])
    except BadInput:
        raise
    except (PdfReadError, Exception) as error:  # damaged files make it raise whatever comes up
        raise BadInput(f"the PDF {name!r} is damaged ({type(error).__name__}: {str(error)[:200]}).") from None
    if not sections:
        raise BadInput(
            f"the PDF {name!r} holds no text on its {len(bare)} pages: it is a scan, or its words are drawn. Recognise"
            " its text first, for example with ocrmypdf."
        )
    notes = [f"no text on page {', '.join(map(str, bare[:10]))}{' and more' if len(bare) > 10 else ''}"] if bare else []
    return "".join(pieces), title, sections, notes
