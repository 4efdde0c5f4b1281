"""The drawn world of the bundled models, and what to say where they are shown another picture.

`mini-promptcap`, `mini-vqa` and `mini-clip` were trained on that world alone, and have an answer to every picture; `mini-detector` and
`mini-segmenter` look for what stands out from its plain ground. What is drawn or
painted there is 96 x 96 pixels, on one plain ground of five; a picture that is not is none of that world. The reverse is not
sure: a small photograph before a white wall would pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

__all__ = ["drawn_distance", "drawn_ground", "drawn_pieces", "foreign_note", "is_drawn"]

_MODELS = ("mini-promptcap", "mini-vqa", "mini-clip", "mini-detector", "mini-segmenter")
_SIDE = 96
_GROUNDS = ((252, 252, 252), (176, 178, 182), (236, 220, 188), (196, 240, 216), (216, 206, 246))
_NEAR = 26  # of 255: noise that a median of 25 pixels leaves
_EDGE, _ALL = (
    0.8,
    0.35,
)  # shares of the outermost pixels and of all that are the ground; four large things leave so much


def is_drawn(picture: Image.Image) -> bool:
    """Whether a picture may be of the drawn world."""
    if picture.size != (_SIDE, _SIDE):
        return False
    smooth = np.asarray(picture.convert("RGB").filter(ImageFilter.MedianFilter(5)), dtype=np.int16)
    edge = np.ones((_SIDE, _SIDE), dtype=bool)
    edge[2:-2, 2:-2] = False
    for ground in _GROUNDS:
        near = (np.abs(smooth - np.array(ground)) <= _NEAR).all(2)
        if near[edge].mean() >= _EDGE and near.mean() >= _ALL:
            return True
    return False


def foreign_note(models: Mapping[str, object], pictures: Iterable[Image.Image]) -> str:
    """What to say, once a run, of pictures that its models of the drawn world cannot know; "" for nothing.

    `models`: by the flag that sets it, each model of the run or its name, a list for several; None for one that is not used. Pictures
    are looked at only where one of the models is of that world, and no more than the size is read of one that has another.
    """
    bundled = {flag: name for flag, model in models.items() for name in _names(model) if name in _MODELS}
    if not bundled:
        return ""
    drawn = [is_drawn(picture) for picture in pictures]
    if all(drawn):
        return ""
    several = len(bundled) > 1
    shown = (
        "the picture is none of it"
        if len(drawn) == 1
        else f"{drawn.count(False)} of {len(drawn)} pictures are none of it"
    )
    return (
        f"{' and '.join(bundled.values())} {'know' if several else 'knows'} nothing but the drawn world (96 x 96 pixels, shapes and things on"
        f" a plain ground), and {shown}: what {'they say' if several else 'it says'} of such a picture means nothing. A model that knows"
        f" photographs is set by {' and '.join(bundled)}."
    )


def _names(models: object) -> list[str]:
    given = models if isinstance(models, list) else [models]
    each = [
        member for model in given for member in getattr(model, "members", (model,))
    ]  # an ensemble's are looked at one by one
    return [model if isinstance(model, str) else str(getattr(model, "model", "")) for model in each]


def drawn_ground(picture: Image.Image) -> NDArray[np.float32]:
    """(3,): the RGB colour of the ground, which the edge of a drawn picture shows."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    edge = np.concatenate([rows.reshape(-1, 3) for rows in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])])
    return np.asarray(np.median(edge, axis=0), dtype=np.float32)


def drawn_distance(picture: Image.Image) -> NDArray[np.float32]:
    """(height, width): how far each pixel's colour is from the ground's, in RGB levels."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return np.asarray(np.sqrt(((pixels - drawn_ground(picture)) ** 2).sum(axis=2)), dtype=np.float32)


def drawn_pieces(picture: Image.Image) -> list[tuple[int, int, int, int]]:
    """The boxes (x0, y0, x1, y1) of what stands out from the ground, the largest first; specks are left out."""
    smooth = picture.convert("RGB").filter(ImageFilter.MedianFilter(3))
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(drawn_distance(smooth) > _STANDS_OUT), strict=True)}
    found = []
    while left:
        stack, piece = [left.pop()], []
        while stack:
            y, x = stack.pop()
            piece.append((y, x))
            for near in [(y + dy, x + dx) for dy in range(-2, 3) for dx in range(-2, 3)]:  # over the gaps of a hatching
                if near in left:
                    left.remove(near)
                    stack.append(near)
        if len(piece) >= _SPECK:
            ys, xs = zip(*piece, strict=True)
            found.append((min(xs), min(ys), max(xs) + 1, max(ys) + 1))
    return sorted(found, key=lambda box: (-(box[2] - box[0]) * (box[3] - box[1]), box))


_STANDS_OUT = 40.0  # RGB levels
_SPECK = 60  # pixels
