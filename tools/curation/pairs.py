"""Near copies as pairs with a score: who is near whom, and what goes by a threshold. The rules are those of `near_copies`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .clusters import rows_at_once
from .near_copies import Removal, Rule

__all__ = ["Pairs", "joined", "near_pairs", "remove_pairs"]


@dataclass(frozen=True)
class Pairs:
    """`rows` (m, 2): each pair once, the lower row first, in order; `scores` (m,): the higher, the more alike."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]

    def above(self, threshold: float) -> Pairs:
        """Those with a higher score."""
        high = self.scores > threshold
        return Pairs(self.rows[high], self.scores[high])


def near_pairs(vectors: Any, *, k: int, floor: float) -> Pairs:
    """Each row with its `k` most similar others, as far as their cosine is above `floor`; in blocks.

    Raises:
        BadInput: k below 1.
    """
    if k < 1:
        raise BadInput(f"k={k!r}: give 1 or more neighbours.")
    rows = np.asarray(vectors, dtype=np.float32)
    k = min(k, len(rows) - 1)
    ones, others, cosines = (
        [np.empty(0, dtype=np.int64)],
        [np.empty(0, dtype=np.int64)],
        [np.empty(0, dtype=np.float32)],
    )
    step = rows_at_once(len(rows))
    for start in range(0, len(rows) if k else 0, step):
        block = rows[start : start + step] @ rows.T
        own = np.arange(len(block))
        block[own, start + own] = -np.inf
        near = np.argpartition(-block, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(block, near, axis=1)
        at, column = np.nonzero(values > floor)
        ones.append(start + at)
        others.append(near[at, column])
        cosines.append(values[at, column])
    one, other, cosine = np.concatenate(ones), np.concatenate(others), np.concatenate(cosines)
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort(
        (-cosine, high, low)
    )  # of a pair that was found from both sides the higher first: they differ by rounding
    low, high, cosine = low[order], high[order], cosine[order]
    first = np.ones(len(low), dtype=bool)
    first[1:] = (np.diff(low) != 0) | (np.diff(high) != 0)
    return Pairs(np.stack([low[first], high[first]], axis=1), cosine[first].astype(np.float64))


def joined(count: int, pairs: Pairs, threshold: float) -> NDArray[np.int64]:
    """(count,): the connected component of each row by the pairs above `threshold`, named by its first row."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in pairs.above(threshold).rows.tolist():
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    return np.array([root(row) for row in range(count)], dtype=np.int64)


def remove_pairs(
    count: int, pairs: Pairs, threshold: float, *, rule: Rule = "greedy", priority: NDArray[np.float64]
) -> Removal:
    """Remove of `count` rows those that a pair above `threshold` says are copies, by a rule of `near_copies`.

    `priority` (count,): the higher stays, of equal ones the first row. A row that goes is the copy of the row it is most alike among those
    that stay, -1 where the rule leaves none.
    """
    alike: dict[int, dict[int, float]] = {row: {} for row in range(count)}
    near = pairs.above(threshold)
    for (one, other), score in zip(near.rows.tolist(), near.scores.tolist(), strict=True):
        alike[one][other] = alike[other][one] = score
    order = np.lexsort((np.arange(count), -np.asarray(priority, dtype=np.float64))).tolist()
    kept = np.ones(count, dtype=bool)
    if rule == "components":
        labels, seen = joined(count, pairs, threshold), set[int]()
        for row in order:
            kept[row] = int(labels[row]) not in seen
            seen.add(int(labels[row]))
    else:
        before = set[int]()
        for row in order:
            kept[row] = before.isdisjoint(alike[row])
            if kept[row] or rule == "released":
                before.add(row)
    copy_of = np.full(count, -1, dtype=np.int64)
    similarity = np.zeros(count, dtype=np.float32)
    for row in np.flatnonzero(~kept).tolist():
        stays = [(score, -other) for other, score in alike[row].items() if kept[other]]
        if stays:
            score, other = max(stays)
            copy_of[row], similarity[row] = -other, score
    return Removal(kept, copy_of, similarity)
