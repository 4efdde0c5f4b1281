"""What is labelled in a picture."""

from __future__ import annotations

from dataclasses import dataclass

from ..segmentation import Box, Mask

__all__ = ["LabelledThing", "PictureLabels"]


@dataclass(frozen=True, kw_only=True)
class LabelledThing:
    """One thing: its class, its box (x0, y0, x1, y1) in pixels, its mask of the picture's size, None where only the box is known.

    `sure`: how sure a model is, from 0 to 1; None where a person says so, or where it is accepted.
    """

    label: str
    box: Box
    mask: Mask | None = None
    sure: float | None = None


@dataclass(frozen=True, kw_only=True)
class PictureLabels:
    """A picture by its path below the folder, with forward slashes; width and height in pixels; all that is labelled in it."""

    picture: str
    width: int
    height: int
    things: tuple[LabelledThing, ...] = ()
