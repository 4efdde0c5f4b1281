"""Which candidates are worth more seeds: a race ends early for those that cannot, or are not likely to, be among the best.

- `Everyone`: every candidate is realised with every seed (the paper's way)
- `Abandon`: one that cannot reach the best k any more is left; exact, the best k are the same as without
- `Halve`: after 1, 2, 4, ... seeds the better half goes on (successive halving: Jamieson & Talwalkar 2016, arXiv 1502.07943)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...runtime.errors import BadInput

__all__ = ["Abandon", "Everyone", "Halve", "Race", "Standing", "race_of"]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Standing:
    """Where a candidate is after some seeds: its objective so far, and the most that it can still come to; None where unscored.

    `short`: how far it is below the floors so far.
    """

    objective: float | None
    most: float | None
    short: float = 0.0


class Race(Protocol):
    """Says how many seeds come next, and who leaves."""

    def seeds(self, tried: int, of: int) -> int:
        """How many of `of` seeds are tried after the next stage; `tried` are."""

    def leaving(self, standings: Sequence[Standing], needed: float | None) -> list[str]:
        """For each candidate why it leaves, "" for one that goes on. `needed`: the lowest of the best k, None while there are fewer."""


class Everyone:
    """All seeds at once, and nobody leaves."""

    def seeds(self, tried: int, of: int) -> int:
        """All."""
        return of

    def leaving(self, standings: Sequence[Standing], needed: float | None) -> list[str]:
        """Nobody."""
        return [""] * len(standings)


class Abandon:
    """One seed after the other, and out goes what stays below the best k even if every seed that is left were perfect.

    Scores are at most 1 and the objective must not fall when one of them rises: so it is for DSG, dCS and their mean.
    """

    def seeds(self, tried: int, of: int) -> int:
        """One more."""
        return tried + 1

    def leaving(self, standings: Sequence[Standing], needed: float | None) -> list[str]:
        """Those whose `most` is below what is needed; a tie could still be won by certainty."""
        return [
            f"at most {100 * standing.most:.1f}, and {100 * needed:.1f} are needed"
            if needed is not None and standing.most is not None and standing.most < needed - _ROUNDING
            else ""
            for standing in standings
        ]


@dataclass(frozen=True)
class Halve:
    """Twice as many seeds at each stage, for the better `share` of the candidates: more candidates for the same pictures, not exact."""

    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise BadInput(f"a share of {self.share!r} goes on: give a number between 0 and 1.")

    def seeds(self, tried: int, of: int) -> int:
        """Twice as many."""
        return max(1, 2 * tried)

    def leaving(self, standings: Sequence[Standing], needed: float | None) -> list[str]:
        """The worse ones; of equal ones the later."""
        keep = math.ceil(self.share * len(standings))
        best = sorted(range(len(standings)), key=lambda place: _height(standings[place]), reverse=True)[:keep]
        return ["" if place in best else f"not in the better {keep}" for place in range(len(standings))]


def _height(standing: Standing) -> tuple[float, float]:
    return (-standing.short, -math.inf if standing.objective is None else standing.objective)


def race_of(name: str) -> Race:
    """A race by its name in the config: none, abandon or halve."""
    races: dict[str, Callable[[], Race]] = {"none": Everyone, "abandon": Abandon, "halve": Halve}
    return races[name]()
