"""What a method answered about each test picture, with its accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.records import Record
from ..stats import Estimate, estimate
from .checks import Labels

__all__ = ["Reading", "read"]


class Reading(Record):
    """`correct`: of each test picture, in order, 1.0 or 0.0 (pairs of two encoders go to `evaluators.stats.compare`).

    `accuracy` has its 95 % interval over the test pictures, with what was learned held fixed. `mean_per_class` is the mean of the
    classes' accuracies, and `worst` the class of the lowest with it.
    """

    correct: tuple[float, ...]
    accuracy: Estimate
    mean_per_class: float
    worst: tuple[str, float]


def read(predicted: Labels, truth: Labels) -> Reading:
    """The reading of answers (n,) whose truth (n,) is known."""
    return of_shares(np.asarray(predicted == truth, dtype=np.float64), truth)


def of_shares(correct: NDArray[np.float64], truth: NDArray[Any]) -> Reading:
    """The reading of the share (n,) in which each picture was answered rightly."""
    by_class = {str(each): float(correct[truth == each].mean()) for each in np.unique(truth)}
    worst = min(by_class, key=lambda name: by_class[name])
    return Reading(
        correct=tuple(correct.tolist()),
        accuracy=estimate(correct.tolist()),
        mean_per_class=float(np.mean([*by_class.values()])),
        worst=(worst, by_class[worst]),
    )
