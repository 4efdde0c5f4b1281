"""What of a pool is like some examples: the two retrievals of DINOv2 (Oquab et al. 2023, arXiv 2304.07193, appendix A).

By samples: the nearest rows of the pool to each example. By clusters: the pool is clustered, and the clusters that examples fall into
are taken whole; it finds more, where there are enough examples to hit a cluster several times.

One clustering now and then joins two kinds in one cluster, or parts one among several that are hit too seldom. So the pool is clustered several times
from other beginnings, and a row counts as found where most of these take it (a consensus of clusterings, Strehl and Ghosh 2002).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .clusters import cluster, rows_at_once, unit_rows

__all__ = ["by_clusters", "by_samples"]


def by_samples(pool: Any, examples: Any, *, each: int = 4) -> NDArray[np.int64]:
    """The rows of the pool that are among the `each` nearest of some example, in order; the paper takes 4.

    Raises:
        BadInput: `each` below 1 or above the size of the pool.
    """
    if not 1 <= each <= len(pool):
        raise BadInput(f"each={each!r}: give 1 to {len(pool)}, the size of the pool.")
    found: set[int] = set()
    pool = np.asarray(pool, dtype=np.float32)
    step = rows_at_once(len(pool))
    for start in range(0, len(examples), step):
        similarities = np.asarray(examples[start : start + step], dtype=np.float32) @ pool.T
        found.update(np.argpartition(-similarities, each - 1, axis=1)[:, :each].ravel().tolist())
    return np.array(sorted(found), dtype=np.int64)


def by_clusters(
    pool: Any,
    examples: Any,
    *,
    clusters: int | None = None,
    hits: int = 1,
    most: int | None = None,
    votes: int = 5,
    seed: int = 0,
) -> NDArray[np.int64]:
    """The rows of the clusters of the pool that are nearest to more than `hits` examples, by most of `votes` clusterings, in order.

    The paper's hits are 3, of 100,000 clusters and a million examples, and it clusters once. `clusters`: by default three an example, at most one for
    every 50 rows or, of fewer than 2,500, the square root of their number. `most`: rows of a cluster, those nearest to its centroid (the paper: 10,000).

    Raises:
        BadInput: no examples, votes below 1, or more clusters than rows.
    """
    if not len(examples):
        raise BadInput("there are no examples: give at least one.")
    if votes < 1:
        raise BadInput(f"votes={votes!r}: give 1 or more.")
    pool, examples = unit_rows(pool), unit_rows(examples)
    usual = max(len(pool) // 50, round(len(pool) ** 0.5))
    count = min(len(pool), clusters or max(2, min(usual, 3 * len(examples))))
    taken = np.zeros(len(pool), dtype=np.int64)
    for vote in range(votes):
        parts = cluster(pool, count, seed=seed + vote)
        struck = np.bincount((examples @ parts.centroids.T).argmax(axis=1), minlength=count)
        for place, members in enumerate(parts.members()):
            if struck[place] > hits:
                near = pool[members] @ parts.centroids[place]
                taken[members[np.argsort(-near, kind="stable")[:most]]] += 1
    return np.flatnonzero(2 * taken > votes)
