"""Linear probe: logistic regression on frozen features, its L2 penalty chosen on validation pictures.

The protocol is CLIP's (Radford et al. 2021, arXiv 2103.00020, appendix A.3): the penalty is swept on a logarithmic scale, chosen on
validation pictures, and the probe is then fitted to training and validation pictures together. Test pictures choose nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from ...runtime.records import Record
from .checks import Features, Labels, checked, checked_pair, normed
from .readings import Reading, read
from .softmax_regression import fits

__all__ = ["STRENGTHS", "Penalty", "Probe", "chosen_penalty", "linear_probe", "probes"]

STRENGTHS: tuple[float, ...] = tuple(10.0**power for power in range(-6, 4))
"""The penalties that are tried: the weight of half the squared norm beside the sum of the pictures' losses."""


class Penalty(Record):
    """The penalty that validation pictures chose: `strength`, and the accuracy of each one there.

    `at_edge`: it is the smallest or the largest tried, so that a better one may lie beyond.
    """

    strength: float
    validation: dict[float, float]
    at_edge: bool


class Probe(Record):
    """A probe on the test pictures; `answers` are the classes it names. `converged`: the last fit ended before its 500 steps did."""

    reading: Reading
    answers: tuple[str, ...]
    penalty: Penalty
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
    """
    checked_pair(train, train_labels, test, test_labels)
    penalty = chosen_penalty(train, train_labels, strengths=strengths, held_out=held_out, seed=seed)
    return probes(train, train_labels, {"test": (test, test_labels)}, [penalty])[0]["test"]


def chosen_penalty(
    train: Features,
    labels: Labels,
    *,
    strengths: tuple[float, ...] = STRENGTHS,
    held_out: float = 0.2,
    seed: int = 0,
) -> Penalty:
    """The penalty whose probe of the rest of `train` (n, d) answers its validation pictures best; see `linear_probe`.

    Raises:
        BadInput: as `linear_probe`.
    """
    x, y = checked(train, labels, "train")
    if not strengths or min(strengths) <= 0 or not 0 < held_out < 1:
        raise BadInput(f"strengths={strengths!r} must be above 0, and held_out={held_out!r} between 0 and 1.")
    x, numbers = normed(x), np.unique(y, return_inverse=True)[1]
    validation = _held_out(y, held_out, seed)
    accuracies = {
        fit.penalty: float((fit.answers(x[validation]) == numbers[validation]).mean())
        for fit in fits(x[~validation], numbers[~validation], strengths)
    }
    best = max(accuracies, key=lambda strength: (accuracies[strength], strength))
    return Penalty(
        strength=best,
        validation=dict(sorted(accuracies.items())),
        at_edge=len(accuracies) > 1 and best in (min(accuracies), max(accuracies)),
    )


def probes(
    train: Features, labels: Labels, tests: Mapping[str, tuple[Features, Labels]], penalties: Sequence[Penalty]
) -> list[dict[str, Probe]]:
    """By penalty the probe of all of `train`, asked about each of the `tests`; equal penalties are fitted once.

    Raises:
        BadInput: as `linear_probe`.
    """
    pairs = {name: checked_pair(train, labels, *test) for name, test in tests.items()}
    x, y = checked(train, labels, "train")
    x, (names, numbers) = normed(x), np.unique(y, return_inverse=True)
    by_strength = {fit.penalty: fit for fit in fits(x, numbers, [*{each.strength for each in penalties}])}

    def asked(penalty: Penalty, at: Features, truth: Labels) -> Probe:
        fit = by_strength[penalty.strength]
        answers = names[fit.answers(normed(np.asarray(at)))]
        return Probe(
            reading=read(answers, truth),
            answers=tuple(str(each) for each in answers),
            penalty=penalty,
            converged=fit.converged,
        )

    return [{name: asked(penalty, at, truth) for name, (_, _, at, truth) in pairs.items()} for penalty in penalties]


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
