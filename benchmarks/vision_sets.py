"""Captioned pictures of the drawn world for `retrieval_vision`: an index of pairs, test pictures, and a camera that blurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inloop.mini.world import COLORS, SHAPES, Group, Spec, draw, place, specs, word
from inloop.runtime.passages import Passage
from inloop.runtime.records import BlobRef
from inloop.runtime.store import BlobStore

__all__ = ["Shown", "blurred", "captioned", "of_kinds", "passages"]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture in the blob store, a caption in varied words, and what is in it."""

    image: BlobRef
    caption: str
    spec: Spec


def blurred(picture: Any, rng: np.random.Generator) -> Any:
    """As a bad camera sees it: Gaussian blur of 2 to 3 pixels (of 64) and noise of 12 grey levels."""
    from PIL import Image, ImageFilter

    soft = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(2.0, 3.0))))
    return Image.fromarray(np.clip(np.asarray(soft) + rng.normal(0, 12, (64, 64, 3)), 0, 255).round().astype(np.uint8))


def captioned(
    blobs: BlobStore,
    seed: int,
    count: int = 0,
    *,
    held_out: bool = False,
    blur: bool = False,
    each: Sequence[Spec] = (),
) -> list[Shown]:
    """`count` scenes of one or two kinds of objects, or those of `each`; the same for the same seed."""
    stream, rng = specs(seed, held_out=held_out), np.random.default_rng([seed, 9])
    wanted = list(each) or [next(stream) for _ in range(count)]
    shown = []
    for number, spec in enumerate(wanted):
        picture = draw(place(spec, seed * 1_000_003 + number))
        image = blobs.put_image(blurred(picture, rng) if blur else picture)
        shown.append(Shown(image=image, caption=word(spec, rng, looseness=0.5).text, spec=spec))
    return shown


def of_kinds(kinds: Sequence[str], counts: Sequence[int], seed: int) -> list[Spec]:
    """`counts[i]` specs of one object of `kinds[i]`, kind by kind; shapes in random colours."""
    rng = np.random.default_rng([seed, 11])
    return [
        Spec(groups=(Group(kind=kind, color=str(rng.choice(list(COLORS))) if kind in SHAPES else None),))
        for kind, count in zip(kinds, counts, strict=True)
        for _ in range(count)
    ]


def passages(shown: Sequence[Shown], prefix: str, captions: Sequence[str] = ()) -> list[Passage]:
    """As an index holds them; `captions` in the place of their own."""
    told = list(captions) or [one.caption for one in shown]
    return [
        Passage(id=f"{prefix}{n:05d}", document=f"{prefix}{n:05d}.png", text=text, image=one.image, media="image/png")
        for n, (one, text) in enumerate(zip(shown, told, strict=True))
    ]
