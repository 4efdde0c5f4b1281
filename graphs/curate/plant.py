"""Copies and look-alikes of some pictures of the folder, scored as its pairs are."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.session import Progressed
from ...tools.curation import CHANGES, Planted, Thumbnails, align, hash_bits
from ...tools.curation import plant as planted_picture
from .compare import BITS, NEAREST, NEAREST_BITS
from .context import CurateContext, Looked

__all__ = ["planted"]

_SOURCES = 50


async def planted(context: CurateContext, looked: Looked, vectors: NDArray[np.float32]) -> list[Planted]:
    """At most 50 pictures, changed in each way. By pixels, one that is not among the candidates of its source scores 0, as it would not be found."""
    looks, blobs = looked.looks, context.session.store.blobs
    # by what they show, so that one more picture leaves those that are planted into as they were
    salted = {
        place: sha256(f"{context.config.seed} {each.pixels}".encode()).hexdigest() for place, each in enumerate(looks)
    }
    different = {looks[place].pixels: place for place in salted}
    places = sorted(different.values(), key=salted.__getitem__)[:_SOURCES]
    if len(places) < 2:
        return []
    part = 0.2 if context.config.copies == "pixels" else 0.3  # less is hardly another meaning
    made: list[tuple[int, Any, Any]] = []

    def make() -> None:
        for number, place in enumerate(places):
            picture = blobs.get_image(looks[place].blob)
            other = blobs.get_image(looks[places[number - 1]].blob)
            rng = np.random.default_rng(int(salted[place][:16], 16))
            for change in CHANGES:
                made.append((place, change, planted_picture(picture, other, change, rng, part=part)))

    await asyncio.to_thread(make)
    context.session.emit(Progressed(text=f"{len(made)} planted copies and look-alikes"))
    refs = await asyncio.to_thread(lambda: [blobs.put_image(picture) for _, _, picture in made])
    assert context.clip is not None
    theirs = np.array(await context.clip.images(refs), dtype=np.float32)
    own = vectors[: len(looks)]
    if context.config.copies == "meaning":
        return [Planted(place, change, float(own[place] @ vector)) for (place, change, _), vector in zip(made, theirs, strict=True)]  # fmt: skip
    bits, flipped = np.array([each.bits for each in looks]), np.array([each.flipped_bits for each in looks])

    def score() -> list[Planted]:
        small = {place: Thumbnails(blobs.get_image(looks[place].blob)) for place in places}
        found = []
        for (place, change, picture), vector in zip(made, theirs, strict=True):
            closer = int((own @ vector > own[place] @ vector).sum())
            hashed = hash_bits(picture)
            alike = np.maximum(bits @ hashed, flipped @ hashed)
            as_hashed = float(alike[place])
            candidate = closer < NEAREST or (as_hashed > BITS and int((alike > as_hashed).sum()) < NEAREST_BITS)
            value = align(small[place], Thumbnails(picture)).score if candidate else 0.0
            found.append(Planted(place, change, value))
        return found

    return await asyncio.to_thread(score)
