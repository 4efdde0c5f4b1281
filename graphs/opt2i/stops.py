"""When a search ends: rules as objects, put together with `AnyOf`. A rule of one's own is any function of the same form.

AnyOf(Target(0.9), NoImprovement(5), FileThere(Path("enough")), usual(iterations=30))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...runtime.errors import BadInput
from .search import Kept, StopRule

__all__ = ["AnyOf", "FileThere", "Idle", "Iterations", "NoImprovement", "Spent", "Target", "Unscored", "usual"]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Target:
    """The objective is reached, by a text that holds the floors: 1 is perfect, the paper's rule."""

    at: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.at <= 1:
            raise BadInput(f"a target of {self.at!r}: give an objective above 0 and up to 1.")

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        if best["objective"] is None or best.get("short") or best["objective"] < self.at - _ROUNDING:
            return None
        return "perfect" if self.at == 1 else f"target: {100 * self.at:g} points"


@dataclass(frozen=True)
class Iterations:
    """So many rounds are done."""

    most: int

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        return "iterations" if iteration >= self.most else None


@dataclass(frozen=True)
class NoImprovement:
    """The best trial is so many rounds old."""

    rounds: int

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise BadInput(f"no improvement in {self.rounds!r} rounds: give 1 or more.")

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        old = iteration - best.get("iteration", iteration) >= self.rounds
        return f"no improvement in {self.rounds} round{'s' if self.rounds > 1 else ''}" if old else None


@dataclass(frozen=True)
class Idle:
    """So many proposals in a row held nothing new."""

    proposals: int = 3

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        return "nothing new was proposed" if idle >= self.proposals else None


@dataclass(frozen=True)
class Unscored:
    """After a round there is still no score to climb from."""

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        return "nothing could be scored" if iteration and best["objective"] is None else None


@dataclass(frozen=True)
class Spent:
    """The run's budget of pictures, tokens, seconds or money is used up."""

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        return f"budget: {spent}" if spent else None


@dataclass(frozen=True)
class FileThere:
    """Somebody, or some other program, made a file: every search of the run ends after its round, with a result."""

    path: Path

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        return f"the file {self.path.name} is there" if self.path.exists() else None


class AnyOf:
    """The first reason that one of `rules` gives, in their order."""

    def __init__(self, *rules: StopRule) -> None:
        self.rules = rules

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        reasons = (rule(best=best, iteration=iteration, idle=idle, spent=spent) for rule in self.rules)
        return next((reason for reason in reasons if reason), None)


def usual(*, iterations: int, target: float = 1.0, patience: int = 0) -> AnyOf:
    """How a search ends unless told otherwise; `patience`: rounds without improvement, 0 for any number."""
    waiting = (NoImprovement(patience),) if patience else ()
    return AnyOf(Target(target), Unscored(), Iterations(iterations), *waiting, Spent(), Idle())
