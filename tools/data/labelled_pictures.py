"""Pictures with a class each, as people keep them: a folder with one subfolder a class, or a table.

Only names and words are read here; a picture is opened when its turn comes (`read_picture`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.records import Record
from .prompted_pictures import picture_files
from .tables import KINDS, named_list, read_table

__all__ = ["LabelledPicture", "read_labelled"]

_METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")  # as of the hub's image folders
_PICTURE = ("image", "file_name", "image_path", "path", "file")


class LabelledPicture(Record):
    """A picture file with its class. `columns`: what else a table says of it, such as its domain or its group."""

    path: str
    label: str
    columns: dict[str, str] = Field(default_factory=dict)


def read_labelled(source: Path, *, label: str = "label") -> tuple[LabelledPicture, ...]:
    """The pictures of `source` with their classes: two classes or more, each picture once.

    Args:
        source: a folder whose subfolders are the classes (the first level counts; deeper ones belong to it), one with a metadata.jsonl, .csv or
            .parquet, which then says what is what, or a table (CSV, TSV, JSONL,
            JSON, Parquet) with a column of picture files, beside the table or absolute: image, file_name, image_path, path or file.
        label: the column of the class; a folder of classes has none.

    Raises:
        BadInput: no such folder or table, no picture, a picture without a class or that is not there, one that is named twice, or one class alone.
        PrerequisiteError: the package that reads Parquet is not installed.
    """
    table = next((source / name for name in _METADATA if (source / name).is_file()), None)
    if table is not None:
        labelled = _of_table(table, label)
    elif source.is_dir():
        labelled = _of_folder(source)
    elif source.is_file():
        labelled = _of_table(source, label)
    else:
        raise BadInput(
            f"{str(source)!r} does not exist: give a folder with a subfolder a class, or a table ({', '.join(KINDS)})."
        )
    classes = {each.label for each in labelled}
    if len(classes) < 2:
        raise BadInput(
            f"{str(source)!r} has {named_list(sorted(classes))} as its only class: give two or more to tell apart."
        )
    return labelled


def _of_folder(folder: Path) -> tuple[LabelledPicture, ...]:
    files = picture_files(folder)
    loose = [path.name for path in files if path.parent == folder]
    if loose:
        raise BadInput(
            f"{len(loose)} pictures in {str(folder)!r} lie in no subfolder, so they have no class ({named_list(loose, 3)}):"
            " give each class a subfolder, or a table with a column label."
        )
    return tuple(LabelledPicture(path=str(path), label=path.relative_to(folder).parts[0]) for path in files)


def _of_table(table: Path, label: str) -> tuple[LabelledPicture, ...]:
    rows = read_table(table)
    if not rows:
        raise BadInput(f"{str(table)!r} has no rows: give a picture and its class a row.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    column = next((name for name in _PICTURE if name in names), None)
    if column is None or label not in names:
        wanted = f"column {label!r}" if column else f"column of picture files ({', '.join(_PICTURE)})"
        raise BadInput(f"{str(table)!r} has no {wanted}: it has {named_list(names)}.")
    labelled: list[LabelledPicture] = []
    rows_by_path: dict[Path, int] = {}
    for number, row in enumerate(rows, 1):
        name, word = _word(row.get(column)), _word(row.get(label))
        if not name or not word:
            raise BadInput(
                f"{str(table)!r}, row {number} has no {label if name else column}: fill it in, or leave the row out."
            )
        path = table.parent / Path(name).expanduser()
        if not path.is_file():
            raise BadInput(
                f"{str(table)!r}, row {number} names {name!r}, which is no file: paths start at the table's folder."
            )
        first = rows_by_path.setdefault(path.resolve(), number)
        if first != number:
            raise BadInput(f"{str(table)!r} names {name!r} in rows {first} and {number}: leave one of them out.")
        more = {key: _word(value) for key, value in row.items() if key not in (column, label) and _word(value)}
        labelled.append(LabelledPicture(path=str(path), label=word, columns=more))
    return tuple(labelled)


def _word(value: Any) -> str:
    return "" if value is None else str(value).strip()
