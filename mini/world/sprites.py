"""The pictures of single things: shapes drawn here, the rest from Noto Emoji by Google (Apache-2.0), each with a dark outline.

The outline keeps a white rabbit apart from a white ground, for people and for the models that learn from these pictures.
"""

from __future__ import annotations

import functools
import math
from importlib import resources
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .vocabulary import SHAPES, THINGS

__all__ = ["FINER", "RGB", "outlined", "own_picture", "silhouette", "sprite"]

Pixels: TypeAlias = NDArray[np.uint8]

RGB: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 35), "green": (35, 155, 55), "blue": (35, 75, 220), "yellow": (250, 210, 30), "purple": (130, 45, 170),
    "orange": (245, 130, 25), "black": (25, 25, 28), "pink": (250, 120, 185),
}  # fmt: skip
OUTLINE = (52, 46, 60)
FINER = 8  # pixels of the drawing for one of the sprite, which makes its edges smooth


@functools.cache
def sprite(kind: str, color: str | None, side: int) -> Pixels:
    """(side, side, 4) RGBA picture of one object, anti-aliased, within an outline of one pixel."""
    inner = (side - 2) * FINER
    if kind in SHAPES:
        figure = Image.new("RGBA", (inner, inner), RGB[color or "black"])
        figure.putalpha(_shape(kind, inner))
    else:
        figure = own_picture(kind, inner)
    return outlined(figure)


def outlined(figure: Image.Image) -> Pixels:
    """(side, side, 4) RGBA of a figure that was drawn `FINER` times as fine, with the outline around it; side = its width / FINER + 2."""
    fine = figure.width + 2 * FINER
    whole = Image.new("RGBA", (fine, fine))
    whole.paste(figure, (FINER, FINER))
    solid = whole.getchannel("A").point(lambda alpha: 255 if alpha > 100 else 0)
    around = solid.filter(ImageFilter.BoxBlur(FINER)).point(lambda alpha: 255 if alpha > 0 else 0)
    ground = Image.new("RGBA", (fine, fine), OUTLINE)
    ground.putalpha(ImageChops.lighter(around, solid))
    ground.alpha_composite(whole)
    return np.asarray(ground.resize((fine // FINER, fine // FINER), Image.Resampling.BOX))


def silhouette(kind: str, side: int) -> Image.Image:
    """A (side, side) picture in mode L: 255 where a shape or a thing is."""
    return _shape(kind, side) if kind in SHAPES else own_picture(kind, side).getchannel("A")


def own_picture(thing: str, side: int) -> Image.Image:
    """A (side, side) RGBA picture of a thing as it is, without an outline."""
    return _atlas()[thing].resize((side, side), Image.Resampling.LANCZOS)


def _shape(kind: str, side: int) -> Image.Image:
    image = Image.new("L", (side, side))
    pen = ImageDraw.Draw(image)
    unit = side - 1

    def polygon(points: list[tuple[float, float]]) -> None:
        pen.polygon([(x * unit, y * unit) for x, y in points], fill=255)

    if kind == "circle":
        pen.ellipse((0, 0, unit, unit), fill=255)
    elif kind == "ring":
        pen.ellipse((0, 0, unit, unit), fill=255)
        pen.ellipse((unit * 0.27, unit * 0.27, unit * 0.73, unit * 0.73), fill=0)
    elif kind == "square":
        polygon([(0.06, 0.06), (0.94, 0.06), (0.94, 0.94), (0.06, 0.94)])
    elif kind == "triangle":
        polygon([(0.5, 0.04), (1, 0.95), (0, 0.95)])
    elif kind == "diamond":
        polygon([(0.5, 0), (0.86, 0.5), (0.5, 1), (0.14, 0.5)])
    elif kind == "cross":
        polygon([(0.34, 0.02), (0.66, 0.02), (0.66, 0.98), (0.34, 0.98)])
        polygon([(0.02, 0.34), (0.98, 0.34), (0.98, 0.66), (0.02, 0.66)])
    elif kind == "star":
        angles = [(-math.pi / 2 + i * math.pi / 5, 0.53 if i % 2 == 0 else 0.23) for i in range(10)]
        polygon([(0.5 + r * math.cos(a), 0.53 + r * math.sin(a)) for a, r in angles])
    elif kind == "heart":
        turns = [i / 60 * 2 * math.pi for i in range(60)]
        curve = [
            (16 * math.sin(t) ** 3, 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
            for t in turns
        ]
        polygon([(0.5 + x / 34, 0.46 - y / 34) for x, y in curve])
    return image


@functools.cache
def _atlas() -> dict[str, Image.Image]:
    with resources.files(__package__ or "").joinpath("sprites.png").open("rb") as file:
        sheet = Image.open(file).convert("RGBA")
    cell = sheet.width // 8
    return {
        kind: sheet.crop((i % 8 * cell, i // 8 * cell, (i % 8 + 1) * cell, (i // 8 + 1) * cell))
        for i, kind in enumerate(THINGS)
    }
