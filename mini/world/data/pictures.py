"""Pictures of a data set: a row each, that knows how to draw itself and what is true of it.

Nothing is drawn before it is asked for, so a data set is planned in a moment. Encoded files are the same on every processor: PNG is
packed by run lengths (`Z_RLE`), since the search for longer matches gives other bytes where zlib uses other instructions.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..description import describe
from ..drawing import SIZE, Scene, draw
from ..truth import Truth

__all__ = ["DrawnSet", "Picture", "png"]

Row: TypeAlias = dict[str, Any]
NONE = "none"  # a text in every row: a column that is null in one split and text in another has two types


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One row. `name` is that of its file without the ending, unique in its split; `columns` are those of its data set.

    A picture that was changed after it was drawn has the scene that it shows, its own file (`encoded`, with the ending `suffix`), and
    what the change does to the truth (`moved`).
    """

    split: str
    name: str
    columns: Mapping[str, Any]
    scene: Scene
    encoded: Callable[[], bytes] | None = None
    suffix: str = "png"
    moved: Callable[[Truth], Truth] | None = None

    @property
    def file_name(self) -> str:
        """Its path from the folder of its split."""
        return f"images/{self.name}.{self.suffix}"

    def image(self) -> bytes:
        """Its file."""
        return self.encoded() if self.encoded else png(draw(self.scene))

    def truth(self) -> Truth:
        """What is true of it, pixel by pixel."""
        truth = Truth.of(self.scene)
        return self.moved(truth) if self.moved else truth

    def written(self) -> tuple[Row, dict[str, Callable[[], bytes]]]:
        """Its line of metadata (its files, the columns of the data set, what every picture has), and its files by path from the split."""
        truth = self.truth()
        masks = {
            "mask": f"masks/{self.name}.png",
            "full_masks": f"full_masks/{self.name}.png",
            "edges": f"edges/{self.name}.png",
        }
        row = {
            "file_name": self.file_name,
            **{f"{column}_file_name": path for column, path in masks.items()},
            "caption": describe(self.scene),
            **self.columns,
            "background": self.scene.background,
            "domain": self.scene.domain,
            "objects": _objects(self.scene, truth),
        }
        return row, {
            self.file_name: self.image,
            masks["mask"]: lambda: png(Image.fromarray(truth.shown)),
            masks["full_masks"]: lambda: png(_bits(truth.full.reshape(-1, SIZE))),
            masks["edges"]: lambda: png(_bits(truth.edges)),
        }


@dataclass(frozen=True, kw_only=True)
class DrawnSet:
    """A data set that can be drawn.

    Args:
        name: on the command line.
        title: of its card.
        summary: what it is for, in a sentence or two.
        count: how many are drawn unless it is said.
        counts: what `count` counts.
        columns: what each of its own columns says.
        labels: the columns that stand under a picture of the contact sheet.
        plan: (count, seed) to its pictures, in their order.
        in_order: the contact sheet shows the first pictures and not some of all.
        tables: Markdown for the card, given the pictures: shares, pairs.
        across, rows: pictures on the contact sheet.
    """

    name: str
    title: str
    summary: str
    count: int
    counts: str
    columns: Mapping[str, str]
    labels: tuple[str, ...]
    plan: Callable[[int, int], Iterator[Picture]]
    in_order: bool = False
    tables: Callable[[list[Picture]], str] = field(default=lambda _: "")
    across: int = 8
    rows: int = 3


def png(image: Image.Image) -> bytes:
    """A PNG file, the same bytes on every processor."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def _bits(mask: NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255).convert("1", dither=Image.Dither.NONE)


def _objects(scene: Scene, truth: Truth) -> dict[str, list[Any]]:
    """The objects from the farthest to the nearest, a list a property; boxes as in COCO."""
    things = scene.objects
    return {
        "id": list(range(1, len(things) + 1)),
        "category": [thing.kind for thing in things],
        "color": [thing.color or NONE for thing in things],
        "texture": [thing.texture or NONE for thing in things],
        "size": [thing.size for thing in things],
        "side": [thing.side for thing in things],
        "bbox": [list(box) for box in truth.boxes],
        "full_bbox": [list(box) for box in truth.full_boxes],
        "area": truth.visible.sum(axis=(1, 2)).tolist(),
        "visible": list(truth.visible_shares),
    }
