"""Near copies among unit vectors: SemDeDup (Abbas et al. 2023, arXiv 2303.09540).

Rows are clustered by spherical k-means and compared within their cluster, and near to a border with those of the clusters beyond it (`lists`).
`priorities` puts them in an order, and a rule says which go:

    released     one that is similar to any row before it, whether that one stays or not: the authors' code and the paper's listing. Along a
                 chain of copies all but the first go, also those that are like nothing that stays
    greedy       one that is similar to a row before it that stays: every row that goes has a copy that stays
    components   all but the first of each connected component: one a neighbourhood, as the paper's prose has it. No two that stay are similar

"Similar" is a cosine above the threshold, which the paper writes 1 - epsilon. The paper keeps the row farthest from its centroid ("hard").

No pairs are stored, so that a crowd of copies costs no memory. Of each row the first one before it that is similar is looked up in all lists; that decides
most rows of the greedy rule, and further rounds look at the others alone. The outcome is that of going through the rows one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .clusters import BLOCK, Clusters, cluster, cluster_count
from .lists import Border, Lists, Meeting, found_border

__all__ = ["KEEPS", "RULES", "Keep", "Removal", "Rule", "components", "nearest", "priorities", "remove_copies"]

Rule: TypeAlias = Literal["greedy", "released", "components"]
RULES: tuple[Rule, ...] = get_args(Rule)
Keep: TypeAlias = Literal["hard", "easy", "random"]
KEEPS: tuple[Keep, ...] = get_args(Keep)
Order = NDArray[np.float64]
_SURE = 0.999  # a threshold that the same row over again is above, whatever rounding does


@dataclass(frozen=True)
class Removal:
    """`kept` (n,): whether a row stays. `copy_of` (n,): of one that goes, the row that stays for it; -1 for those that stay, and where the
    rule leaves none above the threshold. `similarity` (n,): of one that goes, its cosine with that row, 0 for none. `border`: how rows of different clusters
    were compared, None where all pairs were, or none of different clusters.
    """

    kept: NDArray[np.bool_]
    copy_of: NDArray[np.int64]
    similarity: NDArray[np.float32]
    border: Border | None = None

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
    scratch: Path | None = None,
) -> Removal:
    """Remove near copies of unit vectors (n, size), which may be float16 or mapped from a file.

    `threshold`: the cosine above which two rows are copies of each other. `priority` (n,): the higher stays, of equal ones the first row; or
    a name of `KEEPS`. All pairs are compared up to 10,000 rows; above, rows meet in clusters and across their borders as `found_border` says. With
    `clusters` given, rows of different ones are not compared. `scratch`: a folder for a temporary file of several times the size of one that is mapped.

    Raises:
        BadInput: a threshold outside -1..1 (1.01 removes nothing), or priorities of another length.
    """
    if not -1 <= threshold <= 1.01:
        raise BadInput(f"threshold={threshold!r} is no cosine: give one from -1 to 1.")
    count = len(vectors)
    clusters, border = _compared(vectors, threshold, clusters, seed)
    order = priorities(vectors, clusters, priority, seed=seed) if isinstance(priority, str) else np.asarray(priority)
    if order.shape != (count,):
        raise BadInput(f"{order.shape} priorities of {count} vectors: give one a row.")
    rank = np.empty(count, dtype=np.int32)
    rank[np.lexsort((np.arange(count), -order))] = np.arange(count, dtype=np.int32)
    lists = Lists(vectors, clusters, border, scratch=scratch)
    distinct = _distinct(vectors, rank) if threshold < _SURE else np.ones(count, dtype=bool)
    match rule:
        case "components":
            kept = np.zeros(count, dtype=bool)
            by_rank = np.argsort(rank)
            by_rank = by_rank[distinct[by_rank]]
            labels = _components(lists, threshold, count, distinct)[by_rank]
            kept[by_rank[np.unique(labels, return_index=True)[1]]] = True
        case "released":
            kept = distinct & (_first_before(lists, threshold, rank, distinct) == rank)
        case "greedy":
            kept = _greedy(lists, threshold, rank, distinct)
    copy_of, similarity = _most_similar(lists, threshold, rank, kept)
    return Removal(kept, copy_of, similarity, border)


def components(vectors: Any, threshold: float, clusters: Clusters | None = None, *, seed: int = 0) -> NDArray[np.int64]:
    """(n,): the connected component of each row, named by its first row: rows that a chain of cosines above `threshold` joins.

    `clusters`: as in `remove_copies`.
    """
    clusters, border = _compared(vectors, threshold, clusters, seed)
    count = len(vectors)
    return _components(Lists(vectors, clusters, border), threshold, count, np.ones(count, dtype=bool))


def _compared(vectors: Any, threshold: float, clusters: Clusters | None, seed: int) -> tuple[Clusters, Border | None]:
    if clusters is not None:
        return clusters, None
    clusters = cluster(vectors, cluster_count(len(vectors)), seed=seed)
    few = len(clusters.centroids) == 1
    return clusters, None if few else found_border(vectors, clusters.centroids, threshold, seed=seed)


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


def _distinct(vectors: Any, rank: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(n,): whether a row is the first by rank of those with the same bytes; crowds of one picture would be compared all with all."""
    digests = np.empty(len(vectors), dtype=np.uint64)
    for part in _parts(len(vectors)):
        rows = np.ascontiguousarray(vectors[part])
        digests[part] = [int.from_bytes(blake2b(row, digest_size=8).digest(), "little") for row in rows]
    order = np.lexsort((rank, digests))
    first = np.zeros(len(vectors), dtype=bool)
    first[order[np.unique(digests[order], return_index=True)[1]]] = True
    return first


def _first_before(
    lists: Lists, threshold: float, rank: NDArray[np.int32], active: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """(n,): the rank of the first of the `active` rows that is similar to a row and comes before it; its own where none is."""
    first = rank.copy()
    for home, visitors, rows, others in lists.meetings(rank, active):
        own, theirs = rank[home], rank[visitors]
        for part in _parts(len(rows)):
            # those at home are in order of their rank: what comes before a row is to the left of it
            for before in _parts(part.stop):
                similar = rows[part] @ rows[before].T > threshold
                first[home[part]] = np.minimum(first[home[part]], _leftmost(similar, own[before]))
            for beside in _parts(len(others)):
                similar = rows[part] @ others[beside].T > threshold
                first[home[part]] = np.minimum(first[home[part]], _leftmost(similar, theirs[beside]))
                struck = np.flatnonzero(similar.any(axis=0))
                place = visitors[beside][struck]
                first[place] = np.minimum(first[place], own[part][similar[:, struck].argmax(axis=0)])
    return first


def _leftmost(similar: NDArray[np.bool_], ranks: NDArray[np.int32]) -> NDArray[np.int32]:
    """Of each row of a table the rank of its first true column; the highest number where none is."""
    place = similar.argmax(axis=1)
    hit = similar[np.arange(len(similar)), place]
    return np.where(hit, ranks[place], np.iinfo(np.int32).max).astype(np.int32)


def _greedy(lists: Lists, threshold: float, rank: NDArray[np.int32], distinct: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What a walk through the rows by their rank keeps, decided for many rows at once (Blelloch et al. 2012, arXiv 1202.3205)."""
    first = _first_before(lists, threshold, rank, distinct)
    row_of = np.argsort(rank)
    kept = distinct & (first == rank)
    open_ = distinct & ~kept & ~kept[row_of[first]]
    while open_.any():
        near, first = _of_the_open(lists, threshold, rank, kept, open_)
        kept |= open_ & ~near & (first == rank)
        open_ &= ~near & ~kept
        # what comes first among the open ones may have been decided just now
        open_ &= ~kept[row_of[first]]
    return np.asarray(kept)


def _of_the_open(
    lists: Lists, threshold: float, rank: NDArray[np.int32], kept: NDArray[np.bool_], open_: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Of rows that are not decided: whether one that stays is similar, and the rank of the first similar one before it that is not decided."""
    near = np.zeros(len(rank), dtype=bool)
    for meeting in lists.meetings(rank, kept | open_):
        for mine, _, similarities in _between(meeting, open_, kept):
            near[mine] |= (similarities > threshold).any(axis=1)
    return near, _first_before(lists, threshold, rank, open_)


def _most_similar(
    lists: Lists, threshold: float, rank: NDArray[np.int32], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of each row that goes the most similar one that stays, -1 where it is not above the threshold, and their cosine."""
    copy_of = np.full(len(kept), -1, dtype=np.int64)
    best = np.full(len(kept), -np.inf, dtype=np.float32)
    for meeting in lists.meetings(rank, np.ones(len(kept), dtype=bool)) if not kept.all() else ():
        for mine, theirs, similarities in _between(meeting, ~kept, kept):
            place = similarities.argmax(axis=1)
            value = similarities[np.arange(len(mine)), place]
            better = value > best[mine]
            best[mine[better]], copy_of[mine[better]] = value[better], theirs[place[better]]
    covered = best > threshold
    return np.where(covered, copy_of, -1), np.where(covered, best, 0).astype(np.float32)


def _between(
    meeting: Meeting, these: NDArray[np.bool_], those: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """The cosines of `these` (n,) with `those` (n,) as far as they meet, in blocks: the numbers of both and the table."""
    home, visitors, rows, others = meeting
    for ids, vectors, beside, theirs in ((home, rows, home, rows), (home, rows, visitors, others), (visitors, others, home, rows)):  # fmt: skip
        mine, near = np.flatnonzero(these[ids]), np.flatnonzero(those[beside])
        for part in _parts(len(mine)) if len(near) else ():
            for there in _parts(len(near)):
                yield ids[mine[part]], beside[near[there]], vectors[mine[part]] @ theirs[near[there]].T


def _components(lists: Lists, threshold: float, count: int, active: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each of the `active` rows the first one of its component."""
    labels = np.arange(count, dtype=np.int64)

    def named(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        names = labels[rows]
        while (labels[names] != names).any():
            names = labels[names]
        return names

    for meeting in lists.meetings(np.arange(count, dtype=np.int32), active):
        for mine, theirs, similarities in _between(meeting, active, active):
            similar = similarities > threshold
            for place in np.flatnonzero(similar.any(axis=1)):
                joined = named(np.append(theirs[similar[place]], mine[place]))
                labels[joined] = joined.min()
    return named(np.arange(count))


def _parts(count: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
