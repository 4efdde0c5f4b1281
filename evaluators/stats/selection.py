"""From which score on something may be taken as it is: thresholds with a promise, and probabilities from scores.

Selective prediction (Geifman and El-Yaniv 2017): of what is taken at least a given share is to be right. Thresholds are tried from the strictest on,
and what holds is followed down to the first that fails, as tests in a fixed order are (Learn then Test: Angelopoulos et al. 2021). The
order begins where the answers first allow it, which that theory does not cover: in simulations the promise was broken in 0 to 6 of 100 draws, the
most where all scores are right a little less often than was promised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .intervals import share_interval

__all__ = ["answers_needed", "logistic", "selected_threshold"]

_RIDGE = 1.0  # as much as one standard deviation's weight of 1 costs
_STEPS = 50


def answers_needed(target: float) -> int:
    """How many answers, all of them right, show that a share is at least `target`."""
    if not 0 < target < 1:
        raise BadInput(f"target={target!r} must lie between 0 and 1.")
    count = 1
    while (share_interval(count, count) or (0.0,))[0] < target:
        count += 1
    return count


def selected_threshold(scores: Sequence[float], right: Sequence[bool], target: float) -> float | None:
    """The lowest score from which on at least `target` is right by the lower end of the 95 % interval; None where no score is.

    Of answers that were asked for where scores are low more often than elsewhere it errs on the safe side, as long as what scores higher is
    right more often.
    """
    order = sorted(zip(scores, right, strict=True), key=lambda pair: -pair[0])
    found, hits, least = None, 0, answers_needed(target)
    for place, (score, hit) in enumerate(order, start=1):
        hits += hit
        if place < least or (place < len(order) and order[place][0] == score):  # equal scores go together
            continue
        ends = share_interval(hits, place)
        if ends is not None and ends[0] >= target:
            found = score
        elif found is not None:
            break
    return found


def logistic(rows: NDArray[np.float64], right: Sequence[bool]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """The probability of being right by features (n, m): logistic regression with a ridge penalty on standardised features, by Newton's method."""
    center, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    given = np.column_stack([np.ones(len(rows)), (rows - center) / scale])
    wanted, penalty = np.asarray(right, dtype=np.float64), np.diag([1e-6, *[_RIDGE] * rows.shape[1]])
    weights = np.zeros(given.shape[1])
    for _ in range(_STEPS):
        chance = _sigmoid(given @ weights)
        slope = given.T @ (wanted - chance) - penalty @ weights
        step = np.linalg.solve((given * (chance * (1 - chance))[:, None]).T @ given + penalty, slope)
        length = float(np.abs(step).max())
        weights += step / max(1.0, length)
        if length < 1e-8:
            break

    def chances(fresh: NDArray[np.float64]) -> NDArray[np.float64]:
        return _sigmoid(np.column_stack([np.ones(len(fresh)), (fresh - center) / scale]) @ weights)

    return chances


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -40, 40))))
