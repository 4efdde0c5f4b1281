"""Near copies among unit vectors: SemDeDup (Abbas et al. 2023, arXiv 2303.09540).

Rows are clustered by spherical k-means and compared within their cluster alone. `priorities` puts them in an order, and a rule says which go:

    released     one that is similar to any row before it, whether that one stays or not: the authors' code and the paper's listing. Along a
                 chain of copies all but the first go, also those that are like nothing that stays
    greedy       one that is similar to a row before it that stays: every row that goes has a copy that stays
    components   all but the first of each connected component: one a neighbourhood, as the paper's prose has it. No two that stay are similar

"Similar" is a cosine above the threshold, which the paper writes 1 - epsilon. The paper keeps the row farthest from its centroid ("hard").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .clusters import BLOCK, Clusters, cluster, cluster_count

__all__ = ["KEEPS", "RULES", "Keep", "Removal", "Rule", "components", "nearest", "priorities", "remove_copies"]

Rule: TypeAlias = Literal["greedy", "released", "components"]
RULES: tuple[Rule, ...] = get_args(Rule)
Keep: TypeAlias = Literal["hard", "easy", "random"]
KEEPS: tuple[Keep, ...] = get_args(Keep)
Order = NDArray[np.float64]


@dataclass(frozen=True)
class Removal:
    """`kept` (n,): whether a row stays. `copy_of` (n,): of one that goes, the row that stays for it; -1 for those that stay, and where the
    rule leaves none above the threshold. `similarity` (n,): of one that goes, its cosine with the most similar row that stays in its cluster.
    """

    kept: NDArray[np.bool_]
    copy_of: NDArray[np.int64]
    similarity: NDArray[np.float32]

    @property
    def share(self) -> float:
        """The share of rows that goes."""
        return float(1.0 - self.kept.mean())


def priorities(vectors: Any, clusters: Clusters, keep: Keep, *, seed: int = 0) -> Order:
    """(n,): what stays first. hard: rows far from their centroid; easy: near to it; random: by `seed`."""
    if keep == "random":
        return np.random.default_rng([seed, 17]).random(len(vectors))
    near = np.empty(len(vectors), dtype=np.float64)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        rows = np.asarray(vectors[part], dtype=np.float32)
        near[part] = np.einsum("ij,ij->i", rows, clusters.centroids[clusters.assigned[part]])
    return near if keep == "easy" else -near


def remove_copies(
    vectors: Any,
    threshold: float,
    *,
    rule: Rule = "greedy",
    priority: Order | Keep = "hard",
    clusters: Clusters | None = None,
    seed: int = 0,
) -> Removal:
    """Remove near copies of unit vectors (n, size), which may be float16 or mapped from a file.

    `threshold`: the cosine above which two rows are copies of each other. `priority` (n,): the higher stays, of equal ones the first row; or
    a name of `KEEPS`. `clusters` default to one for every 10,000 rows; copies in different clusters are not seen.

    Raises:
        BadInput: a threshold outside -1..1 (1.01 removes nothing), or priorities of another length.
    """
    if not -1 <= threshold <= 1.01:
        raise BadInput(f"threshold={threshold!r} is no cosine: give one from -1 to 1.")
    count = len(vectors)
    clusters = clusters or cluster(vectors, cluster_count(count), seed=seed)
    order = priorities(vectors, clusters, priority, seed=seed) if isinstance(priority, str) else np.asarray(priority)
    if order.shape != (count,):
        raise BadInput(f"{order.shape} priorities of {count} vectors: give one a row.")
    kept = np.ones(count, dtype=bool)
    copy_of = np.full(count, -1, dtype=np.int64)
    similarity = np.zeros(count, dtype=np.float32)
    for members in clusters.members():
        if len(members) < 2:
            continue
        rows = members[np.lexsort((members, -order[members]))]
        part = np.asarray(vectors[rows], dtype=np.float32)
        stays = _STAYS[rule](part, threshold)
        goes = ~stays
        kept[rows[goes]] = False
        if goes.any():
            near, close = nearest(part[goes], part[stays])
            covered = close > threshold
            copy_of[rows[goes]] = np.where(covered, rows[stays][near], -1)
            similarity[rows[goes]] = close
    return Removal(kept, copy_of, similarity)


def nearest(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of each row the most similar one of `others`, and their cosine; in blocks. `BadInput` where there are no others."""
    if not len(others):
        raise BadInput("there is nothing to compare with: give at least one vector.")
    place = np.zeros(len(vectors), dtype=np.int64)
    best = np.full(len(vectors), -np.inf, dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        for first in range(0, len(others), BLOCK):
            similarities = vectors[part] @ others[first : first + BLOCK].T
            here, value = similarities.argmax(axis=1), similarities.max(axis=1)
            better = value > best[part]
            place[part] = np.where(better, first + here, place[part])
            best[part] = np.where(better, value, best[part])
    return place, best


def components(vectors: Any, threshold: float, clusters: Clusters | None = None, *, seed: int = 0) -> NDArray[np.int64]:
    """(n,): the connected component of each row, named by its first row: rows that a chain of cosines above `threshold` joins.

    `clusters`: as in `remove_copies`.
    """
    clusters = clusters or cluster(vectors, cluster_count(len(vectors)), seed=seed)
    labels = np.arange(len(vectors), dtype=np.int64)
    for rows in clusters.members():
        if len(rows) > 1:
            labels[rows] = rows[_labels(np.asarray(vectors[rows], dtype=np.float32), threshold)]
    return labels


def _labels(rows: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Of each row the place of the first one of its component."""
    labels = np.arange(len(rows), dtype=np.int64)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        similar = block @ rows[start:].T > threshold
        for place in np.flatnonzero(similar.sum(axis=1) > 1):
            joined = np.unique(labels[start + np.flatnonzero(similar[place])])
            joined = np.union1d(joined, labels[start + place : start + place + 1])
            if len(joined) > 1:
                labels[np.isin(labels, joined[1:])] = joined[0]
    return labels


def _one_a_component(rows: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    return np.asarray(_labels(rows, threshold) == np.arange(len(rows)))


def _like_none_before(rows: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    stays = np.ones(len(rows), dtype=bool)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        earlier = np.tri(len(block), start + len(block), start - 1, dtype=bool)
        stays[start : start + BLOCK] = ~((block @ rows[: start + len(block)].T > threshold) & earlier).any(axis=1)
    return stays


def _like_none_that_stays(rows: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    stays = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        new = np.ones(len(block), dtype=bool)
        if stays.any():
            new = nearest(block, rows[stays])[1] <= threshold
        inner = block @ block.T > threshold
        for place in np.flatnonzero(new):
            if new[place]:
                later = inner[place].copy()
                later[: place + 1] = False
                new &= ~later
        stays[start : start + BLOCK] = new
    return stays


_STAYS = {"greedy": _like_none_that_stays, "released": _like_none_before, "components": _one_a_component}
