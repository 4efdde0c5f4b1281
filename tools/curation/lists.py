"""Inverted lists: which rows are compared with each other, where there are too many to compare all.

A row is at home in the cluster of its nearest centroid. Copies on two sides of a border have two homes, so a row near to a border also visits
the clusters on the other side: those whose centroid is less similar than the nearest one by no more than a margin, and of the eight nearest.
Two rows meet where one of them is at home and the other at home or a visitor (the inverted file of Jégou et al. 2011, probed by rows of its own).

The margin is found and not guessed: of some rows all copies are looked up among all rows; it is twice the least one with which each row of one half
meets a copy, and the other half says how many do. Rows of a file that numpy maps are first written to a temporary file in the order of
the lists, in runs, so that both files are read and written in their order, and memory holds one run or one list.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .clusters import BLOCK, Clusters, nearest_clusters
from .planted import wilson

__all__ = ["Border", "Lists", "Meeting", "found_border", "nearest_cosines"]

_PROBES = 8  # clusters that a row is compared in at most: the bound of what borders cost
_SAMPLE, _ENOUGH, _COPIES = 1024, 20, 64
_SPARE = 2.0  # times the least margin: there are rarer rows than those that were drawn, and visits are few
_RUN = 64 << 20  # bytes that are put in order at once


@dataclass(frozen=True)
class Border:
    """`margin`: how much less similar than its nearest centroid another may be for a row to visit its cluster.

    `recall`: the share of rows with a copy that meet one, of `rows` drawn ones that did not choose the margin; None where fewer than 20 of
    the drawn rows have a copy. `recall_ci`: its 95 % interval.
    """

    margin: float
    recall: float | None = None
    recall_ci: tuple[float, float] | None = None
    rows: int = 0


def found_border(vectors: Any, centroids: NDArray[np.float32], threshold: float, *, seed: int = 0) -> Border:
    """Twice the least margin with which drawn rows that have a copy above `threshold` meet one, and the share of others that then does.

    1,024 rows are compared with all. Where fewer than 40 of them have a copy, copies are planted at the threshold: a row
    turned towards another one.
    """
    count = len(vectors)
    drawn = np.random.default_rng([seed, 41]).permutation(count)[:_SAMPLE]
    sample = np.asarray(vectors[np.sort(drawn)], dtype=np.float32)[np.argsort(np.argsort(drawn))]
    copies: list[list[int]] = [[] for _ in drawn]
    for start in range(0, count, BLOCK):
        hits = sample @ np.asarray(vectors[start : start + BLOCK], dtype=np.float32).T > threshold
        for place in np.flatnonzero(hits.any(axis=1)).tolist():
            there = start + np.flatnonzero(hits[place])
            room = _COPIES - len(copies[place])
            copies[place] += there[there != drawn[place]][:room].tolist()
    own = _Places.of(sample, centroids)
    halves: tuple[list[float], list[float]] = ([], [])
    for place, others in enumerate(copies):
        if others:
            theirs = _Places.of(np.asarray(vectors[others], dtype=np.float32), centroids)
            halves[place % 2].append(float(own.needed(place, theirs).min()))
    chooses, tells = halves
    if min(len(chooses), len(tells)) < _ENOUGH:
        other = np.roll(sample, 1, axis=0)
        across = other - np.einsum("ij,ij->i", other, sample)[:, None] * sample
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
        made = threshold * sample + np.sqrt(max(0.0, 1 - threshold**2)) * across
        theirs = _Places.of(np.asarray(made, dtype=np.float32), centroids)
        chooses, tells = [float(own.needed(place, theirs)[place]) for place in range(len(sample))], []
    margin = _SPARE * max(chooses)
    if not tells:
        return Border(margin)
    met = sum(needed <= margin for needed in tells)
    return Border(margin, met / len(tells), wilson(met, len(tells)), len(tells))


def nearest_cosines(vectors: Any, *, seed: int = 0) -> NDArray[np.float32]:
    """Of 1,024 drawn rows, or of all where there are fewer, the cosine with the nearest other row; all rows are looked through."""
    count = len(vectors)
    drawn = np.sort(np.random.default_rng([seed, 43]).permutation(count)[:_SAMPLE])
    sample = np.asarray(vectors[drawn], dtype=np.float32)
    best = np.full(len(drawn), -1, dtype=np.float32)
    for start in range(0, count, BLOCK):
        cosines = sample @ np.asarray(vectors[start : start + BLOCK], dtype=np.float32).T
        own = np.flatnonzero((drawn >= start) & (drawn < start + BLOCK))
        cosines[own, drawn[own] - start] = -1
        best = np.maximum(best, cosines.max(axis=1))
    return best


class _Places(NamedTuple):
    """Of some rows the nearest clusters, the nearest first, and how much less similar each is than the first."""

    clusters: NDArray[np.int64]
    behind: NDArray[np.float32]

    @classmethod
    def of(cls, rows: NDArray[np.float32], centroids: NDArray[np.float32]) -> _Places:
        clusters, similarity = nearest_clusters(rows, centroids, min(_PROBES, len(centroids)))
        return cls(clusters, similarity[:, :1] - similarity)

    def needed(self, place: int, others: _Places) -> NDArray[np.float32]:
        """The margin with which the row at `place` meets each of the others; infinite where none of the nearest clusters does."""
        there = np.where(self.clusters[place] == others.clusters[:, :1], self.behind[place], np.inf).min(axis=1)
        here = np.where(others.clusters == self.clusters[place, 0], others.behind, np.inf).min(axis=1)
        return np.asarray(np.minimum(there, here), dtype=np.float32)


class Meeting(NamedTuple):
    """A list: rows that are at home and rows that visit, by number, each in the order that was asked for, and their vectors."""

    home: NDArray[np.int64]
    visitors: NDArray[np.int64]
    home_rows: NDArray[np.float32]
    visitor_rows: NDArray[np.float32]


class Lists:
    """The rows of each cluster with its visitors. `scratch`: a folder for the temporary file, where `vectors` are mapped from one."""

    def __init__(
        self, vectors: Any, clusters: Clusters, border: Border | None = None, *, scratch: Path | None = None
    ) -> None:
        count = len(vectors)
        self._vectors, self._size = vectors, int(vectors.shape[1])
        rows, of = [np.arange(count, dtype=np.int32)], [clusters.assigned.astype(np.int32)]
        if border is not None and len(clusters.centroids) > 1:
            for start in range(0, count, BLOCK):
                block = np.asarray(vectors[start : start + BLOCK], dtype=np.float32)
                places = _Places.of(block, clusters.centroids)
                visits = places.behind <= border.margin
                # at home once, wherever a tie in the nearest centroid went
                visits &= places.clusters != clusters.assigned[start : start + BLOCK, None]
                row, column = np.nonzero(visits)
                rows.append((start + row).astype(np.int32))
                of.append(places.clusters[row, column].astype(np.int32))
        rows_, of_ = np.concatenate(rows), np.concatenate(of)
        home = np.arange(len(rows_)) < count
        order = np.lexsort((rows_, of_))
        self.ids, self.at_home = rows_[order], home[order]
        self.ends = np.searchsorted(of_[order], np.arange(len(clusters.centroids) + 1))
        self._file: Any = None
        if isinstance(vectors, np.memmap) or not isinstance(vectors, np.ndarray):
            self._spool(of_[order], scratch)

    def __len__(self) -> int:
        """How many lists."""
        return len(self.ends) - 1

    @property
    def visits(self) -> float:
        """How many clusters a row visits beside its own, on average."""
        return float((~self.at_home).sum() / self.at_home.sum())

    def meetings(self, rank: NDArray[np.int32], active: NDArray[np.bool_]) -> Iterator[Meeting]:
        """Each list, its rows by `rank` (n,); of `active` (n,) rows alone."""
        for number in range(len(self)):
            part = slice(self.ends[number], self.ends[number + 1])
            ids, at_home = self.ids[part].astype(np.int64), self.at_home[part]
            wanted = active[ids]
            if wanted.sum() < 2 or not (wanted & at_home).any():
                continue
            places = np.flatnonzero(wanted)
            order = places[np.lexsort((rank[ids[places]], ~at_home[places]))]
            homes = int(at_home[order].sum())
            rows = self._read(number, ids, order)
            yield Meeting(ids[order[:homes]], ids[order[homes:]], rows[:homes], rows[homes:])

    def _read(self, number: int, ids: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.float32]:
        if self._file is None:
            return np.asarray(self._vectors[ids[order]], dtype=np.float32)
        found = np.empty((len(ids), self._size), dtype=self._dtype)
        at = 0
        for start, end in zip(self._starts[:, number], self._starts[:, number + 1], strict=True):
            self._file.seek(int(start) * self._size * self._dtype.itemsize)
            length = int(end - start) * self._size
            found[at : at + int(end - start)] = np.fromfile(self._file, self._dtype, length).reshape(-1, self._size)
            at += int(end - start)
        return np.asarray(found[order], dtype=np.float32)

    def _spool(self, of: NDArray[np.int32], scratch: Path | None) -> None:
        """Write the rows to a temporary file: run after run of the given file, each in the order of the lists."""
        first = self._vectors[:1]
        self._dtype = np.dtype(first.dtype)
        self._file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - it lives as long as the lists
        run = max(1, _RUN // (self._size * self._dtype.itemsize))
        starts, written = [], 0
        for start in range(0, len(self._vectors), run):
            chunk = np.asarray(self._vectors[start : start + run])
            mine = np.flatnonzero((self.ids >= start) & (self.ids < start + run))
            starts.append(written + np.searchsorted(of[mine], np.arange(len(self) + 1)))
            for part in range(0, len(mine), BLOCK):
                chunk[self.ids[mine[part : part + BLOCK]] - start].tofile(self._file)
            written += len(mine)
        self._starts = np.array(starts)
