"""Spherical k-means (Dhillon and Modha 2001) on unit vectors: the centroid of a cluster is its mean, scaled to length 1.

scikit-learn's k-means is not spherical, and faiss, whose is, brings an OpenMP of its own beside that of torch, which ends processes on
macOS. What is needed of it is a matrix product and a sum, in blocks, so that memory holds a block and the centroids beside the vectors, which
may be float16 or a file that numpy maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput

__all__ = ["BLOCK", "Clusters", "cluster", "cluster_count", "nearest_clusters", "rows_at_once", "unit_rows"]

BLOCK = 4096
"""Rows that are compared at once."""
_SAMPLE, _LEAST = 256, 39  # rows a cluster that centroids are fitted on: at most and at least, as faiss has it
_FITTED = 1 << 16  # rows that are fitted on in all, unless that is too few a cluster
_WHOLE = 10_000  # rows of which all pairs are compared


@dataclass(frozen=True)
class Clusters:
    """`assigned` (n,): the cluster of each row; `centroids` (k, size): unit vectors."""

    assigned: NDArray[np.int64]
    centroids: NDArray[np.float32]

    def members(self) -> list[NDArray[np.int64]]:
        """The rows of each cluster, in order; none are empty lists of those that lost theirs."""
        order = np.argsort(self.assigned, kind="stable")
        ends = np.cumsum(np.bincount(self.assigned, minlength=len(self.centroids)))
        return [np.asarray(rows, dtype=np.int64) for rows in np.split(order, ends[:-1])]


def cluster_count(rows: int) -> int:
    """How many clusters near copies are looked for in: one up to 10,000 rows, where all pairs are compared; above, their square root.

    Then assigning rows and comparing them within clusters cost about the same, and both grow as the power 1.5.
    """
    return 1 if rows <= _WHOLE else round(rows**0.5)


def rows_at_once(columns: int) -> int:
    """How many rows are compared with `columns` others at once where the nearest are looked for: four million cosines, 64 MB while they are sorted."""
    return max(1, min(BLOCK, (1 << 22) // max(1, columns)))


def unit_rows(vectors: Any) -> NDArray[np.float32]:
    """Rows scaled to length 1, as float32 (n, size).

    Raises:
        BadInput: no table of numbers, no rows, a row of zeros, or one that is not finite.
    """
    rows = np.asarray(vectors, dtype=np.float32)
    if rows.ndim != 2 or not rows.size:
        raise BadInput(f"vectors of shape {rows.shape}: give a table with a vector a row.")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0))
    if len(bad):
        raise BadInput(f"the vector in row {int(bad[0])} is all zeros or not finite: leave that row out.")
    return np.asarray(rows / lengths, dtype=np.float32)


def cluster(vectors: Any, k: int, *, seed: int = 0, rounds: int = 20) -> Clusters:
    """`k` clusters of unit vectors (n, size), float16 or float32.

    The centroids are fitted on at most 256 k rows drawn by `seed`, for many clusters on 65,536 in all but no fewer than 39 k, then every row is
    assigned to the most similar one. A cluster that lost its rows begins again at the row that its centroid serves worst.

    Raises:
        BadInput: fewer rows than clusters, or k below 1.
    """
    count = len(vectors)
    if not 1 <= k <= count:
        raise BadInput(f"{k} clusters of {count} vectors: give 1 to {count}.")
    if k == 1:
        mean = np.sum([_rows(vectors, part).sum(axis=0, dtype=np.float64) for part in _blocks(count)], axis=0)
        length = float(np.linalg.norm(mean))
        centroid = mean / length if length > 0 else np.eye(1, vectors.shape[1])[0]
        return Clusters(np.zeros(count, dtype=np.int64), centroid[None].astype(np.float32))
    rng = np.random.default_rng([seed, k])
    most = min(count, _SAMPLE * k, max(_FITTED, _LEAST * k))
    drawn = np.sort(rng.choice(count, size=most, replace=False))
    sample = np.asarray(vectors[drawn], dtype=np.float32)
    centroids = _spread(sample, k, rng)
    before = np.full(len(sample), -1, dtype=np.int64)
    for _ in range(rounds):
        assigned, similarity = _assign(sample, centroids)
        if (assigned == before).all():
            break
        before = assigned
        sums = np.zeros((k, sample.shape[1]), dtype=np.float64)
        for place, rows in enumerate(Clusters(assigned, centroids).members()):
            sums[place] = sample[rows].sum(axis=0, dtype=np.float64)
        lengths = np.linalg.norm(sums, axis=1)
        empty = np.flatnonzero(lengths == 0)
        sums[empty] = sample[np.argsort(similarity, kind="stable")[: len(empty)]]
        lengths[empty] = 1.0
        centroids = (sums / lengths[:, None]).astype(np.float32)
    return Clusters(_assign(vectors, centroids)[0], centroids)


def _spread(sample: NDArray[np.float32], k: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """First centroids: far apart ones for few clusters (k-means++), drawn ones for many, where that costs as much as a fit."""
    if k > 256:
        return sample[np.sort(rng.choice(len(sample), size=k, replace=False))].copy()
    chosen = [int(rng.integers(len(sample)))]
    far = np.maximum(0.0, 1.0 - sample @ sample[chosen[0]]).astype(np.float64)
    for _ in range(k - 1):
        total = float(far.sum())
        chosen.append(int(rng.choice(len(sample), p=far / total)) if total > 0 else int(rng.integers(len(sample))))
        far = np.minimum(far, np.maximum(0.0, 1.0 - sample @ sample[chosen[-1]]))
    return sample[chosen].copy()


def _assign(vectors: Any, centroids: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The most similar centroid of each row, and how similar."""
    assigned = np.empty(len(vectors), dtype=np.int64)
    best = np.empty(len(vectors), dtype=np.float32)
    for part in _blocks(len(vectors)):
        similarities = _rows(vectors, part) @ centroids.T
        assigned[part] = similarities.argmax(axis=1)
        best[part] = similarities.max(axis=1)
    return assigned, best


def nearest_clusters(
    rows: NDArray[np.float32], centroids: NDArray[np.float32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(n, most) each: the most similar centroids of each row, the most similar first, and how similar."""
    similarities = rows @ centroids.T
    near = np.argpartition(-similarities, most - 1, axis=1)[:, :most]
    values = np.take_along_axis(similarities, near, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(values, order, axis=1)


def _blocks(count: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def _rows(vectors: Any, part: Any) -> NDArray[np.float32]:
    return np.asarray(vectors[part], dtype=np.float32)
