"""Things that cannot be told: what a painter of limited skill leaves where a thing should be.

A judge that has seen whole things only finds a thing in every patch of its colours. So some of what it learns from is spoilt: the
place and the colours of a thing are there, and the thing is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .drawing import Placed, Scene, draw
from .sprites import sprite
from .vocabulary import COLORS, SHAPES, THINGS

__all__ = ["Spoilt", "spoil"]

Picture: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """A scene of which one thing was made unreadable.

    `scene`: without it; `lost`: the thing that is not there any more; `pixels`: (96, 96, 3) of 0 to 255, its smudge among them.
    """

    scene: Scene
    lost: Placed
    pixels: Picture

    def picture(self) -> Image.Image:
        """The pixels as a picture."""
        return Image.fromarray(self.pixels.round().clip(0, 255).astype(np.uint8))


def spoil(scene: Scene, rng: np.random.Generator) -> Spoilt:
    """One thing of `scene`, by chance, blurred away, half drawn, mixed with others or torn."""
    number = int(rng.integers(len(scene.objects)))
    lost = scene.objects[number]
    rest = replace(scene, objects=tuple(thing for i, thing in enumerate(scene.objects) if i != number))
    canvas = np.asarray(draw(rest)).astype(np.float32)
    ways = (_blurred, _half, _mixed, _torn)
    picture = ways[int(rng.integers(len(ways)))](lost, rng)
    view = canvas[lost.y : lost.y + lost.side, lost.x : lost.x + lost.side]
    alpha = picture[..., 3:] / 255
    view[:] = picture[..., :3] * alpha + view * (1 - alpha)
    return Spoilt(scene=rest, lost=lost, pixels=canvas)


def _of(thing: Placed) -> Picture:
    return sprite(thing.kind, thing.color, thing.side).astype(np.float32)


def _other(thing: Placed, rng: np.random.Generator) -> Picture:
    """Another thing of the same size: a shape for a shape, in a colour by chance."""
    if thing.kind in SHAPES:
        kind = str(rng.choice([kind for kind in SHAPES if kind != thing.kind]))
        return sprite(kind, str(rng.choice(list(COLORS))), thing.side).astype(np.float32)
    return sprite(str(rng.choice([kind for kind in THINGS if kind != thing.kind])), None, thing.side).astype(np.float32)


def _blurred(thing: Placed, rng: np.random.Generator) -> Picture:
    """Its colours in a fog: the mean over windows of two fifths of its side, three times."""
    picture = _of(thing)
    wide = thing.side // 5
    premultiplied = np.dstack([picture[..., :3] * picture[..., 3:] / 255, picture[..., 3]])
    for _ in range(3):
        for axis in (0, 1):
            padded = np.pad(premultiplied, [(wide, wide) if i == axis else (0, 0) for i in range(3)])
            rows = [np.take(padded, range(i, i + thing.side), axis=axis) for i in range(2 * wide + 1)]
            premultiplied = np.mean(rows, axis=0)
    alpha = np.maximum(premultiplied[..., 3:], 1)
    strength = rng.uniform(0.8, 1.6)
    return np.dstack([premultiplied[..., :3] * 255 / alpha, np.clip(alpha * strength, 0, 255)]).astype(np.float32)


def _half(thing: Placed, rng: np.random.Generator) -> Picture:
    """Less than half of it: the rest was never drawn."""
    picture = _of(thing)
    rows, columns = np.indices(picture.shape[:2]) - (thing.side - 1) / 2
    turn = rng.uniform(0, 2 * np.pi)
    far = (rows * np.sin(turn) + columns * np.cos(turn)) / thing.side
    picture[..., 3] *= np.clip((far - rng.uniform(0.08, 0.2)) * 8, 0, 1)
    return picture


def _mixed(thing: Placed, rng: np.random.Generator) -> Picture:
    """It and two others, laid over each other."""
    layers = [_of(thing), _other(thing, rng), _other(thing, rng)]
    shares = rng.dirichlet([20, 20, 20])
    alpha = sum(share * layer[..., 3:] for share, layer in zip(shares, layers, strict=True))
    colors = sum(share * layer[..., :3] * layer[..., 3:] for share, layer in zip(shares, layers, strict=True))
    return np.dstack([colors / np.maximum(alpha, 1), alpha]).astype(np.float32)


def _torn(thing: Placed, rng: np.random.Generator) -> Picture:
    """Its pieces, exchanged and turned."""
    picture, count = _of(thing), 3
    edges = np.linspace(0, thing.side, count + 1).astype(int)
    side = thing.side // count
    pieces = [
        picture[edges[i] : edges[i] + side, edges[j] : edges[j] + side].copy()
        for i in range(count)
        for j in range(count)
    ]
    out = np.zeros_like(picture)
    for place, piece in enumerate(rng.permutation(len(pieces))):
        i, j = divmod(place, count)
        turned = np.rot90(pieces[piece], int(rng.integers(4)))
        out[edges[i] : edges[i] + side, edges[j] : edges[j] + side] = turned
    return out
