"""What features and labels must be like before anything is computed from them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput

__all__ = ["Features", "Labels", "checked", "checked_pair", "normed"]

Features: TypeAlias = NDArray[np.floating[Any]]
"""(n, d), a row a picture."""
Labels: TypeAlias = NDArray[Any]
"""(n,), whole numbers or words."""


def checked(features: Features, labels: Labels, name: str) -> tuple[NDArray[np.float64], Labels]:
    """Both as arrays that belong together; `name` is what errors call them.

    Raises:
        BadInput: other shapes, no row, a value that is no number, or a row of zeros.
    """
    rows, classes = np.asarray(features, dtype=np.float64), np.asarray(labels)
    if rows.ndim != 2 or classes.ndim != 1 or len(rows) != len(classes) or not rows.size:
        raise BadInput(
            f"{name}: features of shape {rows.shape} and labels of shape {classes.shape} are not (n, d) and (n,) with n and d of 1 or more."
        )
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1) | ~rows.any(axis=1))
    if len(bad):
        raise BadInput(
            f"{name}: the features of row {bad[0]} are zero or no numbers ({len(bad)} such rows): leave them out."
        )
    return rows, classes


def checked_pair(
    train: Features, train_labels: Labels, test: Features, test_labels: Labels
) -> tuple[NDArray[np.float64], Labels, NDArray[np.float64], Labels]:
    """`checked` of both, and together.

    Raises:
        BadInput: as of `checked`; fewer than two classes to learn, rows of different sizes, or a class that is tested and never seen.
    """
    x, y = checked(train, train_labels, "train")
    at, truth = checked(test, test_labels, "test")
    if x.shape[1] != at.shape[1]:
        raise BadInput(
            f"features of {x.shape[1]} numbers to learn from and of {at.shape[1]} to test: give those of one encoder."
        )
    if len(np.unique(y)) < 2:
        raise BadInput(f"train: {str(y[0])!r} is the only class: give two or more to tell apart.")
    unseen = sorted({*truth.tolist()} - {*y.tolist()}, key=str)
    if unseen:
        raise BadInput(
            f"test: no picture of the class {unseen[0]!r} is there to learn from: leave it out, or add some."
        )
    return x, y, at, truth


def normed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows as unit vectors."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
