"""Means with their uncertainty. What could not be scored is counted and left out, never taken as 0."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np

from ...runtime.errors import BadInput
from ...runtime.records import Record

__all__ = [
    "FEWEST",
    "Comparison",
    "Estimate",
    "Verdict",
    "by_group",
    "compare",
    "estimate",
    "holm",
    "mean",
    "paired_gain",
    "ratio",
    "ratio_gain",
    "share_interval",
    "slices",
    "standard_error",
    "verdict_of",
]

K = TypeVar("K", bound=Hashable)

_DRAWS = 10_000
FEWEST = 6
"""Items that an interval or a verdict can be had of. Of 5 gains that are all above 0, luck makes 1 in 16 draws: more than 5 %."""
Verdict = Literal["gain", "loss", "unclear", "too few"]
_LEVEL = 0.05
_EXACT = 12  # items whose signs are all tried


class Estimate(Record):
    """A mean with its bootstrap interval. `n` items were scored, `unscored` were not.

    `value` is None when nothing was scored; `ci` is None for fewer than `FEWEST` items, of which no interval can be had: two
    that happen to be equal say nothing of a third.
    """

    value: float | None
    ci: tuple[float, float] | None
    n: int
    unscored: int


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what was scored; None when nothing was."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def standard_error(values: Sequence[float | None]) -> float | None:
    """The standard error of the mean of what was scored; None for fewer than two values."""
    known = [value for value in values if value is not None]
    return statistics.stdev(known) / math.sqrt(len(known)) if len(known) > 1 else None


def estimate(values: Sequence[float | None], *, level: float = 0.95, draws: int = _DRAWS, seed: int = 0) -> Estimate:
    """The mean of `values` with a percentile bootstrap interval (Efron 1979) over the items.

    The items must be independent of each other: prompts, not the questions of one picture. Same input, same interval.
    """
    if not 0 < level < 1 or draws < 100:
        raise BadInput(f"level={level!r} must lie between 0 and 1, and draws={draws!r} must be 100 or more.")
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    unscored = len(values) - len(known)
    if len(known) < FEWEST:
        return Estimate(value=float(known.mean()) if len(known) else None, ci=None, n=len(known), unscored=unscored)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            known[rng.integers(0, len(known), size=(min(1000, draws - done), len(known)))].mean(axis=1)
            for done in range(0, draws, 1000)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value=float(known.mean()), ci=(float(low), float(high)), n=len(known), unscored=unscored)


def paired_gain(
    before: Sequence[float | None],
    after: Sequence[float | None],
    *,
    level: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Estimate:
    """The mean of `after - before` with its interval; a pair with one side unscored is left out and counted.

    Raises:
        BadInput: the two differ in length.
    """
    if len(before) != len(after):
        raise BadInput(f"{len(before)} scores before and {len(after)} after are no pairs: give one of each an item.")
    gains = [None if a is None or b is None else b - a for a, b in zip(before, after, strict=True)]
    return estimate(gains, level=level, draws=draws, seed=seed)


def share_interval(hits: int, of: int) -> tuple[float, float] | None:
    """The 95 % interval of a share (Wilson 1927), which holds for few and for none as well; None of nothing."""
    if of == 0:
        return None
    z = 1.959964
    share, wide = hits / of, 1 + z * z / of
    middle = (share + z * z / (2 * of)) / wide
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / wide
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == of else middle + half)


def ratio(parts: Sequence[tuple[float, float]], *, level: float = 0.95, draws: int = _DRAWS, seed: int = 0) -> Estimate:
    """The sum of hits over the sum of trials of (hits, trials) items, with a bootstrap interval over the items.

    For what is counted over all citations, or all claims, while the questions are what is independent. `n` is the number of
    items with trials; value and interval are None where there is no trial at all.
    """
    known = np.array([part for part in parts if part[1] > 0], dtype=np.float64).reshape(-1, 2)
    unscored = len(parts) - len(known)
    if not len(known):
        return Estimate(value=None, ci=None, n=0, unscored=unscored)
    value = float(known[:, 0].sum() / known[:, 1].sum())
    if len(known) < FEWEST:
        return Estimate(value=value, ci=None, n=len(known), unscored=unscored)
    sums = _resampled(known, draws, seed)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value=value, ci=(float(low), float(high)), n=len(known), unscored=unscored)


def ratio_gain(
    before: Sequence[tuple[float, float]],
    after: Sequence[tuple[float, float]],
    *,
    level: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Estimate:
    """`ratio(after) - ratio(before)` over the same items, resampled together; draws without a trial are left out.

    Raises:
        BadInput: the two differ in length.
    """
    if len(before) != len(after):
        raise BadInput(f"{len(before)} items before and {len(after)} after are no pairs: give one of each an item.")
    both = np.array([(*a, *b) for a, b in zip(before, after, strict=True)], dtype=np.float64).reshape(-1, 4)
    total = both.sum(axis=0)
    if not len(both) or total[1] == 0 or total[3] == 0:
        return Estimate(value=None, ci=None, n=0, unscored=len(both))
    value = float(total[2] / total[3] - total[0] / total[1])
    if len(both) < FEWEST:
        return Estimate(value=value, ci=None, n=len(both), unscored=0)
    sums = _resampled(both, draws, seed)
    sums = sums[(sums[:, 1] > 0) & (sums[:, 3] > 0)]
    low, high = np.quantile(sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value=value, ci=(float(low), float(high)), n=len(both), unscored=0)


def _resampled(items: Any, draws: int, seed: int) -> Any:
    """The column sums of `draws` samples of the rows with replacement (draws, columns)."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            items[rng.integers(0, len(items), size=(min(1000, draws - done), len(items)))].sum(axis=1)
            for done in range(0, draws, 1000)
        ]
    )


def by_group(values: Sequence[float | None], groups: Sequence[K]) -> dict[K, float | None]:
    """The mean of each group, in the order of their first items; None where nothing of a group was scored.

    Pictures of one prompt are not independent of each other: take the mean of each prompt first, then `estimate` over
    the prompts. An interval over the pictures would be too narrow.
    """
    if len(values) != len(groups):
        raise BadInput(f"{len(values)} scores and {len(groups)} groups: give one group an item.")
    found: dict[K, list[float | None]] = {}
    for value, group in zip(values, groups, strict=True):
        found.setdefault(group, []).append(value)
    return {group: mean(given) for group, given in found.items()}


def slices(
    values: Sequence[float | None], groups: Sequence[Hashable], tags: Sequence[Sequence[str]]
) -> dict[str, Estimate]:
    """By tag, the estimate over the groups (prompts) of the items that carry it; an item may carry several tags."""
    if not len(values) == len(groups) == len(tags):
        raise BadInput(
            f"{len(values)} scores, {len(groups)} groups, {len(tags)} lists of tags: give one of each an item."
        )
    places: dict[str, list[int]] = {}
    for place, given in enumerate(tags):
        for tag in dict.fromkeys(given):
            places.setdefault(tag, []).append(place)
    return {
        tag: estimate(list(by_group([values[p] for p in here], [groups[p] for p in here]).values()))
        for tag, here in sorted(places.items())
    }


class Comparison(Record):
    """Two runs on the same items: the mean of `after - before`, with `p` of a two-sided sign-flip test.

    `p` is the share of flips of the items' signs that give a mean at least as far from 0; None for fewer than 2 pairs.
    `better`, `worse` and `equal` count the items.
    """

    gain: Estimate
    p: float | None
    better: int
    worse: int
    equal: int


def compare(
    before: Mapping[K, float | None],
    after: Mapping[K, float | None],
    *,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Comparison:
    """Two runs by item, paired by their keys; an item that one of them lacks, or did not score, is counted as unscored.

    Raises:
        BadInput: the two have no item in common.
    """
    keys = list(dict.fromkeys([*before, *after]))
    if not set(before).intersection(after):
        raise BadInput("the two runs have no item in common: compare runs over the same prompts.")
    gain = paired_gain([before.get(key) for key in keys], [after.get(key) for key in keys], draws=draws, seed=seed)
    pairs = [(before.get(key), after.get(key)) for key in keys]
    gains = np.array([b - a for a, b in pairs if a is not None and b is not None], dtype=np.float64)
    return Comparison(
        gain=gain,
        p=_sign_flip(gains, draws, seed) if len(gains) > 1 else None,
        better=int((gains > 0).sum()),
        worse=int((gains < 0).sum()),
        equal=int((gains == 0).sum()),
    )


def _sign_flip(gains: Any, draws: int, seed: int) -> float:
    """The p value of a two-sided sign-flip test: exact for few items, by random draws for many."""
    wanted = abs(gains.mean()) - 1e-12
    if len(gains) <= _EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2 ** len(gains))[:, None] >> np.arange(len(gains))) & 1)
        return float((np.abs((signs * gains).mean(axis=1)) >= wanted).mean())
    rng, hits = np.random.default_rng(seed), 0
    for start in range(0, draws, 1000):
        signs = rng.choice((-1.0, 1.0), size=(min(1000, draws - start), len(gains)))
        hits += int((np.abs((signs * gains).mean(axis=1)) >= wanted).sum())
    return (hits + 1) / (draws + 1)


def verdict_of(gains: Sequence[float | None]) -> Verdict:
    """What paired gains say: whether there is more than luck, by a two-sided sign-flip test at 5 %.

    "too few": fewer than `FEWEST` pairs were scored, of which nothing can be said however large they are. Every place of the
    house that calls a gain a gain asks here.
    """
    known = np.array([gain for gain in gains if gain is not None], dtype=np.float64)
    if len(known) < FEWEST:
        return "too few"
    if _sign_flip(known, _DRAWS, 0) > _LEVEL:
        return "unclear"
    return "gain" if known.mean() > 0 else "loss"


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p values of several candidates, corrected for there being several (Holm 1979), in the order given.

    The best of twenty equal candidates beats the user's prompt at p < 0.05 more often than not: correct before choosing.
    """
    for name, p in p_values.items():
        if not 0 <= p <= 1:
            raise BadInput(f"the p value {p!r} of {name!r} does not lie between 0 and 1.")
    corrected: dict[str, float] = {}
    largest = 0.0
    for place, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - place)))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}
