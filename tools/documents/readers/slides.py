"""PowerPoint files by python-pptx: a section a slide, with its number as the page; tables, notes and grouped shapes too."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from ....runtime.errors import PrerequisiteError
from .office import OFFICE_REMEDY, damaged, properties
from .outline import Hints, Outline, Reading

__all__ = ["read_slides"]


def read_slides(data: bytes, name: str, hints: Hints) -> Reading:
    """A PowerPoint file (.pptx).

    Raises:
        BadInput: it is damaged or locked.
        PrerequisiteError: the extra `office` is not installed.
    """
    try:
        import pptx
    except ImportError as error:
        raise PrerequisiteError(f"reading PowerPoint files needs python-pptx: {error}", remedy=OFFICE_REMEDY) from None
    outline = Outline()
    with damaged(name, "PowerPoint file", data):
        presentation: Any = pptx.Presentation(io.BytesIO(data))
        title, meta = properties(presentation.core_properties)
        if title == "PowerPoint Presentation":
            title = ""
        for number, slide in enumerate(presentation.slides, start=1):
            outline.page = number
            head = slide.shapes.title
            words = head.text_frame.text if head is not None else ""
            outline.heading(2, words or f"Slide {number}")
            for shape in _shapes(slide.shapes):
                if head is None or shape.shape_id != head.shape_id:
                    _put(shape, outline)
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
                outline.block(slide.notes_slide.notes_text_frame.text)
        return outline.reading(title=title, meta=meta)


def _shapes(shapes: Any) -> Iterator[Any]:
    """The shapes of a slide, those in groups too, from the top and from the left."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _put(shape: Any, outline: Outline) -> None:
    if getattr(shape, "has_table", False) and shape.has_table:
        for row in shape.table.rows:
            outline.row(cell.text for cell in row.cells)
    elif shape.has_text_frame:
        paragraphs = [paragraph for paragraph in shape.text_frame.paragraphs if paragraph.text.strip()]
        for paragraph in paragraphs:
            words = paragraph.text.replace("\v", "\n")
            if len(paragraphs) > 1:
                outline.item(words, depth=paragraph.level)
            else:
                outline.block(words)
