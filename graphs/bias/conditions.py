"""Every picture that a model is shown, by what was done to it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from ...evaluators.bias import (
    BANDS,
    CHANGES,
    CUTOFFS,
    LABELLED_CHANGES,
    NOISE_LEVELS,
    high_pass,
    low_pass,
    noisy,
    octave_noise,
)
from ...runtime.errors import BadInput
from ...runtime.records import BlobRef
from .pictures import Labelled, Pictures

if TYPE_CHECKING:
    from ...runtime.store import BlobStore
    from .config import BiasConfig

__all__ = ["Condition", "conditions", "how_many"]


@dataclass(frozen=True)
class Condition:
    """Pictures with their classes. `kind`: conflict, plain, low, high, noise, change or shifted; `key`: which of them.

    `written`: of each picture, the word that was written on it.
    """

    kind: str
    images: tuple[BlobRef, ...]
    labels: tuple[str, ...]
    key: tuple[float, ...] = ()
    name: str = ""
    written: tuple[str, ...] = ()


def conditions(config: BiasConfig, pictures: Pictures, blobs: BlobStore) -> Iterator[Condition]:
    """What the measures of the config need; changed pictures are put into the store as they are made."""
    asked = set(config.measures)
    if "conflict" in asked and pictures.conflicts:
        yield Condition(
            "conflict",
            tuple(each.image for each in pictures.conflicts),
            tuple(each.shape for each in pictures.conflicts),
        )
    plain = pictures.plain
    if plain:
        labels = tuple(each.label for each in plain)

        def changed(change: Callable[[int, Image.Image], Image.Image]) -> tuple[BlobRef, ...]:
            images = (blobs.get_image(each.image).convert("RGB") for each in plain)
            return tuple(blobs.put_image(change(place, image)) for place, image in enumerate(images))

        yield Condition("plain", tuple(each.image for each in plain), labels)
        if "spectrum" in asked:
            for cutoff in CUTOFFS:
                yield Condition("low", changed(lambda _, image, c=cutoff: low_pass(image, c)), labels, (cutoff,))  # type: ignore[misc]
                yield Condition("high", changed(lambda _, image, c=cutoff: high_pass(image, c)), labels, (cutoff,))  # type: ignore[misc]
        if "band" in asked:
            yield from _noise(config, plain, labels, changed, blobs)
        if "changes" in asked:
            yield from _changes(config, pictures, labels, changed)
    if "shifted" in asked and pictures.shifted:
        shifted = pictures.shifted
        yield Condition("shifted", tuple(each.image for each in shifted), tuple(each.label for each in shifted))


def how_many(config: BiasConfig, pictures: Pictures, blobs: BlobStore) -> int:
    """How many pictures `conditions` gives."""
    asked, plain = set(config.measures), len(pictures.plain)
    each = 1 if plain else 0
    if plain:
        each += 2 * len(CUTOFFS) * ("spectrum" in asked)
        each += (1 + (len(NOISE_LEVELS) - 1) * len(_frequencies(config, pictures.plain, blobs))) * ("band" in asked)
        each += (len(CHANGES) + len(LABELLED_CHANGES) + _has_elsewhere(pictures)) * ("changes" in asked)
    return each * plain + len(pictures.conflicts) * ("conflict" in asked) + len(pictures.shifted) * ("shifted" in asked)


def _has_elsewhere(pictures: Pictures) -> bool:
    return all(each.elsewhere is not None for each in pictures.plain)


def _frequencies(config: BiasConfig, plain: Sequence[Labelled], blobs: BlobStore) -> list[float]:
    """The middle frequencies of the octaves that the smallest picture has."""
    width, height = min((blobs.get_image(each.image).size for each in plain), key=min)
    found = []
    for band in range(BANDS):
        try:
            found.append(octave_noise((height, width), band, seed=config.seed)[1])
        except BadInput:
            break
    return found


_Changed = Callable[[Callable[[int, Image.Image], Image.Image]], tuple[BlobRef, ...]]


def _noise(
    config: BiasConfig, plain: Sequence[Labelled], labels: tuple[str, ...], changed: _Changed, blobs: BlobStore
) -> Iterator[Condition]:
    """Grey pictures without noise, then every octave at every strength; a small picture has no octaves of large things."""
    yield Condition("noise", changed(lambda _, image: noisy(image, 0, 0.0, seed=0)), labels, (0.0, 0.0))
    for band, frequency in enumerate(_frequencies(config, plain, blobs)):
        for level in NOISE_LEVELS[1:]:
            images = changed(
                lambda place, image, b=band, at=level: noisy(image, b, at, seed=1000 * config.seed + place)  # type: ignore[misc]
            )
            yield Condition("noise", images, labels, (frequency, level))


def _changes(config: BiasConfig, pictures: Pictures, labels: tuple[str, ...], changed: _Changed) -> Iterator[Condition]:
    for name, change in CHANGES.items():
        yield Condition("change", changed(lambda _, image, c=change: c(image)), labels, name=name)  # type: ignore[misc]
    rng = random.Random(config.seed)
    words = tuple(rng.choice([name for name in pictures.classes if name != label]) for label in labels)
    for name, write in LABELLED_CHANGES.items():
        images = changed(lambda place, image, w=write: w(image, words[place].replace("_", " ")))  # type: ignore[misc]
        yield Condition("change", images, labels, name=name, written=words)
    if _has_elsewhere(pictures):
        elsewhere = tuple(each.elsewhere for each in pictures.plain if each.elsewhere is not None)
        yield Condition("change", elsewhere, labels, name="background")
