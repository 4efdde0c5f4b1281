"""Copies: pictures, near duplicates of some of them, and pictures that only look alike, with the truth of who is a copy of whom.

A copy shows the very same drawing: byte for byte, cropped, recompressed, recoloured or mirrored. A look-alike does not: the same things
elsewhere, or one thing replaced by another. Some copies of training pictures lie in the test split: leaks.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps

from ..compositions import compose
from ..drawing import SIZE, Group, Placed, Scene, draw
from ..truth import Truth
from ..vocabulary import SHAPES, THINGS
from .pictures import NONE, DrawnSet, Picture, png

__all__ = ["COPIES"]

_COPIES, _LOOK_ALIKES = 1.5, 0.5  # for each original
_TEST = 5  # one original in so many is of the test split
_LEAKS = 5  # one copy in so many leaks, where its original is of the train split
_SKETCHES = 7  # one original in so many is a sketch


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """How a picture is copied: in words, and its file."""

    change: str
    detail: str
    encoded: Callable[[], bytes]
    suffix: str = "png"
    moved: Callable[[Truth], Truth] | None = None


def _exact(scene: Scene, rng: np.random.Generator) -> _Copy:
    return _Copy(change="exact", detail=NONE, encoded=lambda: png(draw(scene)))


def _crop(scene: Scene, rng: np.random.Generator) -> _Copy:
    side = int(rng.integers(SIZE * 80 // 100, SIZE * 92 // 100 + 1))
    left, top = (int(part) for part in rng.integers(0, SIZE - side + 1, size=2))
    box = (left, top, left + side, top + side)

    def encoded() -> bytes:
        return png(draw(scene).crop(box).resize((SIZE, SIZE), Image.Resampling.BICUBIC))

    def moved(truth: Truth) -> Truth:
        masks = [Image.fromarray(mask).crop(box).resize((SIZE, SIZE), Image.Resampling.NEAREST) for mask in truth.full]
        return Truth(full=np.stack([np.asarray(mask) for mask in masks]))

    return _Copy(change="crop", detail=f"box={list(box)}", encoded=encoded, moved=moved)


def _recompress(scene: Scene, rng: np.random.Generator) -> _Copy:
    quality = int(rng.integers(25, 71))

    def encoded() -> bytes:
        buffer = io.BytesIO()
        draw(scene).save(buffer, format="JPEG", quality=quality)
        return buffer.getvalue()

    return _Copy(change="recompress", detail=f"quality={quality}", encoded=encoded, suffix="jpg")


def _recolor(scene: Scene, rng: np.random.Generator) -> _Copy:
    gains = [int(gain) for gain in rng.permutation([70, 100, 125]) + rng.integers(-8, 9, size=3)]

    def encoded() -> bytes:
        pixels = np.asarray(draw(scene)).astype(np.int64) * np.array(gains) // 100
        return png(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))

    return _Copy(change="recolor", detail=f"rgb={gains} %", encoded=encoded)


def _mirror(scene: Scene, rng: np.random.Generator) -> _Copy:
    return _Copy(
        change="mirror",
        detail=NONE,
        encoded=lambda: png(ImageOps.mirror(draw(scene))),
        moved=lambda truth: Truth(full=truth.full[:, :, ::-1]),
    )


_CHANGES = (_exact, _crop, _recompress, _recolor, _mirror)


def _moved(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same things, each where the next one was."""
    places = [*scene.objects[1:], scene.objects[0]]
    objects = tuple(
        replace(thing, x=place.x, y=place.y, side=place.side, size=place.size)
        for thing, place in zip(scene.objects, places, strict=True)
    )
    return replace(scene, objects=objects, spec=replace(scene.spec, groups=_sized(scene, objects)))


def _replaced(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same scene, with another kind in the place of the nearest object: a shape for a shape, a thing for a thing."""
    nearest, kinds = scene.objects[-1], {thing.kind for thing in scene.objects}
    family = SHAPES if nearest.kind in SHAPES else THINGS
    kind = str(rng.choice([kind for kind in family if kind not in kinds]))
    objects = (*scene.objects[:-1], replace(nearest, kind=kind))
    return replace(scene, objects=objects, spec=replace(scene.spec, groups=_sized(scene, objects)))


def _sized(scene: Scene, objects: tuple[Placed, ...]) -> tuple[Group, ...]:
    return tuple(
        replace(group, kind=thing.kind, size=thing.size)
        for group, thing in zip(scene.spec.groups, objects, strict=True)
    )


def _plan(count: int, seed: int) -> Iterator[Picture]:
    rng = np.random.default_rng([seed, 93])
    copies, look_alikes = (
        np.bincount(rng.integers(count, size=round(count * part)), minlength=count).tolist()
        for part in (_COPIES, _LOOK_ALIKES)
    )
    copied = 0
    for number in range(count):
        sketch = int(rng.integers(_SKETCHES)) == 0
        scene = compose(seed * 1_000_003 + number, domain="sketch" if sketch else "flat")
        original = _original(scene, number)
        yield original
        changes = rng.permutation(len(_CHANGES)).tolist()
        for place in range(copies[number]):
            copied += 1
            copy = _CHANGES[changes[place % len(_CHANGES)]](scene, rng)
            yield _copy_of(original, copy, place, leak=original.split == "train" and copied % _LEAKS == 0)
        for place in range(look_alikes[number]):
            yield _like(original, (_moved, _replaced)[int(rng.integers(2))], place, rng)


def _original(scene: Scene, number: int) -> Picture:
    name = f"original_{number:05d}"
    columns = {"id": name, "cluster": name, "copy_of": NONE, "change": NONE, "detail": NONE, "like": NONE}
    split = "test" if number % _TEST == _TEST - 1 else "train"
    return Picture(split=split, name=name, columns={**columns, "leak": False, "group": scene.domain}, scene=scene)


def _copy_of(original: Picture, copy: _Copy, place: int, *, leak: bool) -> Picture:
    name = f"{original.name.replace('original', 'copy')}_{place}"
    columns = {"id": name, "copy_of": original.name, "change": copy.change, "detail": copy.detail, "leak": leak}
    return replace(
        original,
        split="test" if leak else original.split,
        name=name,
        columns={**original.columns, **columns},
        encoded=copy.encoded,
        suffix=copy.suffix,
        moved=copy.moved,
    )


def _like(
    original: Picture, alike: Callable[[Scene, np.random.Generator], Scene], place: int, rng: np.random.Generator
) -> Picture:
    name = f"{original.name.replace('original', 'alike')}_{place}"
    columns = {"id": name, "cluster": name, "change": alike.__name__.removeprefix("_"), "like": original.name}
    return replace(original, name=name, columns={**original.columns, **columns}, scene=alike(original.scene, rng))


COPIES = DrawnSet(
    name="copies",
    title="Near duplicates in the drawn world",
    summary="Originals, three copies for two of them (exact, cropped, recompressed, recoloured, mirrored), and look-alikes that are no copies. "
    "Who is a copy of whom is known, and which copies of training pictures lie in the test split.",
    count=400,
    counts="originals",
    columns={
        "id": "of the picture",
        "cluster": "the original that it shows: copies of each other have the same",
        "copy_of": 'the id of its original, or "none"',
        "change": 'how it was copied ("exact", "crop", "recompress", "recolor", "mirror"), or how a look-alike differs ("moved", "replaced")',
        "detail": "the numbers of that change",
        "like": 'of a look-alike: the id of what it looks like; else "none"',
        "leak": "whether it lies in the test split and its original in the train split",
        "group": "the domain of the original: a seventh are sketches, so that it can be counted whom a removal costs what",
    },
    labels=("change",),
    plan=_plan,
    in_order=True,
)
