"""How likely each row is of a group, read within neighbourhoods of near copies, where what is shown is the same for all.

How similar pictures are to the words of a group differs far more from scene to scene than from group to group, so that over a whole data set a
weak encoder tells groups badly. Among copies of one scene it tells them well. So the lead of a group's similarity over the mean of the others is
taken as a level of the neighbourhood, a step for the rows that are of the group, and noise: a mixture of two normal distributions about a random
intercept. Its share, step, noise and levels are fitted by expectation and maximisation (Dempster et al. 1977) from several beginnings, of
which the likeliest counts; the intercept is summed over a grid. Nobody says which rows are of the group, nor how many. Where a step cannot be
told from noise, neither can the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mixture", "likely", "membership"]

_FEW = 20  # neighbourhoods of two or more; of fewer nothing can be fitted
_FITTED = 4000  # rows that a mixture is fitted on, in whole neighbourhoods
_GRID, _ROUNDS, _BEYOND = 49, 60, 3.5
_BEGINNINGS = ((0.1, 2.0), (0.3, 2.0), (0.5, 2.0), (0.7, 2.0), (0.9, 2.0), (0.1, 4.0), (0.5, 4.0), (0.9, 4.0))
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """The share of the group, its step, the deviation of the noise, and the mean and deviation of the levels of neighbourhoods."""

    share: float
    step: float
    noise: float
    level: float
    spread: float


def membership(similarities: Floats, labels: NDArray[np.int64], *, seed: int = 0) -> Floats:
    """(n, groups): how likely each row is of each group. `similarities` (n, groups), `labels` (n,): the neighbourhood of each row.

    Of two groups the second one's is what is left of the first one's; of more, each is told from all others. With fewer than 20 neighbourhoods
    of two or more rows, and where all copies are alike, it is .5 for all.
    """
    places = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    groups = similarities.shape[1]
    found = np.empty(similarities.shape, dtype=np.float64)
    for group in range(1 if groups == 2 else groups):
        others = np.delete(similarities, group, axis=1)
        found[:, group] = _likely(similarities[:, group] - others.mean(axis=1), places, seed)
    if groups == 2:
        found[:, 1] = 1 - found[:, 0]
    return found


def likely(lead: Floats, labels: NDArray[np.int64], mixture: Mixture) -> Floats:
    """(n,): how likely each row is of the group by a mixture that is known; `lead` (n,), `labels` (n,): the neighbourhood of each row."""
    return _round(lead, np.unique(labels, return_inverse=True)[1].astype(np.int64), mixture)[0]


def _likely(lead: Floats, places: NDArray[np.int64], seed: int) -> Floats:
    sizes = np.bincount(places)
    crowds = np.flatnonzero(sizes > 1)
    if len(crowds) < _FEW:
        return np.full(len(lead), 0.5)
    drawn = np.random.default_rng([seed, 47]).permutation(crowds)
    drawn = drawn[: max(1, int(np.searchsorted(np.cumsum(sizes[drawn]), _FITTED, side="right")))]
    fitted_on = np.isin(places, drawn)
    some, at = lead[fitted_on], np.unique(places[fitted_on], return_inverse=True)[1]
    means = np.bincount(at, weights=some) / np.bincount(at)
    within = np.sqrt(np.square(some - means[at]).sum() / max(1, len(some) - len(means)))
    if within < 1e-9:  # copies that are all alike tell nothing
        return np.full(len(lead), 0.5)
    best, likelihood = None, -np.inf
    for share, steps in _BEGINNINGS:
        mixture = Mixture(share, steps * 0.75 * within, 0.75 * within, float(means.mean()), max(float(means.std()), within))  # fmt: skip
        for _ in range(_ROUNDS):
            _, told, mixture = _round(some, at, mixture)
        if told > likelihood:
            best, likelihood = mixture, told
    assert best is not None
    return _round(lead, places, best)[0]


def _round(lead: Floats, places: NDArray[np.int64], mixture: Mixture) -> tuple[Floats, float, Mixture]:
    """How likely each row is of the group by a mixture, the logarithm of its likelihood, and the mixture that this asks for."""
    count = int(places.max()) + 1
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, places, lead)
    np.maximum.at(high, places, lead)
    low, high = low - mixture.step - _BEYOND * mixture.noise, high + _BEYOND * mixture.noise
    levels = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _GRID)
    away = (lead[:, None] - levels[places]) / mixture.noise
    step = mixture.step / mixture.noise
    without = np.log1p(-mixture.share) - away**2 / 2
    with_ = np.log(mixture.share) - (away - step) ** 2 / 2
    either = np.logaddexp(without, with_)
    of_group = np.exp(with_ - either)
    weight = -(((levels - mixture.level) / mixture.spread) ** 2) / 2 - np.log(mixture.spread)
    np.add.at(weight, places, either)
    most = weight.max(axis=1, keepdims=True)
    weight = np.exp(weight - most)
    total = weight.sum(axis=1, keepdims=True)
    told = float((most[:, 0] + np.log(total[:, 0] * (high - low))).sum() - len(lead) * np.log(mixture.noise))
    weight /= total
    both = weight[places] * of_group
    of_it = both.sum(axis=1)
    behind = lead[:, None] - levels[places]
    moved = float((both * behind).sum() / max(of_it.sum(), 1e-12))
    squares = weight[places] * ((1 - of_group) * behind**2 + of_group * (behind - moved) ** 2)
    level = float((weight * levels).sum() / count)
    return of_it, told, Mixture(
        share=float(np.clip(of_it.mean(), 0.005, 0.995)),
        step=max(moved, 1e-9),
        noise=max(float(np.sqrt(squares.sum() / len(lead))), moved / 20, 1e-9),
        level=level,
        spread=max(float(np.sqrt((weight * (levels - level) ** 2).sum() / count)), 1e-9),
    )  # fmt: skip
