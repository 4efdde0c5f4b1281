"""What of a pool is like some examples: the two retrievals of DINOv2 (Oquab et al. 2023, arXiv 2304.07193, appendix A).

By samples: the nearest rows of the pool to each example. By clusters: the pool is clustered, and the clusters that examples fall into
are taken whole; it finds more, where there are enough examples to hit a cluster several times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .clusters import BLOCK, cluster, unit_rows

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
    for start in range(0, len(examples), BLOCK):
        similarities = np.asarray(examples[start : start + BLOCK], dtype=np.float32) @ pool.T
        found.update(np.argpartition(-similarities, each - 1, axis=1)[:, :each].ravel().tolist())
    return np.array(sorted(found), dtype=np.int64)


def by_clusters(
    pool: Any, examples: Any, *, clusters: int | None = None, hits: int = 3, most: int | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """The rows of the clusters of the pool that are nearest to more than `hits` examples, in order; the paper's hits are 3.

    `clusters`: by default one an example, at most one for every 50 rows. `most`: rows of a cluster, those nearest to its centroid (the paper:
    10,000).

    Raises:
        BadInput: no examples, or more clusters than rows.
    """
    if not len(examples):
        raise BadInput("there are no examples: give at least one.")
    pool, examples = unit_rows(pool), unit_rows(examples)
    count = min(len(pool), clusters if clusters is not None else max(2, min(len(pool) // 50, len(examples))))
    parts = cluster(pool, count, seed=seed)
    struck = np.bincount((examples @ parts.centroids.T).argmax(axis=1), minlength=count)
    rows = []
    for place, members in enumerate(parts.members()):
        if struck[place] > hits:
            near = pool[members] @ parts.centroids[place]
            rows.append(members[np.argsort(-near, kind="stable")[:most]])
    return np.sort(np.concatenate(rows)) if rows else np.empty(0, dtype=np.int64)
