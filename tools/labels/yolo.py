"""YOLO's format as Ultralytics reads it for segmentation: a text a picture, a line a thing, with the number of its class and its outline.

Corners are in shares of width and height.
A line has one outline; parts and holes are joined to it by a line there and back, which has no area, so that filling it by the even-odd rule (as
OpenCV does) gives the very mask. A thing whose box alone is known is written, and read, as class, middle, width and height.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...runtime.errors import BadInput
from ...runtime.text import lines_of, read_text
from ..segmentation import box_of, filled, outlines
from .things import LabelledThing, PictureLabels

__all__ = ["read_yolo", "write_yolo"]

_SIZES = "sizes.json"


def write_yolo(pictures: Sequence[PictureLabels], classes: Sequence[str]) -> dict[str, bytes]:
    """`data.yaml`, `labels/PICTURE.txt`, and `sizes.json` with the size of each picture, by which shares become pixels again.

    Pictures are looked for in `images/`.
    """
    numbers = {name: place for place, name in enumerate(classes)}
    named = "".join(f"  {place}: {json.dumps(name, ensure_ascii=False)}\n" for name, place in numbers.items())
    files = {"data.yaml": f"train: images\nval: images\nnames:\n{named}".encode()}
    sizes = {each.picture: [each.width, each.height] for each in pictures}
    files[_SIZES] = json.dumps(sizes, ensure_ascii=False).encode("utf-8", "surrogatepass")
    for each in pictures:
        lines = [_line(thing, numbers[thing.label], each.width, each.height) for thing in each.things]
        files[f"labels/{PurePosixPath(each.picture).with_suffix('.txt')}"] = "".join(
            f"{line}\n" for line in lines
        ).encode()
    return files


def _line(thing: LabelledThing, number: int, width: int, height: int) -> str:
    if thing.mask is None or not thing.mask.any():
        x0, y0, x1, y1 = thing.box
        values = [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height]
    else:
        first, *others = outlines(thing.mask)
        path = list(first)
        for other in others:
            path += [first[0], *other, other[0]]
        if others:
            path.append(first[0])
        values = [share for x, y in path for share in (x / width, y / height)]
    return " ".join([str(number), *(f"{value:.6f}".rstrip("0").rstrip(".") for value in values)])


def read_yolo(folder: Path) -> list[PictureLabels]:
    """The pictures of a folder that `write_yolo` wrote, with what was changed in its texts since; one whose text is gone has nobody's word.

    Raises:
        BadInput: a file is missing, or a line cannot be read.
    """
    try:
        sizes = json.loads(read_text(folder / _SIZES))
        names = _names(folder)
        sized = {str(picture): (int(size[0]), int(size[1])) for picture, size in sizes.items()}
    except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise BadInput(
            f"{str(folder)!r} is no folder of YOLO labels that inloop wrote ({error}): it has {_SIZES}, data.yaml with names, and labels/."
        ) from None
    found = []
    for picture, (width, height) in sized.items():
        path = folder / "labels" / PurePosixPath(picture).with_suffix(".txt")
        if path.is_file():
            lines = [line for line in lines_of(read_text(path)) if line.strip()]
            things = tuple(_thing(line, names, width, height, str(path)) for line in lines)
            found.append(PictureLabels(picture=picture, width=width, height=height, things=things))
    return found


def _names(folder: Path) -> dict[int, str]:
    """The names of data.yaml, which is read as it was written: a number, a colon and a text a line."""
    lines = lines_of(read_text(folder / "data.yaml"))
    names: dict[int, str] = {}
    for line in lines[lines.index("names:") + 1 :]:
        number, colon, text = line.strip().partition(":")
        if not colon or not number.isdigit():
            break
        text = text.strip()
        names[int(number)] = json.loads(text) if text.startswith('"') else text.strip("'")
    return names


def _thing(line: str, names: dict[int, str], width: int, height: int, where: str) -> LabelledThing:
    try:
        number, *values = line.split()
        label, shares = names[int(number)], [float(value) for value in values]
        if len(shares) == 4:
            x, y, wide, high = shares
            box = ((x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height)
            return LabelledThing(label=label, box=box)
        if len(shares) < 6 or len(shares) % 2:
            raise ValueError("an outline has three corners or more, of two numbers each")
    except (ValueError, KeyError) as error:
        raise BadInput(f"{where!r}: the line {line[:60]!r} cannot be read ({error}).") from None
    corners = [(x * width, y * height) for x, y in zip(shares[::2], shares[1::2], strict=True)]
    # written with six digits: a corner of a pixel is where it was
    near = [
        (round(x) if abs(x - round(x)) < 0.01 else x, round(y) if abs(y - round(y)) < 0.01 else y) for x, y in corners
    ]
    mask = filled([near], height, width)
    if not mask.any():
        raise BadInput(f"{where!r}: the outline {line[:60]!r} encloses no pixel.")
    return LabelledThing(label=label, box=box_of(mask), mask=mask)
