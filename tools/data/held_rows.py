"""Rows as they are in a program's memory: lists of dictionaries, data frames, data sets of Hugging Face."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.records import Row
from ...runtime.storage import write_whole
from .rows import named_classes, plain
from .write import json_lines

__all__ = ["kept_rows"]


def kept_rows(rows: Any, folder: Path, *, name: str) -> Path:
    """A JSONL file in `folder`, named by its content, that holds the rows; `name` is what messages call them.

    `rows`: `Row`s or dictionaries in a list, a pandas `DataFrame`, or a `datasets.Dataset`, whose class numbers become their names.

    Raises:
        BadInput: nothing of these.
        PrerequisiteError: the file cannot be written.
    """
    data = json_lines([{str(key): plain(value) for key, value in record.items()} for record in _records(rows, name)])
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.jsonl"
    if not path.is_file():
        write_whole(path, data)
    return path


def _records(rows: Any, name: str) -> list[Mapping[str, Any]]:
    if hasattr(rows, "features") and hasattr(rows, "column_names"):
        if hasattr(rows, "keys"):
            raise BadInput(f"{name} holds several splits ({', '.join(rows)}): give one of them.")
        return list(named_classes(rows))
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        return list(rows.to_dict("records"))
    if isinstance(rows, list | tuple):
        records = [
            {"id": row.id, "text": row.text, "label": row.label, **row.meta} if isinstance(row, Row) else row
            for row in rows
        ]
        wrong = next((record for record in records if not isinstance(record, Mapping)), None)
        if wrong is None:
            return records
        raise BadInput(f"{name} holds {wrong!r:.80}: each row must be a dictionary with a text and a label.")
    raise BadInput(
        f"{name} is a {type(rows).__name__}: give the path of a file, a list of dictionaries, a DataFrame or a datasets.Dataset."
    )
