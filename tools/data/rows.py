"""Labelled rows, from where people keep them: JSONL, JSON, CSV, TSV, Parquet, saved Hugging Face data sets.

A column is found by the names that are usual for it, or named by the user. What cannot be used is refused with the file,
the row's number and what to do: no rows, rows without text or label, ids that come twice.
"""

from __future__ import annotations

import json
import math
import random
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.records import Row
from ...runtime.text import is_blank, whole
from .hub import load_hub
from .tables import KINDS, named_list, read_table

__all__ = ["drop_overlaps", "folds", "named_classes", "per_class", "plain", "read_rows", "text_key"]

_TEXT = ("text", "question", "sentence", "utterance", "input", "prompt", "query")
_LABEL = ("label", "intent", "answer", "class", "category", "target", "output", "completion")
_CHOICES = ("choices", "options")
_ID = "id"
_HUB = "hf:"


def read_rows(
    path: Path | str,
    *,
    text: str | None = None,
    label: str | None = None,
    note: Callable[[str], None] = lambda note: None,
) -> list[Row]:
    """The rows of `path`: a `.jsonl`, `.json`, `.csv`, `.tsv` or `.parquet` file, a folder of `datasets.save_to_disk`, or
    `hf:OWNER/NAME[:CONFIG][#SPLIT]` from the Hugging Face hub.

    `text` and `label` name the columns; by default the first of the usual names that is there, and `note` is told where there
    are others. A row without an id is called by its number from 1. Numbers, and truth values as labels, are taken as text, objects
    and lists as JSON. Other columns go to `meta`.

    Raises:
        BadInput: no such file, no rows, a column or a value is missing, or an id comes twice.
        PrerequisiteError: the package that reads Parquet or data sets is not installed, or the hub cannot be reached.
    """
    hub, path = str(path).startswith(_HUB), Path(path)
    loaded = load_hub(str(path)) if hub else _saved(path) if path.is_dir() else None
    records = _records(path) if loaded is None else named_classes(loaded)
    if not records:
        raise BadInput(f"{str(path)!r} holds no rows: give at least a few labelled examples.")
    columns = list(dict.fromkeys(name for record in records for name in record))
    text_column = _column(path, columns, text, _TEXT, "text", note)
    usual = [name for name in _LABEL if name != text_column]
    label_column = _column(path, columns, label, usual, "label", note)
    rows, seen = [], dict[str, int]()
    for number, record in enumerate(records, start=1):
        where = f"{str(path)!r}, row {number}"
        content = record.get(text_column)
        if isinstance(content, int | float) and not isinstance(content, bool) and not _is_nan(content):
            content = str(content)
        if not isinstance(content, str) or is_blank(content):
            raise BadInput(
                f"{where}: the column {text_column!r} holds {content!r}, not a text. Fill it, or drop the row."
            )
        answer = _as_text(record.get(label_column))
        if is_blank(answer):
            raise BadInput(f"{where}: the column {label_column!r} is empty. Give the row its label, or drop it.")
        given = record.get(_ID)
        name = str(number) if given in (None, "") else str(given)
        if name in seen:
            raise BadInput(f"{where}: the id {name!r} is that of row {seen[name]} too. Give each row an id of its own.")
        seen[name] = number
        used = {text_column, label_column, _ID}
        further = {str(key): plain(value) for key, value in record.items() if key not in used}
        meta = {key: value for key, value in further.items() if value is not None}
        for key in _CHOICES:
            if isinstance(meta.get(key), list):
                meta["choices"] = [str(choice) for choice in meta.pop(key)]
        rows.append(Row(id=whole(name), text=whole(content).strip(), label=whole(answer), meta=meta))
    return rows


def named_classes(loaded: Any) -> list[dict[str, Any]]:
    """The records of a `datasets.Dataset`, with the names of its classes in the place of their numbers."""
    names = {
        column: list(feature.names) for column, feature in loaded.features.items() if getattr(feature, "names", None)
    }
    records = [dict(record) for record in loaded]
    for column, known in names.items():
        for record in records:
            number = record[column]
            if isinstance(number, int) and 0 <= number < len(known):
                record[column] = known[number]
    return records


def text_key(text: str) -> str:
    """A text by its words: two texts with one key are the same but for case, blanks, signs of no width and the sentence's end."""
    seen = "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    return " ".join(seen.casefold().split()).rstrip(".!? ")


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


def _column(
    path: Path,
    columns: Sequence[str],
    named: str | None,
    usual: Sequence[str],
    what: str,
    note: Callable[[str], None],
) -> str:
    if named is not None:
        if named in columns:
            return named
        raise BadInput(f"{str(path)!r} has no column {named!r} for the {what}; it has {named_list(columns)}.")
    by_name = {name: column for name in usual for column in columns if str(column).strip().lower() == name}
    if not by_name:
        raise BadInput(
            f"{str(path)!r} has no {what} column: none of {', '.join(usual)} is among its columns"
            f" {named_list(columns)}. Rename one, or say which it is (--{what}-column)."
        )
    taken, *others = by_name.values()
    if others:
        note(
            f"{path.name}: the column {taken!r} was taken for the {what}, and not {named_list(others)}; --{what}-column takes another"
        )
    return taken


def _as_text(value: Any) -> str:
    if _is_missing(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def plain(value: Any) -> Any:
    """A cell as JSON has it; None for what has no place there: a picture, bytes, what is not known."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, date | time | Decimal):
        return str(value) if value == value else None  # NaT, which is a date that equals nothing
    if hasattr(value, "item") and not hasattr(value, "__len__"):  # a number of NumPy
        return plain(value.item())
    if isinstance(value, bool | int):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else None


def _is_missing(value: Any) -> bool:
    return value is None or _is_nan(value)


def _is_nan(value: Any) -> bool:
    """Not a number: what pandas writes for a cell that is empty."""
    return isinstance(value, float) and math.isnan(value)


def _records(path: Path) -> list[dict[str, Any]]:
    if path.suffix.lower() not in KINDS:
        raise BadInput(f"{str(path)!r} is no table: give {', '.join(KINDS)}, or a saved data set's folder.")
    return read_table(path)


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
