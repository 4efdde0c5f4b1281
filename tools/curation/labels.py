"""Labels of pictures, tried by a linear probe on their vectors: how well they are told, which do not fit, and what else gives them away.

Every picture is judged by a probe that was fitted without it and without its copies (folds hold whole neighbourhoods): logistic regression
on standardised vectors, scikit-learn's. Which labels do not fit is cleanlab's confident learning (Northcutt et al. 2021, arXiv 1911.00068).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput, PrerequisiteError

__all__ = ["FOLDS", "Doubts", "doubted", "folds_of", "packages_there", "planted_labels", "probed", "told_by"]

FOLDS = 5
_STRENGTH = (
    0.1  # of the probe's fit: among 0.001 to 10 the best on drawn pictures, from a twentieth to a fifth of wrong labels
)
_DEPTH = 3  # of the tree that tells a label by one number: eight ranges
_PLANTED = 0.1


@dataclass(frozen=True)
class Doubts:
    """`wrong` (n,): whether a label does not fit. `likely` (n,): the class that the probe takes, `trust` (n,): its probability for the given label."""

    wrong: NDArray[np.bool_]
    likely: NDArray[np.int64]
    trust: NDArray[np.float64]


def packages_there() -> None:
    """Raise `PrerequisiteError` where a package is missing that labels are judged with."""
    for module, package in (("sklearn", "scikit-learn"), ("cleanlab", "cleanlab")):
        if find_spec(module) is None:
            raise _missing(package)


def folds_of(labels: Sequence[int], neighbourhoods: Sequence[int], *, seed: int = 0) -> NDArray[np.int64]:
    """(n,): the fold of each picture; copies of each other are in one, and each class has about its share of each.

    Raises:
        BadInput: fewer than two classes, or a class of fewer than `FOLDS` pictures that are no copies of each other.
    """
    y = np.asarray(labels)
    numbers, of = np.unique(y), np.asarray(neighbourhoods)
    few = [int(each) for each in numbers if len(np.unique(of[y == each])) < FOLDS]
    if len(numbers) < 2 or few:
        raise BadInput(
            f"labels of {len(numbers)} classes, {len(few)} of which have fewer than {FOLDS} different pictures: give two classes or more"
            f" of {FOLDS} pictures."
        )
    splitter = _scikit("model_selection").StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    found = np.empty(len(y), dtype=np.int64)
    for number, (_, tested) in enumerate(splitter.split(np.zeros((len(y), 1)), y, of)):
        found[tested] = number
    return found


def probed(
    vectors: NDArray[Any], labels: Sequence[int], folds: NDArray[np.int64], classes: int, *, fitted_on: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:  # fmt: skip
    """(n, classes): the probability of each class, by a probe fitted on the other folds; of these on `fitted_on` (n,) alone."""
    preprocessing, linear, pipeline = _scikit("preprocessing"), _scikit("linear_model"), _scikit("pipeline")
    y, rows = np.asarray(labels), np.asarray(vectors, dtype=np.float64)
    found = np.zeros((len(y), classes))
    for fold in np.unique(folds):
        here = folds != fold if fitted_on is None else (folds != fold) & fitted_on
        known = np.unique(y[here])
        if len(known) < 2:  # nothing to choose between
            found[np.ix_(folds == fold, known)] = 1.0
            continue
        model = pipeline.make_pipeline(
            preprocessing.StandardScaler(), linear.LogisticRegression(C=_STRENGTH, max_iter=1000)
        )
        model.fit(rows[here], y[here])
        found[np.ix_(folds == fold, known)] = model.predict_proba(rows[folds == fold])
    return found


def doubted(labels: Sequence[int], probabilities: NDArray[np.float64]) -> Doubts:
    """Which labels do not fit, of probabilities (n, classes) that were had without them."""
    from cleanlab.filter import find_label_issues

    y = np.asarray(labels)
    wrong = np.asarray(find_label_issues(y, probabilities, n_jobs=1), dtype=bool)
    likely = probabilities.argmax(axis=1).astype(np.int64)
    return Doubts(wrong & (likely != y), likely, probabilities[np.arange(len(y)), y])


def planted_labels(
    vectors: NDArray[Any], labels: Sequence[int], folds: NDArray[np.int64], classes: int, *, seed: int = 0
) -> tuple[list[float], list[float]]:
    """A tenth of the labels made wrong: of each of these whether it is doubted (1 or 0), and of each of the others.

    Labels of one's own that are wrong count among the others here, so that their share is a little too high.
    """
    rng = np.random.default_rng([seed, 41])
    y = np.asarray(labels)
    wrong = rng.random(len(y)) < _PLANTED
    shifted = (y + rng.integers(1, classes, size=len(y))) % classes
    made = np.where(wrong, shifted, y)
    found = doubted(made.tolist(), probed(vectors, made.tolist(), folds, classes)).wrong.astype(float)
    return found[wrong].tolist(), found[~wrong].tolist()


def told_by(
    values: Sequence[float], labels: Sequence[int], folds: NDArray[np.int64], classes: int, *, named: bool = False
) -> list[float]:
    """How far one number gives the label away: of each picture its share in the balanced accuracy of a small tree, whose mean that is.

    The mean is 1/`classes` by chance. `named`: the numbers are names of groups and have no order.
    """
    tree = _scikit("tree")
    y = np.asarray(labels)
    numbers = np.asarray(values, dtype=np.float64)
    rows = (numbers[:, None] == np.unique(numbers)).astype(np.float64) if named else numbers[:, None]
    right = np.zeros(len(y))
    for fold in np.unique(folds):
        model = tree.DecisionTreeClassifier(
            max_depth=None if named else _DEPTH, class_weight="balanced", random_state=0
        )
        model.fit(rows[folds != fold], y[folds != fold])
        right[folds == fold] = model.predict(rows[folds == fold]) == y[folds == fold]
    weights = len(y) / (classes * np.bincount(y, minlength=classes)[y])
    return [float(each) for each in right * weights]


def _scikit(module: str) -> Any:
    return import_module(f"sklearn.{module}")


def _missing(package: str) -> PrerequisiteError:
    return PrerequisiteError(f"labels are judged with {package}, which is not installed", remedy="pip install 'inloop[labels]'")  # fmt: skip
