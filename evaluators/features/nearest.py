"""Nearest neighbours on frozen features, weighted as in DINO (Caron et al. 2021, arXiv 2104.14294, after Wu et al. 2018, arXiv 1805.01978)."""

from __future__ import annotations

import numpy as np

from ...runtime.errors import BadInput
from .checks import Features, Labels, checked_pair, normed
from .readings import Reading, read

__all__ = ["knn"]

_ROWS = 1024  # test pictures whose similarities are held at once


def knn(
    train: Features,
    train_labels: Labels,
    test: Features,
    test_labels: Labels,
    *,
    k: int = 20,
    temperature: float = 0.07,
) -> Reading:
    """The class with the most weight among the `k` nearest of `train` (n, d) by cosine, each weighing exp(cosine / temperature), for `test` (m, d).

    Where there are fewer than `k`, all of them vote. Of classes of equal weight the first in order is taken.

    Raises:
        BadInput: shapes, values or classes that do not fit, `k` below 1, or a temperature that is not above 0.
    """
    x, y, at, truth = checked_pair(train, train_labels, test, test_labels)
    if k < 1 or not temperature > 0:
        raise BadInput(f"k={k!r} must be 1 or more, and temperature={temperature!r} above 0.")
    names, numbers = np.unique(y, return_inverse=True)
    x, at, k = normed(x), normed(at), min(k, len(x))
    answers = []
    for start in range(0, len(at), _ROWS):
        cosines = at[start : start + _ROWS] @ x.T
        nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        close = np.take_along_axis(cosines, nearest, axis=1)
        # relative to the nearest one, so that no exponential overflows
        weights = np.exp((close - close.max(axis=1, keepdims=True)) / temperature)
        votes = np.zeros((len(cosines), len(names)))
        np.add.at(votes, (np.arange(len(cosines))[:, None], numbers[nearest]), weights)
        answers.append(names[votes.argmax(axis=1)])
    return read(np.concatenate(answers), truth)
