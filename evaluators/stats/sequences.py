"""Evidence that stays valid however often one looks: tests by betting, and the confidence sequences that they give.

A gambler bets, before each pair of scores, that the gain is above what is claimed. If it is not, no way of betting makes his
capital grow in expectation, and it ever reaches 20 with a chance of 1 in 20 at most (Ville 1939). So one may look after each pair,
and stop when one likes. The stakes are an even mixture of fixed ones: the capital does not depend on the order of the pairs.
Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting", arXiv 2010.09686.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...runtime.errors import BadInput

__all__ = ["confidence_sequence", "evidence", "evidence_needed"]

_STAKES = np.arange(0.05, 1.0, 0.05)
_HALVINGS = 24  # to a ten millionth


def evidence(gains: Sequence[float | None], *, above: float = 0.0) -> float:
    """How often the stake has grown against the claim that the mean gain is at most `above`: 20 or more proves it false at 5 %.

    `gains`: paired differences from -1 to 1 that are drawn alike; None is left out. Valid at any time, whatever made one stop.

    Raises:
        BadInput: a gain outside of -1 to 1, of which no such bet can be made.
    """
    return _capital(_known(gains), above)


def evidence_needed(place: int = 1, *, of: int | None = 1, level: float = 0.05) -> float:
    """The evidence that makes the `place`-th text a gain, so that of all texts together luck makes a gain with a chance of `level` at most.

    `of`: how many texts there will be, None where nobody knows: then each next one needs more (place * (place + 1) / level).
    """
    if place < 1 or not 0 < level < 1 or (of is not None and of < place):
        raise BadInput(f"place={place!r} of {of!r} at level={level!r}: count from 1, with a level between 0 and 1.")
    return place * (place + 1) / level if of is None else of / level


def confidence_sequence(gains: Sequence[float | None], *, level: float = 0.95) -> tuple[float, float]:
    """The means that the gains do not speak against: an interval that holds the true mean at all times at once with a chance of `level`.

    Wider than an interval for a number of pairs that was fixed beforehand; (-1, 1) before the first pair.

    Raises:
        BadInput: a gain outside of -1 to 1, or a level outside of 0 to 1.
    """
    if not 0 < level < 1:
        raise BadInput(f"level={level!r}: give a number between 0 and 1.")
    known, needed = _known(gains), 2 / (1 - level)
    return _lowest(known, needed), -_lowest(-known, needed)


def _known(gains: Sequence[float | None]) -> np.ndarray:
    known = np.array([gain for gain in gains if gain is not None], dtype=np.float64)
    wrong = known[~(np.abs(known) <= 1 + 1e-9)]
    if len(wrong):
        raise BadInput(f"a gain of {wrong[0]!r}: gains are differences of scores from 0 to 1, so from -1 to 1.")
    return known


def _capital(known: np.ndarray, above: float) -> float:
    # the worst pair loses the whole stake: -1 where the claim is `above`
    returns = (known - above) / (1 + above)
    logs = np.log1p(_STAKES[:, None] * returns).sum(axis=1)
    return float(np.exp(np.minimum(logs, 700.0)).mean())


def _lowest(known: np.ndarray, needed: float) -> float:
    """The lowest mean that is not disproved: the capital falls as the claim rises."""
    low, high = -1.0 + 1e-9, 1.0
    if _capital(known, low) < needed:
        return -1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _capital(known, middle) >= needed else (low, middle)
    return low
