"""Bradley-Terry with raters of different reliability: one estimate out of what a judge and people prefer.

Each item has a strength, each rater a sharpness; a rater prefers item i to j with the chance 1 / (1 + exp(-a (s_i - s_j))), a the
sharpness (Bradley & Terry 1952; a sharpness for each rater as in item response theory, Birnbaum 1968). A tie is half a preference each way.
Strengths have a standard normal prior, which sets their scale; log sharpness a normal one around a rater who is right four times in five.

The posterior is sampled: each sample of a normal approximation around its mode goes ten steps of Hamiltonian Monte Carlo (Neal 2011) in the
metric of the approximation, of a quarter turn each. Simulated worlds (`tests/`) hold it to what it claims. Same input, same numbers.

`choix` (0.4.1) fits Bradley-Terry, too, but knows one kind of rater and no posterior of who is the best.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...runtime.errors import BadInput
from ...runtime.records import Record

__all__ = ["Posterior", "Preference", "Reliability", "Standing", "fit", "judge_preferences"]

Floats = npt.NDArray[np.float64]

_SAMPLES, _LEAPS = 1000, 5
_COLD, _WARM = 10, 3  # turns: from the approximation, and from the samples of an earlier posterior
_LOG_SHARPNESS, _SPREAD = 0.62, 0.8  # right four times in five; two spreads off: .58 and .96
_STEPS, _SMALL, _SHARPEST = 200, 1e-8, 6.0


class Preference(NamedTuple):
    """`rater` compared two items: `share` 1 for the first one, 0 for the second, 0.5 for a tie; `weight` 1 is one answer."""

    first: str
    second: str
    share: float
    rater: str
    weight: float = 1.0


class Standing(Record):
    """An item: its strength (mean, in standard deviations of items) with a 95 % interval, and the probability that it is the best."""

    item: str
    strength: float
    ci: tuple[float, float]
    best: float


class Reliability(Record):
    """How often a rater names the better one of two items drawn at random, measured by what all raters say together, with a 95 % interval.

    `answers`: how much they said; a rater who said nothing has the reliability of the prior.
    """

    rater: str
    value: float
    ci: tuple[float, float]
    answers: float


class Posterior:
    """What is believed of items and raters: equally probable samples of the strengths (samples, items) and of the log sharpness
    (samples, raters).
    """

    def __init__(
        self,
        items: Sequence[str],
        raters: Sequence[str],
        preferences: Sequence[Preference],
        strengths: Floats,
        sharpness: Floats,
        turned: Floats,
    ) -> None:
        self.items, self.raters, self.preferences = tuple(items), tuple(raters), tuple(preferences)
        self.strengths, self.sharpness, self._turned = strengths, sharpness, turned

    @property
    def best(self) -> Floats:
        """Of each item, the probability that it is the best one (items,)."""
        return np.bincount(self.strengths.argmax(axis=1), minlength=len(self.items)) / len(self.strengths)

    @property
    def top(self) -> tuple[str, float]:
        """The item that is most probably the best, and that probability; of equal ones the first."""
        best = self.best
        place = int(best.argmax())
        return self.items[place], float(best[place])

    def standings(self) -> tuple[Standing, ...]:
        """All items, the strongest first."""
        best = self.best
        means = self.strengths.mean(axis=0)
        found = [
            Standing(
                item=item,
                strength=float(means[place]),
                ci=_interval(self.strengths[:, place]),
                best=float(best[place]),
            )
            for place, item in enumerate(self.items)
        ]
        return tuple(sorted(found, key=lambda standing: -standing.strength))

    def reliabilities(self) -> tuple[Reliability, ...]:
        """All raters in the order in which they were given."""
        said = dict.fromkeys(self.raters, 0.0)
        for preference in self.preferences:
            said[preference.rater] += preference.weight
        found = []
        for place, rater in enumerate(self.raters):
            right = reliability_of(self.sharpness[:, place])
            value = float(right.mean())
            found.append(Reliability(rater=rater, value=value, ci=_interval(right), answers=round(said[rater], 6)))
        return tuple(found)

    def better(self, first: str, second: str) -> float:
        """The probability that the first item is stronger than the second."""
        i, j = self.items.index(first), self.items.index(second)
        return float((self.strengths[:, i] > self.strengths[:, j]).mean())


def fit(
    items: Sequence[str],
    preferences: Sequence[Preference],
    *,
    raters: Sequence[str] = (),
    after: Posterior | None = None,
) -> Posterior:
    """The posterior over `items` given what was preferred; `raters` are known besides those of the preferences.

    `after`: the posterior of the same items and raters before the last answer; its samples go on, carried over to what is believed now, which
    is faster.

    Raises:
        BadInput: no item, an item twice, or a preference of what is no item, between an item and itself, or without a weight.
    """
    if not items or len(set(items)) != len(items):
        raise BadInput(f"{len(items)} items with {len(set(items))} names: give one or more, each once.")
    places = {item: place for place, item in enumerate(items)}
    for each in preferences:
        if each.first not in places or each.second not in places or each.first == each.second:
            raise BadInput(f"{each.first!r} and {each.second!r} are no two of the items that are compared.")
        if not 0 <= each.share <= 1 or not 0 < each.weight < float("inf"):
            raise BadInput(
                f"share={each.share!r}, weight={each.weight!r}: give a share from 0 to 1 and a weight above 0."
            )
    names = list(dict.fromkeys([*raters, *(each.rater for each in preferences)]))
    told = _Told(places, {name: place for place, name in enumerate(names)}, preferences)
    n = len(items)
    alike = after is not None and after.items == tuple(items) and after.raters == tuple(names)
    drawn, turned = told.samples(after._turned if after is not None and alike else None)
    return Posterior(items, names, preferences, drawn[:, :n], drawn[:, n:], turned)


def judge_preferences(rater: str, scores: Mapping[str, float | None]) -> list[Preference]:
    """What scores say of each pair of items: the higher one is preferred, equal ones tie; what was not scored is not compared.

    The pairs of n items weigh n - 1 answers together: n scores order n items, and no n (n - 1) / 2 answers that were given one by one.
    """
    known = {item: score for item, score in scores.items() if score is not None}
    weight = 2 / len(known) if known else 0.0
    return [
        Preference(one, other, 0.5 if known[one] == known[other] else float(known[one] > known[other]), rater, weight)
        for one, other in itertools.combinations(known, 2)
    ]


def reliability_of(log_sharpness: Floats) -> Floats:
    """How often a rater of that sharpness is right about two items whose strengths are drawn from the prior."""
    nodes, weights = _normal_nodes()
    chances = 1 / (1 + np.exp(-np.exp(log_sharpness)[..., None] * np.sqrt(2.0) * np.abs(nodes)))
    found: Floats = chances @ weights
    return found


class _Told:
    """The preferences as arrays, those of one rater on one pair added up, and the posterior density that they give."""

    def __init__(self, items: Mapping[str, int], raters: Mapping[str, int], given: Sequence[Preference]) -> None:
        self.n, self.m, self.told = len(items), len(raters), len(given)
        sums: dict[tuple[int, int, int], list[float]] = {}
        for each in given:
            i, j, share = items[each.first], items[each.second], each.share
            if i > j:
                i, j, share = j, i, 1 - share
            sum_ = sums.setdefault((i, j, raters[each.rater]), [0.0, 0.0])
            sum_[0] += each.weight * share
            sum_[1] += each.weight * (1 - share)
        keys = np.array(list(sums), dtype=np.intp).reshape(-1, 3)
        counts = np.array(list(sums.values()), dtype=np.float64).reshape(-1, 2)
        self.won, self.count = counts[:, 0], counts.sum(axis=1)
        rows = np.arange(len(keys))
        self.gap, self.of = np.zeros((len(keys), self.n)), np.zeros((len(keys), self.m))
        self.gap[rows, keys[:, 0]], self.gap[rows, keys[:, 1]], self.of[rows, keys[:, 2]] = 1.0, -1.0, 1.0
        self.center = np.concatenate([np.zeros(self.n), np.full(self.m, _LOG_SHARPNESS)])
        self.precision = np.concatenate([np.ones(self.n), np.full(self.m, _SPREAD**-2)])

    def density(self, at: Floats) -> Floats:
        """The logarithm of the posterior density, but for a constant, at points (points, items + raters)."""
        logits = self._sharp(at) * (at[:, : self.n] @ self.gap.T)
        off = at - self.center
        found: Floats = logits @ self.won - np.logaddexp(0, logits) @ self.count - 0.5 * off**2 @ self.precision
        return found

    def slope(self, at: Floats) -> Floats:
        """The gradient of `density` (points, items + raters)."""
        gaps, sharp = at[:, : self.n] @ self.gap.T, self._sharp(at)
        rest = (self.won - self.count / (1 + np.exp(-np.clip(sharp * gaps, -500, 500)))) * sharp
        found: Floats = np.concatenate([rest @ self.gap, (rest * gaps) @ self.of], axis=1)
        found -= self.precision * (at - self.center)
        return found

    def _sharp(self, at: Floats) -> Floats:
        found: Floats = np.exp(np.minimum(at[:, self.n :], _SHARPEST)) @ self.of.T
        return found

    def samples(self, start: Floats | None) -> tuple[Floats, Floats]:
        """(samples, items + raters), and the same in the coordinates of the approximation, in which `start` is, too."""
        mode, root = self.mode()
        at: Floats
        rng = np.random.default_rng([len(mode), self.told])
        # in the coordinates of the approximation, where the posterior is near to standard normal
        turned = np.asarray(np.linalg.inv(root), dtype=np.float64)
        # half as wide as the approximation: a start far out in its tails may be one that no step leads away from
        at = mode + (0.5 * rng.standard_normal((_SAMPLES, len(mode))) if start is None else start) @ turned
        value, slope = self.density(at), self.slope(at)
        for _ in range(_COLD if start is None else _WARM):
            speed = rng.standard_normal(at.shape)
            leap = np.pi / 2 / _LEAPS * rng.uniform(0.6, 1.2, size=(_SAMPLES, 1))
            energy = value - 0.5 * (speed**2).sum(axis=1)
            there, its_slope = at, slope
            for _ in range(_LEAPS):
                speed = speed + 0.5 * leap * its_slope @ turned.T
                there = there + leap * speed @ turned
                its_slope = self.slope(there)
                speed = speed + 0.5 * leap * its_slope @ turned.T
            its_value = self.density(there)
            taken = np.log(rng.random(_SAMPLES)) < its_value - 0.5 * (speed**2).sum(axis=1) - energy
            at = np.where(taken[:, None], there, at)
            value, slope = np.where(taken, its_value, value), np.where(taken[:, None], its_slope, slope)
        return at, (at - mode) @ root

    def mode(self) -> tuple[Floats, Floats]:
        """Where the density is highest, and the lower Cholesky root of its precision there (by Fisher scoring, damped)."""
        at, damping = self.center.copy(), 0.0
        value = float(self.density(at[None])[0])
        for _ in range(_STEPS):
            information = self._information(at)
            step = np.linalg.solve(information + damping * np.diag(np.diag(information)), self.slope(at[None])[0])
            further = float(self.density((at + step)[None])[0])
            if further >= value:
                at, gained, value = at + step, further - value, further
                damping = damping / 4 if damping > 1e-3 else 0.0
                if gained < _SMALL:
                    break
            elif damping > 1e9:
                break
            else:
                damping = max(4 * damping, 1e-2)
        root = np.asarray(np.linalg.cholesky(self._information(at)), dtype=np.float64)
        return at, root

    def _information(self, at: Floats) -> Floats:
        gaps, sharp = self.gap @ at[: self.n], self.of @ np.exp(at[self.n :])
        chance = 1 / (1 + np.exp(-np.clip(sharp * gaps, -500, 500)))
        jacobian = np.concatenate([self.gap, self.of * gaps[:, None]], axis=1) * sharp[:, None]
        found: Floats = (jacobian * (self.count * chance * (1 - chance))[:, None]).T @ jacobian + np.diag(
            self.precision
        )
        return found


@lru_cache(maxsize=1)
def _normal_nodes() -> tuple[Floats, Floats]:
    """Gauss-Hermite nodes and weights of a standard normal variable."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    return nodes, weights / weights.sum()


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
