"""A few rows that stand for many: ImageReward's choice of prompts (Xu et al. 2023, arXiv 2304.05977, appendix A), and k-center.

Rows are joined with their nearest neighbours. The one with the most neighbours that were not chosen is chosen, and each of its neighbours
counts one less; so on. That prefers dense places and leaves them as soon as they are served. Farthest-first (Gonzalez 1985) prefers the rim.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .clusters import rows_at_once
from .near_copies import nearest

__all__ = ["coverage", "farthest_first", "graph_selection", "neighbours"]


def neighbours(vectors: Any, k: int) -> NDArray[np.int64]:
    """(n, k): the nearest other rows of each, the nearest first.

    Raises:
        BadInput: k below 1, or not fewer than the rows.
    """
    rows = np.asarray(vectors, dtype=np.float32)
    if not 1 <= k < len(rows):
        raise BadInput(f"{k} neighbours of {len(rows)} rows: give 1 to {len(rows) - 1}.")
    found = np.empty((len(rows), k), dtype=np.int64)
    step = rows_at_once(len(rows))
    for start in range(0, len(rows), step):
        similarities = rows[start : start + step] @ rows.T
        own = np.arange(len(similarities))
        similarities[own, start + own] = -np.inf
        near = np.argpartition(-similarities, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(similarities, near, axis=1), axis=1, kind="stable")
        found[start : start + step] = np.take_along_axis(near, order, axis=1)
    return found


def graph_selection(vectors: Any, count: int, *, k: int = 3) -> NDArray[np.int64]:
    """`count` rows in the order of their choice, of a graph that joins each row with its `k` nearest; many neighbours crowd the chosen together.

    Raises:
        BadInput: a count outside of 1 to the number of rows.
    """
    rows = len(vectors)
    _check(count, rows)
    if rows == 1:
        return np.zeros(1, dtype=np.int64)
    near = neighbours(vectors, min(rows - 1, k))
    joined: list[set[int]] = [set(row) for row in near.tolist()]
    for row, others in enumerate(near.tolist()):
        for other in others:
            joined[other].add(row)
    score = np.array([len(others) for others in joined], dtype=np.int64)
    chosen = np.empty(count, dtype=np.int64)
    for place in range(count):
        best = int(score.argmax())
        chosen[place] = best
        score[best] = np.iinfo(np.int64).min // 2
        score[list(joined[best])] -= 1
    return chosen


def farthest_first(vectors: Any, count: int) -> NDArray[np.int64]:
    """`count` rows in the order of their choice: first the one nearest to the mean, then always the one that is farthest from all chosen.

    Raises:
        BadInput: a count outside of 1 to the number of rows.
    """
    rows = np.asarray(vectors, dtype=np.float32)
    _check(count, len(rows))
    chosen = [int((rows @ rows.mean(axis=0)).argmax())]
    close = rows @ rows[chosen[0]]
    close[chosen[0]] = np.inf
    while len(chosen) < count:
        chosen.append(int(close.argmin()))
        close = np.maximum(close, rows @ rows[chosen[-1]])
        close[chosen[-1]] = np.inf
    return np.array(chosen, dtype=np.int64)


def coverage(vectors: Any, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n,): the cosine of each row with the most similar chosen one; its mean says how well the chosen stand for all."""
    rows = np.asarray(vectors, dtype=np.float32)
    return np.minimum(1.0, nearest(rows, rows[chosen])[1])


def _check(count: int, rows: int) -> None:
    if not 1 <= count <= rows:
        raise BadInput(f"{count} of {rows} rows: give 1 to {rows}.")
