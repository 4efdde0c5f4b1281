"""The drawn world: 96x96 scenes with exact ground truth.

A `Spec` is what a caption says (groups of things, their relation, the background); a `Scene` is one drawing of it, with the
place, size, colour and mask of every object. Everything a caption leaves open is drawn at random from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .domains import STYLES, Domain
from .sprites import Pixels, sprite
from .textures import textured
from .vocabulary import BACKGROUNDS, COLORS, COUNTS, RELATIONS, SHAPES, SIZES, THINGS

__all__ = ["SIZE", "Group", "Placed", "Scene", "Spec", "draw", "place", "ranks", "sample_spec"]

SIZE = 96

BACKGROUND_RGB: dict[str, tuple[int, int, int]] = {
    "white": (252, 252, 252), "gray": (176, 178, 182), "beige": (236, 220, 188), "mint": (196, 240, 216), "lavender": (216, 206, 246),
}  # fmt: skip
PIXELS = {"small": 24, "large": 40}


@dataclass(frozen=True, kw_only=True)
class Group:
    """Some equal objects of a caption. `color` is None for things; `size` None where the caption leaves it open.

    `texture`: a pattern in that colour, or the thing whose surface fills the outline; None where they look as they always do.
    """

    kind: str
    color: str | None = None
    size: str | None = None
    count: int = 1
    texture: str | None = None


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a caption says. `relation` holds between the first and the second group; None: they only stand together."""

    groups: tuple[Group, ...]
    relation: str | None = None
    background: str | None = None


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One drawn object: `x`, `y` the top left corner and `side` the side of its box, in pixels; `group` its place in the spec."""

    kind: str
    color: str | None
    size: str
    x: int
    y: int
    side: int
    group: int
    texture: str | None = None

    @property
    def picture(self) -> Pixels:
        """(side, side, 4) RGBA of the object alone."""
        if self.texture is None:
            return sprite(self.kind, self.color, self.side)
        return textured(self.kind, self.texture, self.color, self.side)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One drawing of a spec. Of objects that overlap the later one is nearer and hides the others."""

    spec: Spec
    objects: tuple[Placed, ...]
    background: str
    domain: Domain
    seed: int

    def masks(self) -> NDArray[np.bool_]:
        """(objects, 96, 96): where each object is, whether others hide it or not."""
        out = np.zeros((len(self.objects), SIZE, SIZE), dtype=bool)
        for i, thing in enumerate(self.objects):
            alpha = thing.picture[..., 3] > 127
            out[i, thing.y : thing.y + thing.side, thing.x : thing.x + thing.side] = alpha
        return out

    def shown(self) -> Pixels:
        """(96, 96): which object is seen where, 1 being the farthest one; 0: the background. The order in depth as a picture."""
        return ranks(self.masks())


def ranks(masks: NDArray[np.bool_]) -> Pixels:
    """(96, 96): the number, from 1 on, of the last of the (objects, 96, 96) masks that covers a pixel; 0 where none does."""
    out = np.zeros((SIZE, SIZE), dtype=np.uint8)
    for rank, mask in enumerate(masks, start=1):
        out[mask] = rank
    return out


def sample_spec(rng: np.random.Generator) -> Spec:
    """A random caption's content: one object, one relation, two objects or two to four equal ones."""
    kind_of_scene = rng.choice(["one", "relation", "and", "count"], p=[0.2, 0.45, 0.1, 0.25])
    background = str(rng.choice(list(BACKGROUNDS))) if rng.random() < 0.2 else None
    if kind_of_scene == "one":
        return Spec(groups=(_group(rng, sized=0.4),), background=background)
    if kind_of_scene == "count":
        return Spec(
            groups=(replace(_group(rng, sized=0.1), count=int(rng.choice(list(COUNTS)))),), background=background
        )
    first, second = _group(rng, sized=0.12), _group(rng, sized=0.12)
    while (first.kind, first.color) == (second.kind, second.color):
        second = _group(rng, sized=0.12)
    relation = str(rng.choice(list(RELATIONS))) if kind_of_scene == "relation" else None
    return Spec(groups=(first, second), relation=relation, background=background)


def _group(rng: np.random.Generator, *, sized: float) -> Group:
    size = str(rng.choice(list(SIZES))) if rng.random() < sized else None
    if rng.random() < 0.6:
        return Group(kind=str(rng.choice(list(SHAPES))), color=str(rng.choice(list(COLORS))), size=size)
    return Group(kind=str(rng.choice(list(THINGS))), size=size)


def place(spec: Spec, seed: int, *, domain: Domain = "flat", spread: float = 1.0) -> Scene:
    """One drawing of `spec`: objects never overlap, relations hold by at least a fifth of the picture.

    `spread`: how far things stand from the middle of their places, as a share of what is usual.
    """
    rng = np.random.default_rng([seed, 77])
    sizes = [[g.size or str(rng.choice(list(SIZES)))] * g.count for g in spec.groups]
    centers = (
        _pair(spec.relation or str(rng.choice(list(RELATIONS))), rng, spread)
        if len(spec.groups) == 2
        else _cluster(spec.groups[0].count, rng, spread)
    )
    objects = []
    for index, (center, size) in enumerate(zip(centers, [s for row in sizes for s in row], strict=True)):
        group = index if len(spec.groups) == 2 else 0
        wanted, side = spec.groups[group], PIXELS[size]
        x, y = (int(np.clip(round(c - side / 2), 1, SIZE - side - 1)) for c in center)
        objects.append(
            Placed(
                kind=wanted.kind,
                color=wanted.color,
                size=size,
                x=x,
                y=y,
                side=side,
                group=group,
                texture=wanted.texture,
            )
        )
    background = spec.background or (str(rng.choice(list(BACKGROUNDS))) if rng.random() < 0.5 else "white")
    return Scene(spec=spec, objects=tuple(objects), background=background, domain=domain, seed=seed)


def _pair(relation: str, rng: np.random.Generator, spread: float) -> list[tuple[float, float]]:
    near, far = 24 + spread * rng.uniform(-4, 3), 72 + spread * rng.uniform(-3, 4)
    middle = 48 + spread * rng.uniform(-9, 9)
    one, other = (near, middle + spread * rng.uniform(-6, 6)), (far, middle + spread * rng.uniform(-6, 6))
    if relation in ("above", "below"):
        one, other = one[::-1], other[::-1]
    return [one, other] if relation in ("to the left of", "above") else [other, one]


def _cluster(count: int, rng: np.random.Generator, spread: float) -> list[tuple[float, float]]:
    anchors = {
        1: [(48.0, 48.0)],
        2: [(24.0, 48.0), (72.0, 48.0)],
        3: [(24.0, 24.0), (72.0, 24.0), (48.0, 72.0)],
        4: [(24.0, 24.0), (72.0, 24.0), (24.0, 72.0), (72.0, 72.0)],
    }[count]
    shift, own = spread * rng.uniform(-2, 2, size=2), spread * (10.0 if count == 1 else 2.0)
    return [(x + shift[0] + rng.uniform(-own, own), y + shift[1] + rng.uniform(-own, own)) for x, y in anchors]


def draw(scene: Scene) -> Image.Image:
    """The scene as a 96x96 RGB picture, the same for the same scene."""
    canvas = np.empty((SIZE, SIZE, 3), dtype=np.float32)
    canvas[:] = BACKGROUND_RGB[scene.background]
    for thing in scene.objects:
        picture = thing.picture.astype(np.float32)
        if scene.domain == "sketch":
            picture = _sketched(picture)
        alpha = picture[..., 3:] / 255
        view = canvas[thing.y : thing.y + thing.side, thing.x : thing.x + thing.side]
        view[:] = picture[..., :3] * alpha + view * (1 - alpha)
    if scene.domain == "noisy":
        canvas += np.random.default_rng([scene.seed, 78]).normal(0, 18, canvas.shape)
    pixels = np.clip(canvas, 0, 255).round().astype(np.uint8)
    if style := STYLES.get(scene.domain):
        pixels = style(pixels, scene.shown(), scene.seed)
    return Image.fromarray(pixels)


def _sketched(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hatched pencil lines inside a solid outline, in the object's own colours."""
    alpha = picture[..., 3]
    inside = np.pad(alpha, 1)
    inner = np.minimum.reduce([inside[:-2, 1:-1], inside[2:, 1:-1], inside[1:-1, :-2], inside[1:-1, 2:]])
    rows, columns = np.indices(alpha.shape)
    keep = np.maximum(alpha - inner, alpha * (0.35 + 0.4 * ((rows + columns) % 3 == 0)))
    return np.dstack([picture[..., :3] * 0.9, keep]).astype(np.float32)
