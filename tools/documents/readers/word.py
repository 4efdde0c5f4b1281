"""Word files by python-docx: headings by their style, lists, tables, code, in the order of the body."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import regex

from ....runtime.errors import PrerequisiteError
from .office import OFFICE_REMEDY, damaged, properties
from .outline import Hints, Outline, Reading

if TYPE_CHECKING:
    from docx.table import Table

__all__ = ["read_word"]

_HEADING = regex.compile(r"heading (\d)", regex.I)
_CODE = regex.compile(r"code|source|preformatted|listing|macro", regex.I)


def read_word(data: bytes, name: str, hints: Hints) -> Reading:
    """A Word file (.docx).

    Raises:
        BadInput: it is damaged or locked.
        PrerequisiteError: the extra `office` is not installed.
    """
    try:
        import docx
    except ImportError as error:
        raise PrerequisiteError(f"reading Word files needs python-docx: {error}", remedy=OFFICE_REMEDY) from None
    outline = Outline()
    with damaged(name, "Word file", data):
        document: Any = docx.Document(io.BytesIO(data))
        title, meta = properties(document.core_properties)
        for block in document.iter_inner_content():
            title = _put(block, outline) or title
        for note in _notes(document):
            outline.block(note)
        return outline.reading(title=title, meta=meta)


def _put(block: Any, outline: Outline) -> str:
    """Put a paragraph or a table into the outline; the words of a title, empty for all else."""
    if hasattr(block, "rows"):
        _put_table(block, outline)
        return ""
    style = str(block.style.name or "") if block.style is not None else ""
    words = _words(block)
    heading = _HEADING.fullmatch(style)
    if style == "Title":
        return " ".join(words.split())
    if heading:
        outline.heading(int(heading[1]), words)
    elif _CODE.search(style):
        outline.code(words)
    elif (depth := _depth(block, style)) is not None and words.strip():
        outline.item(words, depth=depth)
    else:
        outline.block(words)
    return ""


def _put_table(table: Table, outline: Outline) -> None:
    for row in table.rows:
        cells: list[Any] = []
        for cell in row.cells:  # a merged cell comes once for each place that it takes
            if not cells or cell._tc is not cells[-1]._tc:
                cells.append(cell)
        outline.row(" ".join(_words(block) if not hasattr(block, "rows") else _table_words(block) for block in cell.iter_inner_content())
                    for cell in cells)  # fmt: skip


def _table_words(table: Any) -> str:
    return "; ".join(" ".join(cell.text for cell in row.cells) for row in table.rows)


def _words(paragraph: Any) -> str:
    """The words of a paragraph as they are printed: insertions that were tracked too, deletions not, text of boxes and fields."""
    pieces = []
    for node in paragraph._p.iter():
        tag = str(node.tag).rpartition("}")[2]
        if tag == "t" and not any(str(above.tag).endswith("}Fallback") for above in node.iterancestors()):
            pieces.append(node.text or "")
        elif tag in ("br", "cr"):
            pieces.append("\n")
        elif tag == "tab" and not str(node.getparent().tag).endswith("}tabs"):
            pieces.append("\t")
        elif tag == "noBreakHyphen":
            pieces.append("-")
    return "".join(pieces)


def _depth(paragraph: Any, style: str) -> int | None:
    """How deep in lists a paragraph is, None for one that is no item."""
    numbering = paragraph._p.find(".//{*}numPr")
    if numbering is not None:
        level = numbering.find("{*}ilvl")
        return int(next(iter(level.attrib.values()), 0)) if level is not None else 0
    if style.startswith("List"):
        number = style.rpartition(" ")[2]
        return int(number) - 1 if number.isdecimal() else 0
    return None


def _notes(document: Any) -> Iterator[str]:
    """Footnotes and endnotes, which stand in files of their own within the file."""
    from lxml import etree

    for part in document.part.package.iter_parts():
        if str(part.partname) in ("/word/footnotes.xml", "/word/endnotes.xml"):
            for note in etree.fromstring(part.blob, etree.XMLParser(resolve_entities=False)).iterfind("{*}footnote"):
                words = "".join(note.itertext("{*}t"))
                if words.strip():
                    yield words.strip()
