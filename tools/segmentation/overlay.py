"""Masks drawn on pictures: many in colours with numbers, one with all else dimmed, one cut out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .masks import Box, Mask, box_of

__all__ = ["COLORS", "cut_out", "drawn_over", "highlighted"]

COLORS = ((0, 158, 115), (213, 94, 0), (0, 114, 178), (204, 121, 167), (230, 159, 0), (86, 180, 233), (120, 94, 240))
"""Colours that most colour-blind people tell apart (after Okabe and Ito 2008)."""
_PINK = (255, 0, 160)


def drawn_over(
    picture: Any, masks: Sequence[Mask], names: Sequence[str], *, side: int = 640, ruler: bool = False
) -> Any:
    """A PIL picture of at most `side` pixels, with each mask tinted and outlined in a colour of its own, and its name at its middle.

    `ruler`: its upper and its left edge count the pixels of the picture that was given.
    """
    shown, scale = _fitted(picture, side)
    pixels = np.asarray(shown, dtype=np.float32).copy()
    small = [_resized(mask, shown.size) for mask in masks]
    for place, mask in enumerate(small):
        color = np.array(COLORS[place % len(COLORS)], dtype=np.float32)
        pixels[mask] = 0.6 * pixels[mask] + 0.4 * color
        pixels[_edge(mask)] = color
    out = Image.fromarray(pixels.round().astype(np.uint8))
    draw = ImageDraw.Draw(out)
    font = _font(max(10, round(0.028 * max(out.size))))
    for place, (mask, name) in enumerate(zip(small, names, strict=True)):
        x0, y0, x1, y1 = box_of(mask)
        left, top, right, bottom = draw.textbbox((0, 0), name, font=font)
        wide, high = right - left + 6, bottom - top + 4
        x = min(max(0.0, (x0 + x1 - wide) / 2), max(0.0, out.width - wide))
        y = min(max(0.0, (y0 + y1 - high) / 2), max(0.0, out.height - high))
        draw.rectangle((x, y, x + wide, y + high), fill=COLORS[place % len(COLORS)])
        draw.text((x + 3 - left, y + 2 - top), name, fill="white", font=font)
    return _ruled(out, scale) if ruler else out


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _ruled(picture: Any, scale: float) -> Any:
    """The picture in a frame that counts pixels, in steps of 1, 2 or 5 by powers of ten."""
    size = max(9, round(0.022 * max(picture.size)))
    font = _font(size)
    left, top = round(font.getlength("00000")), round(1.6 * size)
    out = Image.new("RGB", (picture.width + left, picture.height + top), "white")
    out.paste(picture, (left, top))
    draw = ImageDraw.Draw(out)
    longest = max(picture.size) / scale
    step = next(tens * ten for ten in (1, 10, 100, 1000, 10_000) for tens in (1, 2, 5) if tens * ten * 8 >= longest)
    for pixel in range(0, int(longest) + 1, step):
        at = pixel * scale
        if at <= picture.width:
            draw.line((left + at, top - 4, left + at, top), fill="black")
            draw.text((left + at, 0), str(pixel), fill="black", font=font)
        if at <= picture.height:
            draw.line((left - 4, top + at, left, top + at), fill="black")
            draw.text((0, top + at - (size / 2 if pixel else 0)), str(pixel), fill="black", font=font)
    return out


def highlighted(picture: Any, mask: Mask, *, side: int = 768, around: Box | None = None) -> Any:
    """A PIL picture with the masked part as it is, outlined in pink, and all else dimmed.

    `around`: only the surroundings of this box are shown, twice as wide and as high as it.
    """
    if around is not None:
        wide, high = around[2] - around[0], around[3] - around[1]
        margin = max(wide, high, 8.0) / 2
        left, top = max(0, int(around[0] - margin)), max(0, int(around[1] - margin))
        right, bottom = (
            min(picture.width, int(around[2] + margin) + 1),
            min(picture.height, int(around[3] + margin) + 1),
        )
        picture, mask = picture.crop((left, top, right, bottom)), mask[top:bottom, left:right]
    shown, _ = _fitted(picture, side)
    pixels = np.asarray(shown, dtype=np.float32).copy()
    small = _resized(mask, shown.size)
    pixels[~small] = 0.4 * pixels[~small] + 0.6 * 255 * 0.5
    pixels[_edge(small, outside=True)] = _PINK
    return Image.fromarray(pixels.round().astype(np.uint8))


def cut_out(picture: Any, mask: Mask, ground: Sequence[float]) -> Any:
    """A PIL picture of the same size: what is masked, in the middle, on a ground of one colour (RGB)."""
    pixels = np.asarray(picture.convert("RGB"))
    out = np.empty_like(pixels)
    out[:] = np.array(ground).round().astype(np.uint8)
    x0, y0, x1, y1 = (int(value) for value in box_of(mask))
    if x1 > x0:
        left, top = (pixels.shape[1] - (x1 - x0)) // 2, (pixels.shape[0] - (y1 - y0)) // 2
        inside = mask[y0:y1, x0:x1]
        out[top : top + y1 - y0, left : left + x1 - x0][inside] = pixels[y0:y1, x0:x1][inside]
    return Image.fromarray(out)


def _fitted(picture: Any, side: int) -> tuple[Any, float]:
    """As RGB, at most `side` pixels; a picture below half of that is made larger by whole numbers, so that lines are thin on it."""
    shown = picture.convert("RGB")
    longest = max(shown.size)
    scale = side / longest if longest > side else float(max(1, side // (2 * longest)))
    if scale != 1.0:
        size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
        shown = shown.resize(size, Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST)
    return shown, scale


def _resized(mask: Mask, size: tuple[int, int]) -> NDArray[np.bool_]:
    return (
        np.asarray(Image.fromarray(np.ascontiguousarray(mask)).convert("L").resize(size, Image.Resampling.NEAREST))
        > 127
    )


def _edge(mask: Mask, *, outside: bool = False) -> NDArray[np.bool_]:
    """The pixels of a mask beside others, or those around it; two pixels wide where there is room."""
    rim = ~mask if outside else mask
    near = mask if outside else ~mask
    wide = near.copy()
    for _ in range(2 if min(mask.shape) > 200 else 1):
        grown = wide.copy()
        grown[1:] |= wide[:-1]
        grown[:-1] |= wide[1:]
        grown[:, 1:] |= wide[:, :-1]
        grown[:, :-1] |= wide[:, 1:]
        wide = grown
    return rim & wide
