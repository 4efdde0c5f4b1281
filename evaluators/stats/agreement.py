"""How far two lists of judgements agree: rank correlations, the ceiling that human ratings set, Cohen's kappa.

None where a figure is not defined: fewer than two items, or no variation at all.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from ...runtime.errors import BadInput
from ...runtime.records import Record

__all__ = ["Ceiling", "kappa", "kendall", "spearman", "split_half"]

_Floats = npt.NDArray[np.float64]


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's rho: the correlation of the ranks, ties at their average rank."""
    a, b = _pair(one, other)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def kendall(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Kendall's tau-b, which allows for ties. Time grows with the square of the length, memory does not."""
    a, b = _pair(one, other)
    concordant, untied_a, untied_b = 0, 0, 0
    for place in range(len(a) - 1):
        x, y = np.sign(a[place + 1 :] - a[place]), np.sign(b[place + 1 :] - b[place])
        concordant += int((x * y).sum())
        untied_a += int(np.count_nonzero(x))
        untied_b += int(np.count_nonzero(y))
    return concordant / math.sqrt(untied_a * untied_b) if untied_a and untied_b else None


class Ceiling(Record):
    """How well one half of the raters predicts the other: what no scorer can be expected to beat by much."""

    spearman: float | None
    kendall: float | None
    items: int
    splits: int


def split_half(ratings: Sequence[Sequence[float]], *, splits: int = 50, seed: int = 0) -> Ceiling:
    """The mean rank correlation of the raters' halves over random splits; `ratings` holds the raters of each item.

    Of an odd number of raters the second half has one more. Items with one rating are left out. The halves are not
    corrected for their length (Spearman-Brown).
    """
    if splits < 1:
        raise BadInput(f"splits={splits!r}: give 1 or more.")
    rated = [np.asarray(given, dtype=np.float64) for given in ratings if len(given) > 1]
    rng = np.random.default_rng(seed)
    rhos: list[float] = []
    taus: list[float] = []
    for place in range(splits if len(rated) > 1 else 0):
        shuffled = [rng.permutation(given) for given in rated]
        halves = [[float(part.mean()) for part in (g[: len(g) // 2], g[len(g) // 2 :])] for g in shuffled]
        first, second = [a for a, _ in halves], [b for _, b in halves]
        rho = spearman(first, second)
        tau = kendall(first, second) if place < 5 else None  # the slow one: its mean settles early
        rhos += [] if rho is None else [rho]
        taus += [] if tau is None else [tau]
    return Ceiling(
        spearman=float(np.mean(rhos)) if rhos else None,
        kendall=float(np.mean(taus)) if taus else None,
        items=len(rated),
        splits=splits,
    )


def kappa(one: Sequence[Hashable], other: Sequence[Hashable]) -> float | None:
    """Cohen's kappa: the agreement of two judges over what their habits alone would give; 1 is perfect, 0 is chance."""
    if len(one) != len(other):
        raise BadInput(f"{len(one)} and {len(other)} judgements cannot be compared: give one of each an item.")
    if not one:
        return None
    n = len(one)
    share = sum(a == b for a, b in zip(one, other, strict=True)) / n
    chance = sum(list(one).count(label) * list(other).count(label) for label in {*one, *other}) / n**2
    return None if chance == 1 else (share - chance) / (1 - chance)


def _pair(one: Sequence[float], other: Sequence[float]) -> tuple[_Floats, _Floats]:
    if len(one) != len(other):
        raise BadInput(f"{len(one)} and {len(other)} values are no pairs: give one of each an item.")
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise BadInput("a value to be ranked is not a finite number: leave out what could not be scored.")
    return a, b


def _ranks(values: _Floats) -> _Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: _Floats = (last - (counts - 1) / 2)[place]
    return ranks
