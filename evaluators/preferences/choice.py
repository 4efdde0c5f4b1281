"""Which pair to ask a rater about next: the one whose answer is expected to tell most about which item is the best.

The measure is the mutual information between the answer and the best item, in bits, over the samples of the posterior (Lindley 1956,
MacKay 1992): a pair of items that both are hardly the best tells nothing, and neither does one whose answer is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from .estimate import Floats, Posterior, Preference, fit

__all__ = ["Asked", "next_pair", "planned_pairs"]

_BLOCK = 256  # pairs at a time, for the memory


class Asked(NamedTuple):
    """A pair to ask about, and the bits about the best item that the answer is expected to give."""

    first: str
    second: str
    bits: float


def next_pair(posterior: Posterior, rater: str, *, pairs: Collection[tuple[str, str]] | None = None) -> Asked | None:
    """The most telling pair of `pairs` (default: of all items) for a rater, who need not have said anything; None where there is none.

    A rater who is unknown to the posterior is taken for a mean one of those that it knows, or of the prior.
    """
    open_pairs = list(itertools.combinations(posterior.items, 2)) if pairs is None else list(pairs)
    if not open_pairs:
        return None
    bits = information(posterior, rater, open_pairs)
    # of equally telling ones the first: rounded, so that it does not depend on the order in which a machine adds up
    place = int(np.round(bits, 9).argmax())
    return Asked(*open_pairs[place], float(bits[place]))


def information(posterior: Posterior, rater: str, pairs: Sequence[tuple[str, str]]) -> Floats:
    """Bits that the answer of a rater to each pair is expected to give about the best item (pairs,)."""
    places = {item: place for place, item in enumerate(posterior.items)}
    i, j = np.array([(places[first], places[second]) for first, second in pairs], dtype=np.intp).T
    known = posterior.raters.index(rater) if rater in posterior.raters else None
    sharp = np.exp(posterior.sharpness[:, known] if known is not None else posterior.sharpness.mean(axis=1))
    count = len(posterior.strengths)
    best = np.zeros((count, len(posterior.items)))
    best[np.arange(count), posterior.strengths.argmax(axis=1)] = 1 / count
    before = _entropy(best.sum(axis=0))
    found = np.empty(len(pairs))
    for start in range(0, len(pairs), _BLOCK):
        here = slice(start, start + _BLOCK)
        gaps = posterior.strengths[:, i[here]] - posterior.strengths[:, j[here]]
        first = best.T @ (1 / (1 + np.exp(-np.clip(sharp[:, None] * gaps, -500, 500))))  # (items, pairs)
        second = best.sum(axis=0)[:, None] - first
        found[here] = before - _joint(first) - _joint(second)
    return np.maximum(found, 0.0)


def planned_pairs(
    items: Sequence[str],
    preferences: Sequence[Preference],
    rater: str,
    *,
    pairs: Sequence[tuple[str, str]],
    count: int,
) -> list[tuple[str, str]]:
    """Up to `count` of `pairs`, the most telling first, for a rater whose answers come back all at once.

    Each pair that is taken counts as answered the way it is expected to be, half each way where that is open, so that the next one asks
    something else.
    """
    left, expected, plan = list(dict.fromkeys(pairs)), list(preferences), list[tuple[str, str]]()
    while left and len(plan) < count:
        posterior = fit(items, expected, raters=[rater])
        asked = next_pair(posterior, rater, pairs=left)
        assert asked is not None
        pair = (asked.first, asked.second)
        expected.append(Preference(*pair, posterior.better(*pair), rater))
        plan.append(pair)
        left.remove(pair)
    return plan


def _entropy(mass: Floats) -> float:
    """In bits; `mass` adds up to 1."""
    known = mass[mass > 0]
    return float(-(known * np.log2(known)).sum())


def _joint(mass: Floats) -> Floats:
    """The entropy of the items in each column, times what the column weighs (pairs,)."""
    total = mass.sum(axis=0)
    safe, whole = np.maximum(mass, 1e-300), np.maximum(total, 1e-300)
    found: Floats = -(mass * (np.log2(safe) - np.log2(whole))).sum(axis=0)
    return found
