"""Linear probe: logistic regression on frozen features, its L2 penalty chosen on validation pictures.

The protocol is CLIP's (Radford et al. 2021, arXiv 2103.00020, appendix A.3): the penalty is swept on a logarithmic scale, chosen on
validation pictures, and the probe is then fitted to training and validation pictures together. Test pictures choose nothing.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.records import Record
from .checks import Features, Labels, checked_pair, normed
from .readings import Reading, read

__all__ = ["STRENGTHS", "Probe", "linear_probe", "require_sklearn"]

STRENGTHS: tuple[float, ...] = tuple(10.0**power for power in range(-6, 4))
"""The penalties that are tried: the weight of half the squared norm beside the sum of the pictures' losses."""
_STEPS = 1000


class Probe(Record):
    """A probe on the test pictures; `answers` are the classes it names. `strength` is the penalty chosen, `validation` the accuracy of each one there.

    `at_edge`: the chosen one is the smallest or the largest tried, so that a better one may lie beyond. `converged`: the last fit ended
    before its 1,000 steps did.
    """

    reading: Reading
    answers: tuple[str, ...]
    strength: float
    validation: dict[float, float]
    at_edge: bool
    converged: bool


def linear_probe(
    train: Features,
    train_labels: Labels,
    test: Features,
    test_labels: Labels,
    *,
    strengths: tuple[float, ...] = STRENGTHS,
    held_out: float = 0.2,
    seed: int = 0,
) -> Probe:
    """Fit a probe to `train` (n, d) with its labels (n,), and ask it about `test` (m, d).

    Args:
        train: features to learn from; made unit vectors, as those to test.
        train_labels: their classes.
        test: features of other pictures.
        test_labels: their classes, each of which must be among those of `train`.
        strengths: penalties to choose from; of equally good ones the largest.
        held_out: the share of each class that is for validation, at least one picture.
        seed: which pictures are.

    Raises:
        BadInput: shapes, values or classes that do not fit, a class of one picture, or no penalty above 0.
        PrerequisiteError: scikit-learn is not installed.
    """
    require_sklearn()
    x, y, at, truth = checked_pair(train, train_labels, test, test_labels)
    if not strengths or min(strengths) <= 0 or not 0 < held_out < 1:
        raise BadInput(f"strengths={strengths!r} must be above 0, and held_out={held_out!r} between 0 and 1.")
    x, at = normed(x), normed(at)
    validation = _held_out(y, held_out, seed)
    accuracies = {}
    for strength in sorted(strengths):
        answers, _ = _fit(x[~validation], y[~validation], x[validation], strength)
        accuracies[strength] = float((answers == y[validation]).mean())
    best = max(accuracies, key=lambda strength: (accuracies[strength], strength))
    answers, converged = _fit(x, y, at, best)
    return Probe(
        reading=read(answers, truth),
        answers=tuple(str(each) for each in answers),
        strength=best,
        validation=accuracies,
        at_edge=len(accuracies) > 1 and best in (min(accuracies), max(accuracies)),
        converged=converged,
    )


def require_sklearn() -> None:
    """Raise `PrerequisiteError` where scikit-learn is missing, which fits the probe."""
    if find_spec("sklearn") is None:
        raise PrerequisiteError(
            "a linear probe is fitted by the package 'scikit-learn', which is not installed",
            remedy="pip install 'inloop[encoders]'.",
        )


def _held_out(y: Labels, share: float, seed: int) -> NDArray[np.bool_]:
    """(n,): the pictures for validation, of each class its share."""
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(y), dtype=bool)
    for each in np.unique(y):
        places = rng.permutation(np.flatnonzero(y == each))
        if len(places) < 2:
            raise BadInput(
                f"the class {str(each)!r} has one picture to learn from, and a probe needs two, one of them for validation: add some, or leave the class out."
            )
        chosen[places[: min(max(1, round(share * len(places))), len(places) - 1)]] = True
    return chosen


def _fit(x: NDArray[np.float64], y: Labels, at: NDArray[np.float64], strength: float) -> tuple[Labels, bool]:
    """The answers (m,) of a probe, and whether its fit converged."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model: Any = LogisticRegression(C=1 / strength, max_iter=_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    return np.asarray(model.predict(at)), int(np.max(model.n_iter_)) < _STEPS
