"""COCO's format of instances (https://cocodataset.org/#format-data): boxes, and masks as packed run lengths; polygons are read as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.text import json_bytes
from ..segmentation import Mask, box_of, filled, from_run_lengths, run_lengths
from .things import LabelledThing, PictureLabels

__all__ = ["read_coco", "write_coco"]


def write_coco(pictures: Sequence[PictureLabels], classes: Sequence[str]) -> dict[str, bytes]:
    """`labels.json`. The numbers of pictures, classes and things begin with 1; what a model is only so sure of has a `score`."""
    numbers = {name: place for place, name in enumerate(classes, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, each in enumerate(pictures, start=1):
        images.append({"id": number, "file_name": each.picture, "width": each.width, "height": each.height})
        for thing in each.things:
            x0, y0, x1, y1 = thing.box
            row: dict[str, Any] = {
                "id": len(annotations) + 1, "image_id": number, "category_id": numbers[thing.label], "iscrowd": 0,
                "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "segmentation": [],
            }  # fmt: skip
            if thing.mask is not None:
                row["segmentation"] = {"size": [each.height, each.width], "counts": run_lengths(thing.mask)}
                row["area"] = int(thing.mask.sum())
            if thing.sure is not None:
                row["score"] = round(thing.sure, 4)
            annotations.append(row)
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    content = {"info": {"description": "labelled by inloop"}, "images": images, "categories": categories, "annotations": annotations}  # fmt: skip
    return {"labels.json": json_bytes(content)}


def read_coco(content: dict[str, Any], name: str) -> list[PictureLabels]:
    """The pictures of a COCO file, those without annotations too; `name` is what errors call it.

    Raises:
        BadInput: a field is missing, names what is not there, or is of another kind.
    """
    try:
        images = {
            each["id"]: (str(each["file_name"]), int(each["width"]), int(each["height"])) for each in content["images"]
        }
        names = {each["id"]: str(each["name"]) for each in content["categories"]}
        things: dict[Any, list[LabelledThing]] = {id: [] for id in images}
        for row in content["annotations"]:
            _, width, height = images[row["image_id"]]
            mask = _mask(row.get("segmentation"), height, width)
            if mask is not None and mask.any():
                box = box_of(mask)
            else:
                mask, (x, y, wide, high) = None, (float(value) for value in row["bbox"])
                box = (x, y, x + wide, y + high)
            things[row["image_id"]].append(LabelledThing(label=names[row["category_id"]], box=box, mask=mask))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise BadInput(f"{name!r}: {error}") from None
        raise BadInput(
            f"{name!r} is no COCO file of instances ({type(error).__name__}: {error}): images need id, file_name, width and height,"
            " categories id and name, annotations image_id, category_id and bbox."
        ) from None
    return [
        PictureLabels(picture=file, width=width, height=height, things=tuple(things[id]))
        for id, (file, width, height) in images.items()
    ]


def _mask(segmentation: Any, height: int, width: int) -> Mask | None:
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        rows, columns = segmentation["size"]
        return from_run_lengths(segmentation["counts"], int(rows), int(columns))
    return filled([list(zip(flat[::2], flat[1::2], strict=True)) for flat in segmentation], height, width)
