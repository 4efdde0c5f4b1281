"""Labelled rows, from where people keep them: JSONL, JSON, CSV, TSV, Parquet, saved Hugging Face data sets.

A column is found by the names that are usual for it, or named by the user. What cannot be used is refused with the file,
the row's number and what to do: no rows, rows without text or label, ids that come twice.
"""

from __future__ import annotations

import csv
import io
import json
import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.records import Row
from .hub import load_hub

__all__ = ["drop_overlaps", "folds", "per_class", "read_rows", "text_key"]

_TEXT = ("text", "question", "sentence", "utterance", "input", "prompt", "query")
_LABEL = ("label", "intent", "answer", "class", "category", "target", "output", "completion")
_CHOICES = ("choices", "options")
_ID = "id"
_HUB = "hf:"


def read_rows(path: Path | str, *, text: str | None = None, label: str | None = None) -> list[Row]:
    """The rows of `path`: a `.jsonl`, `.json`, `.csv`, `.tsv` or `.parquet` file, a folder of `datasets.save_to_disk`, or
    `hf:OWNER/NAME[:CONFIG][#SPLIT]` from the Hugging Face hub.

    `text` and `label` name the columns; by default the first of the usual names that is there. A row without an id is
    called by its number from 1. Numbers, and truth values as labels, are taken as text, objects and lists as JSON. Other
    columns go to `meta`.

    Raises:
        BadInput: no such file, no rows, a column or a value is missing, or an id comes twice.
        PrerequisiteError: the package that reads Parquet or data sets is not installed, or the hub cannot be reached.
    """
    hub, path = str(path).startswith(_HUB), Path(path)
    loaded = load_hub(str(path)) if hub else _saved(path) if path.is_dir() else None
    records = _records(path) if loaded is None else [dict(record) for record in loaded]
    if not records:
        raise BadInput(f"{str(path)!r} holds no rows: give at least a few labelled examples.")
    columns = list(dict.fromkeys(name for record in records for name in record))
    text_column = _column(path, columns, text, _TEXT, "text")
    label_column = _column(path, columns, label, [name for name in _LABEL if name != text_column], "label")
    # what the numbers of a data set's label column stand for; none where they stand for themselves
    names = [] if loaded is None else list(getattr(loaded.features[label_column], "names", None) or [])
    rows, seen = [], dict[str, int]()
    for number, record in enumerate(records, start=1):
        where = f"{str(path)!r}, row {number}"
        content = record.get(text_column)
        if isinstance(content, int | float) and not isinstance(content, bool):
            content = str(content)
        if not isinstance(content, str) or not content.strip():
            raise BadInput(
                f"{where}: the column {text_column!r} holds {content!r}, not a text. Fill it, or drop the row."
            )
        answer = _as_text(record.get(label_column), names)
        if not answer:
            raise BadInput(f"{where}: the column {label_column!r} is empty. Give the row its label, or drop it.")
        given = record.get(_ID)
        name = str(number) if given in (None, "") else str(given)
        if name in seen:
            raise BadInput(f"{where}: the id {name!r} is that of row {seen[name]} too. Give each row an id of its own.")
        seen[name] = number
        used = {text_column, label_column, _ID}
        meta = {key: value for key, value in record.items() if key not in used and value is not None}
        for key in _CHOICES:
            if isinstance(meta.get(key), list):
                meta["choices"] = [str(choice) for choice in meta.pop(key)]
        rows.append(Row(id=name, text=content.strip(), label=answer, meta=meta))
    return rows


def text_key(text: str) -> str:
    """A text by its words: two texts with one key are the same but for case, blanks and the sentence's end."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".!? ")


def drop_overlaps(rows: Sequence[Row], *others: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """(kept, dropped): dropped are the rows whose text is in `others` too, by `text_key`."""
    taken = {text_key(row.text) for other in others for row in other}
    kept = [row for row in rows if text_key(row.text) not in taken]
    return kept, [row for row in rows if text_key(row.text) in taken]


def per_class(rows: Sequence[Row], count: int, seed: int, *, fewer: bool = False) -> list[Row]:
    """`count` rows of each label, drawn by `seed`, in the order of `rows`.

    Raises `BadInput` naming a label that has fewer; with `fewer` it gives all it has.
    """
    if count < 1:
        raise BadInput(f"{count} rows a class: give 1 or more.")
    chosen = set[str]()
    for label, members in sorted(_by_label(rows).items()):
        if len(members) < count and not fewer:
            raise BadInput(f"the label {label!r} has {len(members)} rows, and {count} a class are asked for.")
        chosen.update(row.id for row in random.Random(f"{seed}/{label}").sample(members, min(count, len(members))))
    return [row for row in rows if row.id in chosen]


def folds(rows: Sequence[Row], count: int, seed: int) -> list[tuple[list[Row], list[Row]]]:
    """`count` pairs (training rows, held-out rows); each row is held out once, and the labels are spread evenly.

    Raises `BadInput` where there are fewer than two folds, or fewer rows than folds.
    """
    if not 2 <= count <= len(rows):
        raise BadInput(f"{count} folds of {len(rows)} rows: give from 2 to the number of rows.")
    place: dict[str, int] = {}
    dealt = 0
    for label, members in sorted(_by_label(rows).items()):
        for row in random.Random(f"{seed}/{label}").sample(members, len(members)):
            place[row.id] = dealt % count
            dealt += 1
    return [
        ([row for row in rows if place[row.id] != fold], [row for row in rows if place[row.id] == fold])
        for fold in range(count)
    ]


def _by_label(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.label].append(row)
    return groups


def _column(path: Path, columns: Sequence[str], named: str | None, usual: Sequence[str], what: str) -> str:
    if named is not None:
        if named in columns:
            return named
        raise BadInput(f"{str(path)!r} has no column {named!r} for the {what}; it has {', '.join(map(repr, columns))}.")
    for name in usual:
        found = next((column for column in columns if column.strip().lower() == name), None)
        if found is not None:
            return found
    raise BadInput(
        f"{str(path)!r} has no {what} column: none of {', '.join(usual)} is among its columns"
        f" {', '.join(map(repr, columns))}. Rename one, or say which it is (--{what}-column)."
    )


def _as_text(value: Any, names: Sequence[str]) -> str:
    if value is None:
        return ""
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _records(path: Path) -> list[dict[str, Any]]:
    kind = path.suffix.lower()
    if kind == ".parquet":
        return _parquet(path)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{str(path)!r} is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    if kind in (".csv", ".tsv"):
        return _table(path, content, "\t" if kind == ".tsv" else ",")
    if kind in (".jsonl", ".ndjson"):
        return [_line(path, number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
    if kind != ".json":
        raise BadInput(
            f"{str(path)!r} is no table: give .jsonl, .json, .csv, .tsv, .parquet or a saved data set's folder."
        )
    try:
        loaded = json.loads(content)
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is not JSON: {error}.") from None
    if not isinstance(loaded, list) or not all(isinstance(record, dict) for record in loaded):
        raise BadInput(f"{str(path)!r} must hold a list of objects, one a row.")
    return loaded


def _line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{str(path)!r}, line {number} is not JSON: {error}.") from None
    if not isinstance(record, dict):
        raise BadInput(f"{str(path)!r}, line {number} is no JSON object: give one row of named fields a line.")
    return record


def _table(path: Path, content: str, delimiter: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        records = [dict(record) for record in reader]
    except csv.Error as error:
        raise BadInput(f"{str(path)!r}, line {reader.line_num} is not CSV: {error}.") from None
    for number, record in enumerate(records, start=1):
        if None in record:
            raise BadInput(
                f"{str(path)!r}, row {number} has more cells than the header has names:"
                " put texts that hold the separator in quotes."
            )
    return records


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
        records: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise BadInput(f"{str(path)!r} cannot be read as Parquet: {error}.") from None
    return records


def _saved(folder: Path) -> Any:
    """The data set of one split in a folder."""
    if not any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
        raise BadInput(
            f"{str(folder)!r} is no data set that `datasets.save_to_disk` wrote: give its folder, or a file."
        )
    try:
        import datasets
    except ImportError:
        raise PrerequisiteError(
            f"{str(folder)!r} is a saved Hugging Face data set, and the package 'datasets' is not installed",
            remedy="pip install 'inloop[datasets]', or export it to JSONL.",
        ) from None
    loaded = datasets.load_from_disk(str(folder))
    if hasattr(loaded, "keys"):
        raise BadInput(
            f"{str(folder)!r} holds several splits ({', '.join(loaded)}): give the folder of one,"
            f" such as {str(folder / next(iter(loaded)))!r}."
        )
    return loaded
