"""An exact reader of the drawn world, from its own sprites and geometry: the judge that no bundled model can fool.

Analysis by synthesis: every sprite of the world, in every colour and both sizes, is tried at every place of the picture; the
one that explains most of what differs from the background is taken, its place is cleared, and the search goes on until
nothing more can be explained. What then still stands out is an unreadable object (kind ""). Blur and fringes, as decoders
leave them, change how well a sprite fits but not which one fits best.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .drawing import BACKGROUND_RGB, PIXELS, SIZE, Placed, Spec
from .questions import holds
from .sprites import sprite
from .vocabulary import COLORS, SHAPES, THINGS

__all__ = ["Seen", "Verdict", "check", "read"]

# What stands out in its box a sprite must explain to be read, but for this share of it and for this much a pixel, the root of the mean
# square in RGB levels: a decoder's fringes are as strong around a pale rabbit as around a red star. By shares alone (0.15) the
# decoder's own pictures of rabbits and ghosts are refused, and more smudges are read (evaluate painter).
UNEXPLAINED = 0.05
FRINGE = 52.0
MATCHED = 0.4  # share of its own energy that a sprite must find in the picture
STANDS_OUT = 40.0  # RGB distance from the background that counts as drawn
SMALLEST = 90  # pixels; less is a speck
MOST = 12  # objects looked for; the world draws four at most


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The objects of a picture, unreadable pieces (kind "") left in, and its background."""

    objects: tuple[Placed, ...]
    background: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What holds of a picture of a spec; None where the spec does not ask for it."""

    present: tuple[bool, ...]
    bound: tuple[bool, ...]
    relation: bool | None
    count: bool | None
    background: bool | None


@dataclass(frozen=True, kw_only=True)
class _Sprites:
    """All n sprites of one size, ready to be looked for everywhere at once.

    `colors` (n, 3, 96, 49) and `opacities` (n, 96, 49): conjugate spectra of colour times opacity and of opacity, so that a
    product with a picture's spectrum is its correlation with them; `own` (n, 3, 3) has what their energy is made of.
    """

    size: str
    side: int
    names: list[tuple[str, str | None]]
    colors: Tensor
    opacities: Tensor
    own: Tensor

    def energy(self, ground: Tensor) -> Tensor:
        """(n,) sums of squares of what each sprite adds to a ground."""
        first, second, third = self.own.unbind(1)
        return (first - 2 * second * ground + third * ground.square()).sum(1)


def read(image: Image.Image) -> Seen:
    """Read a 96x96 picture of the flat domain."""
    pixels = np.asarray(image.convert("RGB").resize((SIZE, SIZE))).astype(np.float32)
    edge = np.concatenate([rows.reshape(-1, 3) for rows in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])])
    ground = np.median(edge, axis=0)
    background = min(BACKGROUND_RGB, key=lambda name: float(np.abs(np.array(BACKGROUND_RGB[name]) - ground).sum()))
    left = torch.from_numpy(pixels - ground).permute(2, 0, 1).contiguous()
    objects: list[Placed] = []
    while len(objects) < MOST and (found := _best(left, torch.from_numpy(ground))) is not None:
        objects.append(found)
        margin = 2  # the fringe around an object is part of it
        left[
            ...,
            max(found.y - margin, 0) : found.y + found.side + margin,
            max(found.x - margin, 0) : found.x + found.side + margin,
        ] = 0
    objects += _unreadable(left.square().sum(0).sqrt().numpy() > STANDS_OUT)
    return Seen(objects=tuple(objects), background=background)


def check(image: Image.Image, spec: Spec) -> Verdict:
    """Whether a picture shows what a spec asks for."""
    seen = read(image)

    def of(kind: str, color: str | None, *, loose: bool = False) -> list[Placed]:
        return [o for o in seen.objects if o.kind == kind and (loose or color is None or o.color == color)]

    present = tuple(bool(of(g.kind, g.color, loose=True)) for g in spec.groups)
    bound = tuple(bool(of(g.kind, g.color)) for g in spec.groups if g.color)
    relation = None
    if spec.relation:
        ones, others = (of(g.kind, g.color) for g in spec.groups)
        relation = any(holds(spec.relation, one, other) for one in ones for other in others if one is not other)
    count = None
    if len(spec.groups) == 1:
        group = spec.groups[0]
        count = len(of(group.kind, group.color)) == group.count and len(seen.objects) == group.count
    return Verdict(
        present=present,
        bound=bound,
        relation=relation,
        count=count if spec.groups[0].count > 1 else None,
        background=seen.background == spec.background if spec.background else None,
    )


def _best(left: Tensor, ground: Tensor) -> Placed | None:
    """The sprite and place that explain most of `left` (3, 96, 96; colours less the background), if any does so well enough."""
    spectrum = torch.fft.rfft2(left)
    grounded = (ground[:, None, None] * spectrum).sum(0)
    squared = left.square().sum(0, keepdim=True)
    best, found = 0.0, None
    for sprites in _sprites():
        side, places, own = sprites.side, SIZE - sprites.side + 1, sprites.energy(ground)[:, None, None]
        there = F.avg_pool2d(squared, side, stride=1, divisor_override=1)
        product = (sprites.colors * spectrum).sum(1) - sprites.opacities * grounded
        gain = 2 * torch.fft.irfft2(product, s=(SIZE, SIZE))[:, :places, :places] - own
        enough = (1 - UNEXPLAINED) * there - (FRINGE * side) ** 2
        gain[(gain < enough) | (gain < MATCHED * own)] = 0
        top = int(gain.argmax())
        if (value := float(gain.flatten()[top])) > best:
            which, y, x = np.unravel_index(top, gain.shape)
            kind, color = sprites.names[int(which)]
            best = value
            found = Placed(kind=kind, color=color, size=sprites.size, x=int(x), y=int(y), side=side, group=0)
    return found


def _unreadable(out: NDArray[np.bool_]) -> list[Placed]:
    """Connected pieces of a mask, without specks."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(out), strict=True)}
    found = []
    while left:
        stack, piece = [left.pop()], []
        while stack:
            y, x = stack.pop()
            piece.append((y, x))
            for near in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    stack.append(near)
        if len(piece) >= SMALLEST:
            ys, xs = zip(*piece, strict=True)
            side = max(max(ys) - min(ys), max(xs) - min(xs)) + 1
            size = "large" if side > sum(PIXELS.values()) / 2 else "small"
            found.append(Placed(kind="", color=None, size=size, x=min(xs), y=min(ys), side=side, group=0))
    return found


@functools.cache
def _sprites() -> list[_Sprites]:
    names: list[tuple[str, str | None]] = [(shape, color) for shape in SHAPES for color in COLORS]
    names += [(thing, None) for thing in THINGS]
    out = []
    for size, side in PIXELS.items():
        pictures = torch.from_numpy(np.stack([sprite(kind, color, side) for kind, color in names])).float()
        opacities = pictures[..., 3].div(255)
        colors = pictures[..., :3].permute(0, 3, 1, 2) * opacities[:, None]
        terms = [colors.square(), colors * opacities[:, None], opacities.square()[:, None].expand_as(colors)]
        own = torch.stack([term.sum((2, 3)) for term in terms], 1)
        seen = [torch.fft.rfft2(part, s=(SIZE, SIZE)).conj().resolve_conj() for part in (colors, opacities)]
        out.append(_Sprites(size=size, side=side, names=names, colors=seen[0], opacities=seen[1], own=own))
    return out
