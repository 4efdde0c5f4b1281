"""The labels of a picture, and the formats that they are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from ...runtime.errors import BadInput
from ...runtime.text import json_of, read_text
from .coco import read_coco, write_coco
from .label_studio import read_label_studio, write_label_studio
from .things import LabelledThing, PictureLabels
from .yolo import read_yolo, write_yolo

__all__ = ["FORMATS", "Format", "LabelledThing", "PictureLabels", "read_labels", "written_labels"]

Format: TypeAlias = Literal["coco", "yolo", "label-studio"]
FORMATS: tuple[Format, ...] = get_args(Format)

_WRITERS: dict[str, Callable[[Sequence[PictureLabels], Sequence[str]], dict[str, bytes]]] = {
    "coco": write_coco,
    "yolo": write_yolo,
    "label-studio": write_label_studio,
}


def written_labels(format: Format, pictures: Sequence[PictureLabels], classes: Sequence[str]) -> dict[str, bytes]:
    """The files of labels by their path below the folder that they are written into."""
    return _WRITERS[format](pictures, classes)


def read_labels(path: Path) -> list[PictureLabels]:
    """The labels of a COCO or a Label Studio file, or of a folder as YOLO has it; which one it is, it says itself.

    Raises:
        BadInput: it is none of them, or something in it cannot be read.
    """
    if path.is_dir():
        return read_yolo(path)
    try:
        content = json_of(read_text(path))
    except ValueError as error:
        raise BadInput(
            f"{str(path)!r} is no JSON ({error}): give a COCO or Label Studio file, or a folder of YOLO's."
        ) from None
    if isinstance(content, dict) and "images" in content and "annotations" in content:
        return read_coco(content, str(path))
    if isinstance(content, list):
        return read_label_studio(content, str(path))
    raise BadInput(
        f"{str(path)!r} is neither COCO (an object with images and annotations) nor Label Studio (a list of tasks): export one of these."
    )
