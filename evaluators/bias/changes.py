"""Pictures changed in one way that leaves what they show the same: what an answer should not depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

__all__ = ["CHANGES", "LABELLED_CHANGES", "grey", "shifted", "shrunk", "written"]


def grey(image: Image.Image) -> Image.Image:
    """Without colour."""
    return ImageOps.grayscale(image).convert("RGB")


def shrunk(image: Image.Image, share: float = 0.5) -> Image.Image:
    """At a share of its size in the middle of its own border's colour."""
    width, height = image.size
    small = image.convert("RGB").resize(
        (max(1, round(width * share)), max(1, round(height * share))), Image.Resampling.BICUBIC
    )
    canvas = Image.new("RGB", image.size, _border(image))
    canvas.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
    return canvas


def shifted(image: Image.Image, share: float = 0.25) -> Image.Image:
    """Moved to the lower right by a share of its size; what comes in has the colour of its border, what leaves is lost."""
    canvas = Image.new("RGB", image.size, _border(image))
    canvas.paste(image.convert("RGB"), (round(image.width * share), round(image.height * share)))
    return canvas


def written(image: Image.Image, word: str) -> Image.Image:
    """With a word across its lower edge, black on white (the typographic attack of Goh et al. 2021, https://distill.pub/2021/multimodal-neurons)."""
    canvas = image.convert("RGB").copy()
    pen, tall = ImageDraw.Draw(canvas), max(8, canvas.height // 7)
    font = ImageFont.load_default(size=tall)
    while tall > 6 and pen.textlength(word, font=font) > canvas.width - 4:
        tall -= 1
        font = ImageFont.load_default(size=tall)
    left, top, right, bottom = pen.textbbox((2, canvas.height - 2), word, font=font, anchor="lb")
    pen.rectangle((left - 2, top - 1, right + 2, bottom + 1), fill="white")
    pen.text((2, canvas.height - 2), word, font=font, anchor="lb", fill="black")
    return canvas


def _border(image: Image.Image) -> tuple[int, ...]:
    """The median colour of a picture's border."""
    pixels = np.asarray(image.convert("RGB"))
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(int(part) for part in np.median(edge, axis=0))


CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = {"color": grey, "size": shrunk, "position": shifted}
"""By what they change."""
LABELLED_CHANGES: Mapping[str, Callable[[Image.Image, str], Image.Image]] = {"typographic": written}
"""Those that need a wrong class beside the picture."""
