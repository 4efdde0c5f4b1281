"""A few examples a class: the nearest class mean (Snell et al. 2017, arXiv 1703.05175), over several draws of the examples."""

from __future__ import annotations

import numpy as np

from ...runtime.errors import BadInput
from ...runtime.records import Record
from .checks import Features, Labels, checked_pair, normed
from .readings import Reading, of_shares

__all__ = ["FewShot", "k_shot"]


class FewShot(Record):
    """`reading`: of each test picture the share of draws in which it was answered rightly, so its interval is over test pictures alone.

    `draws` is the accuracy of each draw of the examples; `spread` their standard deviation, None for one draw.
    """

    reading: Reading
    draws: tuple[float, ...]
    spread: float | None


def k_shot(
    train: Features,
    train_labels: Labels,
    test: Features,
    test_labels: Labels,
    *,
    k: int,
    draws: int = 10,
    seed: int = 0,
) -> FewShot:
    """Of each class `k` pictures of `train` (n, d) are drawn, and `test` (m, d) goes to the nearest mean by cosine; `draws` times.

    Raises:
        BadInput: shapes, values or classes that do not fit, `k` or `draws` below 1, or a class of fewer than `k` pictures.
    """
    x, y, at, truth = checked_pair(train, train_labels, test, test_labels)
    if k < 1 or draws < 1:
        raise BadInput(f"k={k!r} and draws={draws!r} must be 1 or more.")
    names, counts = np.unique(y, return_counts=True)
    if counts.min() < k:
        few = names[counts.argmin()]
        raise BadInput(
            f"the class {str(few)!r} has {counts.min()} pictures to learn from, and k={k}: give a smaller k, or add some."
        )
    x, at, rng = normed(x), normed(at), np.random.default_rng(seed)
    correct = np.empty((draws, len(at)))
    for draw in range(draws):
        means = [x[rng.choice(np.flatnonzero(y == each), size=k, replace=False)].mean(axis=0) for each in names]
        # examples that cancel out have no direction: they are near to nothing
        lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        correct[draw] = names[(at @ (np.asarray(means) / lengths).T).argmax(axis=1)] == truth
    accuracies = correct.mean(axis=1)
    return FewShot(
        reading=of_shares(correct.mean(axis=0), truth),
        draws=tuple(accuracies.tolist()),
        spread=float(accuracies.std(ddof=1)) if draws > 1 else None,
    )
