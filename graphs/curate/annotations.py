"""What a table says of the pictures of a folder, by their names: captions and classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.text import is_blank
from ...tools.data import read_table

__all__ = ["FOLDER", "Annotations", "read_annotations", "source"]

FOLDER = "folder"
"""`labels` where the class of a picture is the sub-folder that it lies in."""
_NAMES = ("image", "file_name", "image_path", "path", "file")
_TEXTS = ("caption", "text", "prompt")


@dataclass(frozen=True)
class Annotations:
    """By a picture's name its caption, and its class; of those that have one."""

    captions: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def source(path: str) -> str:
    """The sub-folder that a picture lies in; "" for the folder itself."""
    parent = str(PurePath(path).parent)
    return "" if parent == "." else parent


def read_annotations(table: str, labels: str, files: Sequence[str], folder: Path) -> Annotations:
    """The captions of `table` ("" for none), and the classes: of its column `labels`, or of the sub-folders.

    Pictures are named from the folder, or from where the table lies (as in the metadata of a Hugging Face image folder).

    Raises:
        BadInput: no such table or columns, a picture twice, a row of a picture that is not there, or nothing in a column that was asked for.
    """
    if labels == FOLDER:
        classes = {file: name for file in files if (name := source(file))}
        if len(set(classes.values())) < 2:
            raise BadInput(
                f"--labels folder: {str(folder)!r} has pictures in {len(set(classes.values()))} sub-folders: give two or more, one a class."
            )
        return Annotations(_captions(_rows(Path(table), files, folder), table) if table else {}, classes)
    if labels and not table:
        raise BadInput(
            f"--labels {labels} names a column: give its table with --captions, or --labels folder for the sub-folders."
        )
    if not table:
        return Annotations()
    rows = _rows(Path(table), files, folder)
    if not labels:
        return Annotations(_captions(rows, table))
    columns = next(iter(rows.values()))
    if labels not in columns:
        raise BadInput(f"--labels: {table!r} has the columns {', '.join(map(repr, columns))}: give one of them.")
    classes = {
        picture: " ".join(str(row[labels]).split()) for picture, row in rows.items() if not _empty(row.get(labels))
    }
    if len(set(classes.values())) < 2:
        raise BadInput(
            f"--labels: the column {labels!r} of {table!r} has {len(set(classes.values()))} classes: two or more are needed."
        )
    return Annotations(_captions(rows, table) if any(name in columns for name in _TEXTS) else {}, classes)


def _empty(value: Any) -> bool:
    return value is None or value != value or is_blank(str(value))  # a table's NaN is unlike itself


def _rows(table: Path, files: Sequence[str], folder: Path) -> dict[str, Mapping[str, Any]]:
    """The rows of a table by the picture's name under the folder."""
    rows = read_table(table)
    if not rows:
        raise BadInput(f"--captions: {str(table)!r} has no rows: give a table with the columns image and caption.")
    name = next((each for each in _NAMES if each in rows[0]), None)
    if name is None:
        raise BadInput(
            f"--captions: {str(table)!r} has the columns {', '.join(map(repr, rows[0]))}: give image and caption."
        )
    known = {os.path.relpath(folder / file, table.parent): file for file in files} | {file: file for file in files}
    pictures = [known.get(os.path.normpath(str(row.get(name))), "") for row in rows]
    strangers = [str(row.get(name)) for row, picture in zip(rows, pictures, strict=True) if not picture]
    if strangers:
        raise BadInput(
            f"--captions: {len(strangers)} of {len(rows)} rows of {str(table)!r} name no picture of the folder, such as"
            f" {strangers[0]!r}: names are paths from the folder that is cleaned, such as {files[0]!r}, or from where the table lies."
        )
    found: dict[str, Mapping[str, Any]] = {}
    for row, picture in zip(rows, pictures, strict=True):
        if picture in found:
            raise BadInput(f"--captions: the picture {picture!r} is in {str(table)!r} twice: give it once.")
        found[picture] = row
    return found


def _captions(rows: Mapping[str, Mapping[str, Any]], table: str) -> dict[str, str]:
    columns = next(iter(rows.values()))
    text = next((each for each in _TEXTS if each in columns), None)
    if text is None:
        raise BadInput(
            f"--captions: {table!r} has the columns {', '.join(map(repr, columns))}: give image and caption."
        )
    found = {
        picture: " ".join(caption.split())
        for picture, row in rows.items()
        if isinstance(caption := row.get(text), str) and not is_blank(caption)
    }
    if not found:
        raise BadInput(f"--captions: no row of {table!r} has a caption: give the column {text!r} texts.")
    return found
