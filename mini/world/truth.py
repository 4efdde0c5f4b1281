"""What is true of a drawn scene, pixel by pixel: whole and visible masks, the order in depth, edges, boxes, visible shares.

Everything is computed from the scene and never read from its picture, so it holds in every domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .domains import outlines
from .drawing import Scene, ranks
from .sprites import Pixels

__all__ = ["Box", "Truth"]

Masks: TypeAlias = NDArray[np.bool_]
Box: TypeAlias = tuple[int, int, int, int]  # left, top, width, height in pixels, as in COCO; (0, 0, 0, 0): nothing


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The n objects of a scene from the farthest to the nearest.

    `full` (n, 96, 96): where each is, hidden parts too (amodal).
    """

    full: Masks

    @classmethod
    def of(cls, scene: Scene) -> Truth:
        """The truth of one scene."""
        return cls(full=scene.masks())

    @cached_property
    def shown(self) -> Pixels:
        """(96, 96): the rank of the object that is seen, 1 being the farthest one; 0: the background. The order in depth."""
        return ranks(self.full)

    @property
    def visible(self) -> Masks:
        """(n, 96, 96): what is seen of each."""
        ranks = np.arange(1, len(self.full) + 1, dtype=np.uint8)
        return np.asarray(self.shown == ranks[:, None, None])

    @property
    def edges(self) -> Masks:
        """(96, 96): the outlines of what is seen, one pixel wide, on the nearer of the two sides."""
        return outlines(self.shown)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Around what is seen of each object."""
        return tuple(_box(mask) for mask in self.visible)

    @property
    def full_boxes(self) -> tuple[Box, ...]:
        """Around each whole object."""
        return tuple(_box(mask) for mask in self.full)

    @property
    def visible_shares(self) -> tuple[float, ...]:
        """Pixels that are seen by pixels that there are, 0 to 1, to four digits; 0 for what lies outside of the picture."""
        seen, all_pixels = (masks.sum(axis=(1, 2)).tolist() for masks in (self.visible, self.full))
        return tuple(round(some / max(whole, 1), 4) for some, whole in zip(seen, all_pixels, strict=True))

    @property
    def hides(self) -> tuple[tuple[int, int], ...]:
        """(nearer, farther) places of objects of which one hides a part of the other."""
        pairs = [(near, far) for near in range(len(self.full)) for far in range(near)]
        return tuple(pair for pair in pairs if (self.full[pair[0]] & self.full[pair[1]]).any())


def _box(mask: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return (0, 0, 0, 0)
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1
