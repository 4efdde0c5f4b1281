"""Tables of rows: Excel files by openpyxl, CSV and TSV by the standard library.

Each row says the names of its columns with it ("Boat: Tern; Length: 7 m"), since a passage is read without the rows above it.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from ....runtime.errors import BadInput, PrerequisiteError
from .encodings import decoded
from .office import OFFICE_REMEDY, damaged, properties
from .outline import Hints, Outline, Reading

__all__ = ["read_csv", "read_excel"]

_SEARCHED = 20  # rows at the top among which the one with the names of the columns is
_LIMIT = 10_000_000  # characters of a cell of a CSV file


def read_excel(data: bytes, name: str, hints: Hints) -> Reading:
    """An Excel file (.xlsx): a section a sheet, values as they were last computed.

    Raises:
        BadInput: it is damaged or locked.
        PrerequisiteError: the extra `office` is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise PrerequisiteError(f"reading Excel files needs openpyxl: {error}", remedy=OFFICE_REMEDY) from None
    import warnings

    outline = Outline()
    with damaged(name, "Excel file", data), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of extensions that hold no words
        book: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        title, meta = properties(book.properties)
        for number, sheet in enumerate(book.worksheets, start=1):
            outline.page = number
            outline.heading(2, sheet.title)
            _put((tuple(map(_shown, row)) for row in sheet.iter_rows(values_only=True)), outline)
        book.close()
        return outline.reading(title=title, meta=meta)


def read_csv(data: bytes, name: str, hints: Hints) -> Reading:
    """Values parted by commas, semicolons, tabs or bars. Raises `BadInput` for a binary file."""
    text, notes = decoded(data, name, encoding=hints.encoding)
    delimiter = "\t" if name.lower().endswith((".tsv", ".tab")) else _delimiter(text)
    outline = Outline()
    before = csv.field_size_limit(_LIMIT)
    try:
        _put(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), outline)
    except csv.Error as error:
        raise BadInput(f"{name!r} cannot be read as a table ({error}).") from None
    finally:
        csv.field_size_limit(before)
    return outline.reading(notes=notes)


def _delimiter(text: str) -> str:
    """The sign that is in the first lines most evenly: as often in each, and often."""
    lines = [line for line in text[:20_000].split("\n")[:30] if line.strip()]

    def evenness(sign: str) -> tuple[float, int]:
        counts = [line.count(sign) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) / len(counts) if usual else 0.0), usual

    return max(",;\t|", key=evenness)


def _put(rows: Iterable[Sequence[str]], outline: Outline) -> None:
    """Rows under the names of their columns; what stands above these is a row of its own."""
    rest = iter(rows)
    first = list(islice(rest, _SEARCHED))
    place = _head(first)
    for row in first[: place or 0]:
        outline.block(" ".join(" ".join(row).split()))
    names = [" ".join(name.split()) for name in first[place]] if place is not None else []
    for row in _chain(first[(0 if place is None else place + 1) :], rest):
        cells = [" ".join(cell.split()) for cell in row]
        labels = [*names, *[""] * (len(cells) - len(names))]
        shown = [f"{label}: {cell}" if label else cell for label, cell in zip(labels, cells, strict=False) if cell]
        if shown:
            outline.item("; ".join(shown), mark="")


def _chain(first: Iterable[Sequence[str]], rest: Iterator[Sequence[str]]) -> Iterator[Sequence[str]]:
    yield from first
    yield from rest


def _head(rows: list[Sequence[str]]) -> int | None:
    """The row that names the columns: the first that is as wide as the table, of words alone; None where there is none."""
    widths = [sum(bool(cell.strip()) for cell in row) for row in rows]
    widest = max(widths, default=0)
    if widest < 2:
        return None
    for place, (row, width) in enumerate(zip(rows, widths, strict=True)):
        cells = [cell.strip() for cell in row if cell.strip()]
        if width >= 0.6 * widest:
            named = all(not _is_number(cell) for cell in cells) and len(set(cells)) == len(cells)
            return place if named and any(widths[place + 1 :]) else None
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "").rstrip("%"))
    except ValueError:
        return False
    return True


def _shown(value: object) -> str:
    """A cell as a person writes it."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return format(value, ".12g") if isinstance(value, float) else str(value)
