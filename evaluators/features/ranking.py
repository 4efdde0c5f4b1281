"""Which differences between encoders are real: paired comparisons on the same test pictures, and how stable their order is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ..stats import Comparison, compare, holm

__all__ = ["Pair", "Ranking", "ranking"]

_DRAWS = 2000
_LEVEL = 0.05


class Pair(Record):
    """`gain` of `other` over `one` on the same test pictures; `p` is corrected for the number of pairs (Holm 1979).

    `differs`: the difference is more than the luck of these test pictures, at 5 %.
    """

    one: str
    other: str
    gain: Comparison
    p: float | None
    differs: bool


class Ranking(Record):
    """Encoders by accuracy, the best first. `first`: the share of resampled test sets in which each is the best; ties are shared.

    It is of test pictures alone: what another training set or seed would change is not in it.
    """

    order: tuple[str, ...]
    first: dict[str, float]
    pairs: tuple[Pair, ...]


def ranking(correct: Mapping[str, Sequence[float]], *, seed: int = 0) -> Ranking:
    """The ranking of encoders by name, each with what it got right of the same test pictures, in the same order.

    Raises:
        BadInput: no encoder, or lists of different or no length.
    """
    names = [*correct]
    if not names or len({len(each) for each in correct.values()}) != 1 or not correct[names[0]]:
        raise BadInput("give encoders that answered the same test pictures, one or more.")
    values = np.array([correct[name] for name in names], dtype=np.float64)
    rng, wins = np.random.default_rng(seed), np.zeros(len(names))
    for _ in range(_DRAWS):
        means = values[:, rng.integers(0, values.shape[1], values.shape[1])].mean(axis=1)
        best = np.isclose(means, means.max(), rtol=0, atol=1e-12)
        wins += best / best.sum()
    gains = {
        (one, other): compare(dict(enumerate(correct[one])), dict(enumerate(correct[other])))
        for one, other in combinations(names, 2)
    }
    places = {str(place): each.p for place, each in enumerate(gains.values()) if each.p is not None}
    corrected = holm(places)
    pairs = [
        Pair(
            one=one,
            other=other,
            gain=gain,
            p=corrected.get(str(place)),
            differs=gain.gain.ci is not None and corrected.get(str(place), 1.0) <= _LEVEL,
        )
        for place, ((one, other), gain) in enumerate(gains.items())
    ]
    means = dict(zip(names, values.mean(axis=1).tolist(), strict=True))
    return Ranking(
        order=tuple(sorted(names, key=lambda name: -means[name])),
        first=dict(zip(names, (wins / _DRAWS).tolist(), strict=True)),
        pairs=tuple(pairs),
    )
