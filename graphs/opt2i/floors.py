"""Scores that must not fall: a text that breaks a floor is never better than one that holds all of them.

Who searches one score alone may find a text that is good at nothing else: a question that a model hardly answers any more can have the
best ratio among the few answers that are left. Texts are ordered by how far they fall short, then by what is climbed (the feasibility
rules of Deb 2000, https://doi.org/10.1016/S0045-7825(99)00389-8).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ...runtime.errors import BadInput

__all__ = ["Floors"]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Floors:
    """The least that a mean score may be, by its name, from 0 to 1; a score that could not be told is short of all of it."""

    least: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Sequence[str]) -> Floors:
        """The floors of "accuracy=0.6", "dsg=0.8"; `BadInput` for what does not read so, or lies outside of 0 to 1."""
        least = {}
        for text in given:
            name, _, value = text.rpartition("=")
            try:
                least[name.strip()] = float(value)
            except ValueError:
                raise BadInput(f"the floor {text!r}: give a score and its least value, as in accuracy=0.6.") from None
            if not name.strip() or not 0 < least[name.strip()] <= 1:
                raise BadInput(f"the floor {text!r}: name a score, and a value above 0 and up to 1.")
        return cls(least)

    def check(self, known: Collection[str]) -> None:
        """Raises `BadInput` for a floor of a score that there is not."""
        for name in self.least:
            if name not in known:
                raise BadInput(f"the floor of {name!r}: there is no such score; there are {', '.join(known)}.")

    def short(self, scores: Mapping[str, float | None]) -> float:
        """By how much scores fall short of the floors, all of them together; 0 where they hold."""
        gaps = [least - (scores.get(name) or 0.0) for name, least in self.least.items()]
        return sum(gap for gap in gaps if gap > _ROUNDING)

    def those_broken(self, scores: Mapping[str, float | None]) -> list[str]:
        """The names of the scores whose floors do not hold."""
        return [name for name, least in self.least.items() if least - (scores.get(name) or 0.0) > _ROUNDING]

    def broken(self, scores: Mapping[str, float | None]) -> str:
        """Which floors do not hold, in words; "" where all do."""
        return "; ".join(
            f"{name} {'is not scored' if (value := scores.get(name)) is None else f'{100 * value:.1f}'},"
            f" and the floor is {100 * self.least[name]:g}"
            for name in self.those_broken(scores)
        )
