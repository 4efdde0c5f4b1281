"""What a painter can do, by the exact reader: each thing by itself on every ground, and whole captions in plain and in varied wording."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from ..world import BACKGROUNDS, COLORS, KINDS, SHAPES, SIZE, SIZES, Group, Spec, Verdict, Wording, check, plain, word

__all__ = ["contact_sheet", "measure_painter", "rate", "single_things"]

Paint: TypeAlias = Callable[[list[str]], Awaitable[list[Image.Image]]]


def rate(values: Sequence[bool]) -> float:
    """The share of what is true, NaN of nothing."""
    return round(float(np.mean(values)), 4) if len(values) else float("nan")


def single_things() -> list[Spec]:
    """Every kind, small and large, on every background; shapes in one colour after another."""
    colors = itertools.cycle(COLORS)
    return [
        Spec(
            groups=(Group(kind=kind, color=next(colors) if kind in SHAPES else None, size=size),), background=background
        )
        for kind in KINDS
        for size in SIZES
        for background in BACKGROUNDS
    ]


async def measure_painter(paint: Paint, captions: Sequence[Spec]) -> dict[str, float]:
    """Shares of what the reader finds: of each thing alone, then of objects, colours, relations, counts and grounds of `captions`."""
    alone = single_things()
    verdicts = [
        check(picture, spec)
        for picture, spec in zip(await paint([plain(spec).text for spec in alone]), alone, strict=True)
    ]
    there = {
        kind: rate([all(v.present) for v, spec in zip(verdicts, alone, strict=True) if spec.groups[0].kind == kind])
        for kind in KINDS
    }
    out = {"things alone": rate([all(v.present) for v in verdicts]), "the thing worst painted": min(there.values())}
    rng = np.random.default_rng(901)
    wordings: dict[str, Callable[[Spec], Wording]] = {
        "plain": plain,
        "varied": lambda spec: word(spec, rng, looseness=1.0),
    }
    for name, say in wordings.items():
        pictures = await paint([say(spec).text for spec in captions])
        judged = [check(picture, spec) for picture, spec in zip(pictures, captions, strict=True)]
        out |= {f"{name} {key}": value for key, value in _summary(judged).items()}
    return out | {f"thing: {kind}": share for kind, share in there.items()}


async def contact_sheet(paint: Paint, *, side: int = SIZE) -> Image.Image:
    """Every kind in eight columns, small on the left and large on the right of each, on one background after another."""
    specs = [
        Spec(
            groups=(Group(kind=kind, color=list(COLORS)[number % len(COLORS)] if kind in SHAPES else None, size=size),),
            background=list(BACKGROUNDS)[number % len(BACKGROUNDS)],
        )
        for number, kind in enumerate(KINDS)
        for size in SIZES
    ]
    pictures = await paint([plain(spec).text for spec in specs])
    columns, line = 8, 14
    rows = -(-len(specs) // columns)
    sheet = Image.new("RGB", (columns * side, rows * (side + line)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (spec, picture) in enumerate(zip(specs, pictures, strict=True)):
        x, y = number % columns * side, number // columns * (side + line)
        sheet.paste(picture.resize((side, side), Image.Resampling.BICUBIC), (x, y))
        group = spec.groups[0]
        pen.text((x + 2, y + side), " ".join(filter(None, (group.size, group.color, group.kind))), fill="black")
    return sheet


def _summary(verdicts: Sequence[Verdict]) -> dict[str, float]:
    return {
        "object": rate([ok for v in verdicts for ok in v.present]),
        "attribute": rate([ok for v in verdicts for ok in v.bound]),
        "relation": rate([v.relation for v in verdicts if v.relation is not None]),
        "count": rate([v.count for v in verdicts if v.count is not None]),
        "background": rate([v.background for v in verdicts if v.background is not None]),
    }
