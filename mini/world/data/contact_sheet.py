"""A contact sheet: some pictures of a data set on one page, with their labels below them."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from ..drawing import SIZE
from .pictures import DrawnSet, Picture, png

__all__ = ["contact_sheet"]

_GAP, _LINE, _COLORS = 4, 12, 64


def contact_sheet(drawn: DrawnSet, pictures: Sequence[Picture]) -> bytes:
    """A PNG of as many as its rows take: the first ones, or some of all splits."""
    number = min(drawn.across * drawn.rows, len(pictures))
    step = 1 if drawn.in_order else len(pictures) / number
    shown = [pictures[int(place * step)] for place in range(number)]
    lines = len(drawn.labels)
    width, height = SIZE + _GAP, SIZE + _GAP + _LINE * lines
    across = min(drawn.across, number)
    page = Image.new("RGB", (width * across + _GAP, height * -(-number // across) + _GAP), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(10)
    for place, picture in enumerate(shown):
        x, y = _GAP + place % across * width, _GAP + place // across * height
        with Image.open(io.BytesIO(picture.image())) as image:
            page.paste(image.convert("RGB"), (x, y))
        for line, column in enumerate(drawn.labels):
            pen.text((x + 1, y + SIZE + line * _LINE), str(picture.columns[column]), fill="black", font=font)
    return png(page.quantize(_COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE))
