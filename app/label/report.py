"""The pages of `inloop label`: every picture with its masks and a row an object with the reason of its route; and the page that a person answers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...graphs.label import read_objects
from ...runtime.display import environment
from ...runtime.records import BlobRef
from ...runtime.store import MemoryBlobs
from ...tools.segmentation import drawn_over, get_mask
from ..cli import amount
from ..report import DEFAULT_LIMIT, Pictures, run_page

if TYPE_CHECKING:
    from ...graphs.label import LabelledObject, LabelResult, Offer
    from ...runtime.store import BlobStore

__all__ = ["offered", "render"]

_APP = __name__.rsplit(".", 2)[0]
_PICTURES = 60
_SIDE = 480
_ROUTES = {
    "accepted": "accepted unseen",
    "confirmed": "confirmed by a person",
    "person": "doubtful",
    "left out": "left out",
}


@dataclass(kw_only=True)
class Sheet:
    """A picture with its masks drawn, and its objects by the number that is drawn on them."""

    picture: str
    image: BlobRef
    rows: list[tuple[int, str, str, str, bool]]


def render(result: LabelResult, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string; pictures with something doubtful come first."""
    if not result.tasks:
        return run_page(result, blobs, limit)
    [done] = result.tasks
    by_picture = defaultdict[str, list["LabelledObject"]](list)
    for each in read_objects(blobs, done):
        by_picture[each.picture].append(each)
    order = sorted(by_picture, key=lambda name: -sum(each.route == "person" for each in by_picture[name]))
    memory = MemoryBlobs()
    sheets = [_sheet(name, by_picture[name], blobs, memory) for name in order[:_PICTURES]]
    pictures = Pictures(memory, limit, side=_SIDE)
    pictures.embed(sheet.image for sheet in sheets)
    return run_page(
        result,
        blobs,
        template="label/label.html.j2",
        pictures=pictures,
        labelled=done,
        calibration=done.calibration,
        routes=[(_ROUTES[route], amount(count)) for route, count in done.routes.items()],
        classes=[(name, amount(count)) for name, count in done.classes.items()],
        sheets=sheets,
        more=max(0, len(order) - _PICTURES),
        empty=[name for name in done.sizes if name not in by_picture],
        unlabelled=[*done.unlabelled.items()],
    )  # fmt: skip


def _sheet(name: str, objects: list[LabelledObject], blobs: BlobStore, memory: MemoryBlobs) -> Sheet:
    shown = [each for each in objects if each.route != "left out"]
    numbers = {each.id: number for number, each in enumerate(shown, start=1)}
    picture = blobs.get_image(objects[0].image)
    drawn = drawn_over(picture, [get_mask(each.mask, blobs) for each in shown], [f"{numbers[each.id]} {each.label}" for each in shown], side=_SIDE)  # fmt: skip
    rows = [(numbers.get(each.id, 0), each.label, _ROUTES[each.route], each.why, each.kept) for each in objects]
    return Sheet(picture=name, image=memory.put_image(drawn), rows=rows)


def offered(offer: Offer, blobs: BlobStore) -> str:
    """The page of masks that a person is asked about: each with all else dimmed, and its whole picture with a ruler of pixels."""
    memory = MemoryBlobs()
    pictures = Pictures(memory, DEFAULT_LIMIT, side=_SIDE)
    items: list[dict[str, Any]] = []
    for number, each in enumerate(offer.items, start=1):
        drawn = drawn_over(
            blobs.get_image(each.image), [get_mask(each.mask, blobs)], [str(number)], side=_SIDE, ruler=True
        )
        whole, near = memory.put_image(drawn), memory.put(blobs.get(each.near), each.near.media_type)
        pictures.embed((near, whole))
        items.append({**each.model_dump(exclude={"image", "mask"}), "number": number, "near": near, "whole": whole})
    return environment(_APP).get_template("label/review.html.j2").render(offer=offer, items=items, pictures=pictures)
