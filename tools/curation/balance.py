"""Balanced sampling over a hierarchy of clusters (Vo et al. 2024, arXiv 2405.15613): rare kinds are drawn as often as common ones.

Plain k-means puts most of its clusters where most rows are. Clusters of the centroids, and of theirs, spread evenly over what is there; from the
top down each cluster is given an equal part of what is to be drawn, and what a small one cannot give falls to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .clusters import cluster, unit_rows

__all__ = ["balanced", "hierarchy", "shares"]


def hierarchy(vectors: Any, sizes: Sequence[int], *, seed: int = 0) -> list[NDArray[np.int64]]:
    """(n,) a level, the lowest first: the cluster of each row, of `sizes[0]` clusters, then of `sizes[1]` of their centroids, ...

    Raises:
        BadInput: no sizes, or sizes that do not fall.
    """
    if not sizes or any(low <= high for low, high in pairwise(sizes)):
        raise BadInput(f"sizes={list(sizes)!r}: give falling numbers of clusters, the most first.")
    levels: list[NDArray[np.int64]] = []
    rows = unit_rows(vectors)
    for size in sizes:
        parts = cluster(rows, min(size, len(rows)), seed=seed)
        levels.append(parts.assigned if not levels else parts.assigned[levels[-1]])
        rows = parts.centroids
    return levels


def balanced(levels: Sequence[NDArray[np.int64]], count: int, *, seed: int = 0) -> NDArray[np.int64]:
    """`count` rows, in order, drawn evenly over the clusters of the highest level, within each evenly over those below it.

    Raises:
        BadInput: a count below 1 or above the number of rows.
    """
    rows = len(levels[0])
    if not 1 <= count <= rows:
        raise BadInput(f"{count} of {rows} rows: give 1 to {rows}.")
    rng = np.random.default_rng([seed, 23])
    return np.sort(_drawn(np.arange(rows), list(levels), count, rng))


def shares(sizes: Sequence[int], count: int) -> list[int]:
    """`count` parted as evenly as can be over places that hold `sizes`; the first ones get what is left over."""
    given = [0] * len(sizes)
    while count > 0:
        free = sorted((place for place, size in enumerate(sizes) if given[place] < size), key=given.__getitem__)
        part, over = divmod(count, len(free))
        for number, place in enumerate(free):
            more = min(part + (number < over), sizes[place] - given[place])
            given[place] += more
            count -= more
    return given


def _drawn(
    rows: NDArray[np.int64], levels: list[NDArray[np.int64]], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    if not levels:
        return rng.choice(rows, size=count, replace=False)
    top, below = levels[-1][rows], levels[:-1]
    groups = [rows[top == name] for name in rng.permutation(np.unique(top))]
    parts = shares([len(group) for group in groups], count)
    drawn = [_drawn(group, below, part, rng) for group, part in zip(groups, parts, strict=True) if part]
    return np.concatenate(drawn)
