"""Label Studio's JSON (https://labelstud.io/guide/export): tasks with rectangles and polygons in percent.

What is accepted is written as an annotation, what is doubtful as a prediction, which Label Studio offers to whoever labels. A thing with a mask is
a polygon, its corners thinned out to a pixel at most, since nobody can move thousands of them; of several parts each is a polygon of its own, and
their `group` is the thing's. Holes are lost: a polygon of Label Studio has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from ...runtime.errors import BadInput
from ...runtime.text import json_bytes
from ..segmentation import box_of, filled, outlines, simplified
from .things import LabelledThing, PictureLabels

__all__ = ["read_label_studio", "write_label_studio"]

_TOLERANCE, _FINE = 1.0, 400  # pixels; below so many pixels a side they count in proportion
_BOX, _OUTLINE, _PICTURE = "box", "outline", "image"


def write_label_studio(pictures: Sequence[PictureLabels], classes: Sequence[str]) -> dict[str, bytes]:
    """`tasks.json` and `config.xml`, the labelling interface that goes with it."""
    tasks = []
    for each in pictures:
        sure = [thing for thing in each.things if thing.sure is None]
        doubtful = [thing for thing in each.things if thing.sure is not None]
        tasks.append(
            {
                "data": {"image": f"/data/local-files/?d={each.picture}", "picture": each.picture,
                         "width": each.width, "height": each.height},
                "annotations": [{"result": _results(sure, each)}] if sure and not doubtful else [],
                # Label Studio begins with a prediction where a person is still to look
                "predictions": [{"model_version": "inloop", "result": _results([*sure, *doubtful], each)}] if doubtful else [],
            }
        )  # fmt: skip
    labels = "".join(f'<Label value="{escape(name)}"/>' for name in classes)
    config = (
        f'<View><Image name="{_PICTURE}" value="$image"/><PolygonLabels name="{_OUTLINE}" toName="{_PICTURE}">{labels}</PolygonLabels>'
        f'<RectangleLabels name="{_BOX}" toName="{_PICTURE}">{labels}</RectangleLabels></View>\n'
    )
    return {"tasks.json": json_bytes(tasks, indent=1), "config.xml": config.encode("utf-8", "replace")}


def _results(things: Sequence[LabelledThing], each: PictureLabels) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for number, thing in enumerate(things, start=1):
        shared: dict[str, Any] = {
            "to_name": _PICTURE, "original_width": each.width, "original_height": each.height, "image_rotation": 0,
            "meta": {"group": number},
        }  # fmt: skip
        if thing.sure is not None:
            shared["score"] = round(thing.sure, 4)
        if thing.mask is None or not thing.mask.any():
            x0, y0, x1, y1 = thing.box
            value = {
                "x": 100 * x0 / each.width, "y": 100 * y0 / each.height, "width": 100 * (x1 - x0) / each.width,
                "height": 100 * (y1 - y0) / each.height, "rotation": 0, "rectanglelabels": [thing.label],
            }  # fmt: skip
            results.append({**shared, "id": f"{number}", "type": "rectanglelabels", "from_name": _BOX, "value": value})
            continue
        parts = [
            simplified(outline, _TOLERANCE * min(1.0, max(each.width, each.height) / _FINE))
            for outline in outlines(thing.mask)
            if _turns_right(outline)
        ]
        for part, corners in enumerate(parts, start=1):
            if len(corners) < 3:
                continue
            points = [[100 * x / each.width, 100 * y / each.height] for x, y in corners]
            value = {"points": points, "closed": True, "polygonlabels": [thing.label]}
            results.append(
                {**shared, "id": f"{number}-{part}", "type": "polygonlabels", "from_name": _OUTLINE, "value": value}
            )
    return results


def _turns_right(outline: Sequence[tuple[float, float]]) -> bool:
    """Whether an outline is of a part and not of a hole, which it goes around the other way."""
    points = np.array(outline)
    after = np.roll(points, -1, axis=0)
    return float((points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]).sum()) > 0


def read_label_studio(tasks: list[Any], name: str) -> list[PictureLabels]:
    """The pictures that somebody annotated, of an export as JSON; the newest annotation counts, cancelled ones do not. `name` is what errors call it.

    Raises:
        BadInput: it is no such export, or a result is of a kind that is not read.
    """
    found = []
    try:
        for task in tasks:
            done = [each for each in task.get("annotations", []) if not each.get("was_cancelled")]
            if not done:
                continue
            newest = max(done, key=lambda each: str(each.get("updated_at", "")))
            data = task["data"]
            picture = str(data.get("picture") or str(data["image"]).rpartition("?d=")[2])
            results = [
                each for each in newest["result"] if each["type"] in ("rectanglelabels", "polygonlabels", "brushlabels")
            ]
            sizes = [(int(each["original_width"]), int(each["original_height"])) for each in results]
            width, height = (sizes or [(int(data.get("width", 0)), int(data.get("height", 0)))])[0]
            found.append(
                PictureLabels(picture=picture, width=width, height=height, things=_things(results, width, height))
            )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, BadInput):
            raise BadInput(f"{name!r}: {error}") from None
        raise BadInput(
            f"{name!r} is no export of Label Studio as JSON ({type(error).__name__}: {error}): a list of tasks with data and annotations."
        ) from None
    return found


def _things(results: Sequence[Any], width: int, height: int) -> tuple[LabelledThing, ...]:
    grouped: dict[str, list[Any]] = {}
    things = []
    for place, each in enumerate(results):
        value = each["value"]
        if each["type"] == "rectanglelabels":
            x0, y0 = value["x"] * width / 100, value["y"] * height / 100
            box = (x0, y0, x0 + value["width"] * width / 100, y0 + value["height"] * height / 100)
            things.append(LabelledThing(label=str(value["rectanglelabels"][0]), box=box))
        elif each["type"] == "polygonlabels":
            group = (each.get("meta") or {}).get("group")
            key = f"new {place}" if group is None else f"{group} {value['polygonlabels'][0]}"
            grouped.setdefault(key, []).append(value)
        else:
            raise BadInput("a mask of the brush is not read: draw polygons or rectangles, or export it as COCO.")
    for values in grouped.values():
        corners = [[(x * width / 100, y * height / 100) for x, y in value["points"]] for value in values]
        mask = filled(corners, height, width)
        if mask.any():
            things.append(LabelledThing(label=str(values[0]["polygonlabels"][0]), box=box_of(mask), mask=mask))
    return tuple(things)
