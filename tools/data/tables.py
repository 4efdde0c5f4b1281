"""Tables as people keep them, as rows of named fields: CSV, TSV, JSONL, JSON, Parquet.

What cannot be read as it was meant is refused with the file, the line and what to do: another encoding, a row with more cells than the
table has columns, two columns of one name.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.text import json_of, lines_of, read_text

__all__ = ["KINDS", "named_list", "read_table"]

KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
"""The endings of tables."""
_SEPARATORS = ",;\t"

csv.field_size_limit(1 << 24)


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a table. The cells of a CSV file are parted by commas, semicolons or tabs, as in its first line.

    A JSON file holds a list of objects. Class numbers of a data set's Parquet file are given as their names.

    Raises:
        BadInput: the file is not there, is no such table, or has a line that cannot be read; it names the line.
        PrerequisiteError: the package that reads Parquet is not installed.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise BadInput(f"{str(path)!r} is no table: give {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
    if kind == ".parquet":
        return _parquet(path)
    text = read_text(path)
    if kind in (".csv", ".tsv"):
        return _cells(path, text, "\t" if kind == ".tsv" else _separator(text))
    if kind in (".jsonl", ".ndjson"):
        return [_object(path, number, line) for number, line in enumerate(lines_of(text), 1) if line.strip()]
    try:
        content = json_of(text)
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is not JSON: {error}.") from None
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise BadInput(f"{str(path)!r} must hold a list of objects, one a row.")
    return content


def named_list(names: Sequence[object], most: int = 12) -> str:
    """Names as they are listed in a message: "'a', 'b'", the first `most` of them."""
    listed = ", ".join(repr(name) for name in names[:most])
    return (listed or "none") + (f" and {len(names) - most} more" if len(names) > most else "")


def _separator(text: str) -> str:
    header = next(iter(lines_of(text[:10_000])), "")
    return max(_SEPARATORS, key=header.count)  # of equal ones the first


def _cells(path: Path, text: str, separator: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    rows = []
    try:
        names = list(reader.fieldnames or ())
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise BadInput(f"{str(path)!r} has two columns {twice!r}: give each column a name of its own.")
        for number, row in enumerate(reader, start=1):
            cells: dict[str | None, Any] = dict(row)
            if None in cells:
                raise BadInput(
                    f"{str(path)!r}, row {number} has more cells than there are columns ({named_list(names)})."
                    f' Put a text that holds {separator!r} in quotes: "...".'
                )
            rows.append(dict(row))
    except csv.Error as error:
        raise BadInput(f"{str(path)!r}, line {reader.line_num} is not CSV: {error}.") from None
    return rows


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json_of(line)
    except ValueError as error:
        raise BadInput(f"{str(path)!r}, line {number} is not JSON: {error}.") from None
    if not isinstance(row, dict):
        raise BadInput(f"{str(path)!r}, line {number} is no JSON object: give one row of named fields a line.")
    return row


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise PrerequisiteError(
            f"{str(path)!r} is a Parquet file, and the package 'pyarrow' is not installed",
            remedy="pip install 'inloop[datasets]', or export it to JSONL.",
        ) from None
    try:
        table = pyarrow.parquet.ParquetFile(path).read()
        rows: list[dict[str, Any]] = table.to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise BadInput(f"{str(path)!r} cannot be read as Parquet: {error}.") from None
    for column, names in _class_names(table.schema.metadata or {}).items():
        for row in rows:
            number = row.get(column)
            if isinstance(number, int) and 0 <= number < len(names):
                row[column] = names[number]
    return rows


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """By column, the names of its classes, where the package `datasets` wrote them beside the table."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return {
        column: [str(name) for name in feature["names"]]
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }
