"""Records as rows of a table: for pandas, and in words for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import PrerequisiteError
from ..records import BlobRef, Record, Score

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Cell", "cells_of", "frame_of", "images_of", "worded"]

Cell = Any
"""What stands in a table: a number, a text, a picture (`BlobRef`), or several of them; None is "not known"."""


def cells_of(record: Record) -> dict[str, Cell]:
    """The fields of a record by name; of a score its value, of a record within it the fields as `field.name`."""
    cells: dict[str, Cell] = {}
    for name in type(record).model_fields:
        value = getattr(record, name)
        if isinstance(value, Score):
            cells[name] = value.value
        elif isinstance(value, Record) and not isinstance(value, BlobRef):
            cells.update({f"{name}.{inner}": cell for inner, cell in cells_of(value).items()})
        else:
            cells[name] = value
    return cells


def frame_of(rows: Sequence[Mapping[str, Cell]]) -> DataFrame:
    """The rows as a data frame. Pictures are their sha256; records within lists are dictionaries.

    Raises:
        PrerequisiteError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise PrerequisiteError(
            "a data frame needs pandas", remedy="pip install 'inloop[notebook]', or pip install pandas."
        ) from None
    return pandas.DataFrame([{name: _plain(cell) for name, cell in row.items()} for row in rows])


def images_of(rows: Iterable[Mapping[str, Cell]]) -> list[BlobRef]:
    """The pictures in the rows, in order."""
    images: list[BlobRef] = []
    for row in rows:
        for cell in row.values():
            several = cell if isinstance(cell, list | tuple) else (cell,)
            images += [each for each in several if isinstance(each, BlobRef) and each.media_type.startswith("image/")]
    return images


def worded(cell: Cell) -> str:
    """A cell in words: None is empty, numbers have four digits, long lists are counted."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}".replace("-", "−")
    if isinstance(cell, BlobRef):
        return f"{cell.media_type} {cell.sha256[:12]}"
    if isinstance(cell, Mapping):
        simple = all(isinstance(value, str | int | float | None) for value in cell.values()) and len(cell) <= 8
        return "; ".join(f"{key}: {worded(value)}" for key, value in cell.items()) if simple else f"{len(cell)} entries"
    if isinstance(cell, list | tuple):
        simple = all(isinstance(value, str | int | float | None) for value in cell) and len(cell) <= 8
        return ", ".join(worded(value) for value in cell) if simple else f"{len(cell)} entries"
    return str(cell)


def _plain(cell: Cell) -> Any:
    if isinstance(cell, BlobRef):
        return cell.sha256
    if isinstance(cell, Record):
        return cell.model_dump(mode="json")
    if isinstance(cell, list | tuple):
        return [_plain(each) for each in cell]
    return cell
