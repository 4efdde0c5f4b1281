"""A person's word on masks: what they are shown, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef, Record
from .result import Calibration

__all__ = ["Added", "Offer", "Offered", "Review"]

Box = tuple[float, float, float, float]


class Offered(Record):
    """One mask on the page. `near`: its surroundings, with all else dimmed; `audit`: it was accepted, and is shown to see how good the accepted ones are;
    `size`: (width, height) of the picture.
    """

    id: str
    picture: str
    image: BlobRef
    mask: BlobRef
    near: BlobRef
    label: str
    box: Box
    size: tuple[int, int]
    why: str
    audit: bool = False


class Offer(Record):
    """What a labelling asks a person: masks, numbered from 1 on. `left`: how many more are doubtful; `wrong`: why the answer before could not be taken."""

    folder: str
    classes: tuple[str, ...]
    items: tuple[Offered, ...]
    left: int
    calibration: Calibration
    wrong: str = ""

    def check(self, review: Review) -> None:
        """Raise `BadInput` for what cannot be said of this page (`Review.check`)."""
        review.check({number: each.size for number, each in enumerate(self.items, start=1)}, self.classes)


class Added(Record):
    """An object that was missed: a box in the picture of the mask `number` of the page."""

    number: int
    label: str
    box: Box


class Review(Record):
    """What a person answers. A mask of the page that is not named is right: what it covers is what it is called.

    `wrong`: numbers of masks that are to go. `label`: by number, what is right but called otherwise. `box`: by number, where the thing is; its
    mask is made anew and shown. `add`: what was missed. `skip`: numbers that stay undecided. `done`: no more pages; what is doubtful stays so.
    `stop`: nothing is written.
    """

    wrong: tuple[int, ...] = ()
    label: dict[int, str] = Field(default_factory=dict)
    box: dict[int, Box] = Field(default_factory=dict)
    add: tuple[Added, ...] = ()
    skip: tuple[int, ...] = ()
    done: bool = False
    stop: bool = False

    @field_validator("box", mode="before")
    @classmethod
    def _of_four(cls, boxes: Any) -> Any:
        for number, box in boxes.items() if isinstance(boxes, Mapping) else ():
            if not isinstance(box, Sequence) or len(box) != 4 or not all(_is_number(value) for value in box):
                raise ValueError(f"mask {number} needs a box of four numbers, x0 y0 x1 y1")
        return boxes

    def check(self, sizes: Mapping[int, tuple[int, int]], classes: Collection[str]) -> None:
        """Raise `BadInput` for a number that is not on the page or named twice, a class that there is not, and a box outside of its picture.

        `sizes`: by number on the page, width and height of the picture.
        """
        named = [*self.wrong, *self.label, *self.box, *self.skip]
        for number in [*named, *(each.number for each in self.add)]:
            if number not in sizes:
                raise BadInput(f"there is no mask {number} on the page: give one from 1 to {len(sizes)}.")
        if twice := next((number for number in named if named.count(number) > 1), None):
            raise BadInput(f"mask {twice} is named twice: say one thing of it.")
        for name in [*self.label.values(), *(each.label for each in self.add)]:
            if name not in classes:
                raise BadInput(f"{name!r} is none of the classes: {', '.join(classes)}.")
        for number, box in [*self.box.items(), *((each.number, each.box) for each in self.add)]:
            width, height = sizes[number]
            if not (0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
                raise BadInput(
                    f"the box {' '.join(f'{value:g}' for value in box)} is not inside of the picture of mask {number}: give x0 y0 x1 y1 in"
                    f" pixels, within {width} x {height}."
                )


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
