"""Pairs of pictures that may be copies, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.session import Progressed, Warned
from ...tools.curation import Look, Pairs, Thumbnails, align, joined, near_pairs
from .context import CurateContext, Looked
from .found import MEANING, PIXELS, planted_of, proposal

__all__ = ["BITS", "NEAREST", "NEAREST_BITS", "compared"]

NEAREST, NEAREST_BITS = 6, 4
"""Candidates of a picture: its nearest ones by vector, and by the bits of its hash."""
BITS = 1 - 2 * 12 / 64
"""Of 64 bits, at most 12 differ."""
_FAR = 64  # nearest ones by meaning: a larger crowd of copies is closed below
_CROWD = 30  # members of a component that are all compared with each other


def compared(
    context: CurateContext, looked: Looked, vectors: NDArray[np.float32], planted: Sequence[Sequence[Any]]
) -> Pairs:
    """Pairs over the pictures and then those of the test set, each of which shows something else.

    Pictures of the same pixels are compared once, and pictures of the test set are not compared with each other. The members of a component that
    the threshold joins are all compared, so that the rules see whole neighbourhoods.
    """
    config, count = context.config, len(looked.looks)
    looks = [*looked.looks, *looked.tests]
    alone = _first_of_each(looks, count)
    own = vectors[alone]
    threshold = proposal(config, planted_of(planted))
    if config.copies == "meaning":
        floor = min(threshold, MEANING) - 0.1
        near = near_pairs(own, k=_FAR, floor=floor if config.share is None else -1.0)
        rows = np.array(alone, dtype=np.int64)[near.rows]  # the pictures come before those of the test set: in order
        known = (rows[:, 0] < count) & (near.scores > 0)
        return Pairs(rows[known], near.scores[known])
    # each with its mirror image, as the second half
    bits = np.array([looks[place].bits for place in alone] + [looks[place].flipped_bits for place in alone])
    candidates = {tuple(row) for row in near_pairs(own, k=NEAREST, floor=-1.0).rows.tolist()}
    for one, other in near_pairs(bits, k=NEAREST_BITS, floor=BITS).rows.tolist():
        first, second = sorted((one % len(alone), other % len(alone)))
        candidates |= {(first, second)} if first != second else set()
    small: dict[int, Thumbnails] = {}
    blobs = context.session.store.blobs

    def thumbnail(place: int) -> Thumbnails:
        if place not in small:
            small[place] = Thumbnails(blobs.get_image(looks[alone[place]].blob))
        return small[place]

    found: dict[tuple[int, int], float] = {}

    def score(pairs: Sequence[tuple[int, int]], what: str) -> None:
        for done, (one, other) in enumerate(pairs, start=1):
            if alone[one] < count or alone[other] < count:
                found[one, other] = align(thumbnail(one), thumbnail(other)).score
            if done % 200 == 0 or done == len(pairs):
                context.session.emit(Progressed(text=what, done=done, of=len(pairs)))

    score(sorted(candidates), "pairs compared")
    labels = joined(len(alone), _pairs_of(found), min(threshold, PIXELS))
    more: list[tuple[int, int]] = []
    large = 0
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label).tolist()
        if len(members) <= _CROWD:
            more += [pair for pair in combinations(members, 2) if pair not in found]
        else:
            large += 1
    if large:
        context.session.emit(Warned(text=f"{large} crowds of more than {_CROWD} copies were compared with their nearest ones alone."))  # fmt: skip
    score(more, "further pairs of clusters compared")
    return _pairs(_known(found, alone, count), looks, count)


def _first_of_each(looks: Sequence[Look], count: int) -> list[int]:
    """The places of the pictures that are not the same pixels as an earlier one of their side."""
    seen: set[tuple[bool, str]] = set()
    places = []
    for place, each in enumerate(looks):
        key = (place < count, each.pixels)
        if key not in seen:
            places.append(place)
            seen.add(key)
    return places


def _known(scores: dict[tuple[int, int], float], alone: Sequence[int], count: int) -> dict[tuple[int, int], float]:
    """By places of pictures, without pairs of two test pictures."""
    told = {(alone[one], alone[other]): value for (one, other), value in scores.items()}
    return {pair: value for pair, value in told.items() if min(pair) < count}


def _pairs(scores: dict[tuple[int, int], float], looks: Sequence[Look], count: int) -> Pairs:
    return _pairs_of({(min(pair), max(pair)): value for pair, value in scores.items() if value > 0})


def _pairs_of(scores: dict[tuple[int, int], float]) -> Pairs:
    rows = sorted(scores)
    return Pairs(
        np.array(rows, dtype=np.int64).reshape(-1, 2), np.array([scores[row] for row in rows], dtype=np.float64)
    )
