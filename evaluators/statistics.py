"""Means with their uncertainty. What could not be scored is counted and left out, never taken as 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..runtime.errors import BadInput
from ..runtime.records import Record

__all__ = ["Estimate", "estimate", "mean", "paired_gain"]

_DRAWS = 10_000


class Estimate(Record):
    """A mean with its bootstrap interval. `n` items were scored, `unscored` were not.

    `value` is None when nothing was scored; `ci` is None for fewer than 2 items, of which no interval can be had.
    """

    value: float | None
    ci: tuple[float, float] | None
    n: int
    unscored: int


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what was scored; None when nothing was."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def estimate(values: Sequence[float | None], *, level: float = 0.95, draws: int = _DRAWS, seed: int = 0) -> Estimate:
    """The mean of `values` with a percentile bootstrap interval (Efron 1979) over the items.

    The items must be independent of each other: prompts, not the questions of one picture. Same input, same interval.
    """
    if not 0 < level < 1 or draws < 100:
        raise BadInput(f"level={level!r} must lie between 0 and 1, and draws={draws!r} must be 100 or more.")
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    unscored = len(values) - len(known)
    if len(known) < 2:
        return Estimate(value=float(known[0]) if len(known) else None, ci=None, n=len(known), unscored=unscored)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            known[rng.integers(0, len(known), size=(min(1000, draws - done), len(known)))].mean(axis=1)
            for done in range(0, draws, 1000)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value=float(known.mean()), ci=(float(low), float(high)), n=len(known), unscored=unscored)


def paired_gain(
    before: Sequence[float | None],
    after: Sequence[float | None],
    *,
    level: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Estimate:
    """The mean of `after - before` with its interval; a pair with one side unscored is left out and counted.

    Raises:
        BadInput: the two differ in length.
    """
    if len(before) != len(after):
        raise BadInput(f"{len(before)} scores before and {len(after)} after are no pairs: give one of each an item.")
    gains = [None if a is None or b is None else b - a for a, b in zip(before, after, strict=True)]
    return estimate(gains, level=level, draws=draws, seed=seed)
