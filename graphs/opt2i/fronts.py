"""Trials that are best at something: what is kept beside the best one, and what a result offers to choose from."""

from __future__ import annotations

from collections.abc import Sequence

from .result import Trial

__all__ = ["best", "front", "undominated"]


def best(ranked: Sequence[Trial], top: int) -> list[Trial]:
    """The `top` best of trials in ascending order (the paper's history)."""
    return list(ranked[-top:])


def front(ranked: Sequence[Trial], top: int) -> list[Trial]:
    """The best trial, and those that together do best at each question, phrase and score; in ascending order.

    The instance-wise front of GEPA (Agrawal et al. 2025, arXiv 2507.19457), as a greedy cover: next comes who adds most to what the
    chosen ones reach between them. Places that are left go to the best of the others.
    """
    scored = [trial for trial in ranked if trial.objective is not None]
    if not scored:
        return best(ranked, top)
    chosen, others = [scored[-1]], scored[-2::-1]
    reached = _reaches(scored[-1])
    while others and len(chosen) < top:
        adds = [_added(trial, reached) for trial in others]
        place = max(range(len(others)), key=lambda i: (adds[i], -i))
        if adds[place] <= 0:
            break
        chosen.append(others.pop(place))
        reached |= {name: max(value, reached.get(name, 0.0)) for name, value in _reaches(chosen[-1]).items()}
    chosen += others[: top - len(chosen)]
    places = {trial.id: place for place, trial in enumerate(ranked)}
    return sorted(chosen, key=lambda trial: places[trial.id])


def undominated(trials: Sequence[Trial]) -> list[Trial]:
    """The scored trials that no other one beats: not in every score and in brevity, and not by being as good in all and better in one.

    Those that hold the floors, where one does.
    """
    scored = [trial for trial in trials if trial.objective is not None]
    scored = [trial for trial in scored if not trial.broken] or scored
    return [trial for trial in scored if not any(_dominates(other, trial) for other in scored)]


def _dominates(one: Trial, other: Trial) -> bool:
    a, b = _objectives(one), _objectives(other)
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b


def _objectives(trial: Trial) -> tuple[float, ...]:
    scores = (-1.0 if value is None else value for _, value in sorted(trial.scores.items()))
    return (*scores, -float(len(trial.text.split())))


def _reaches(trial: Trial) -> dict[str, float]:
    parts = {f"{name}: {part.name}": part.value for name, found in trial.parts.items() for part in found}
    return {name: value for name, value in (parts | trial.scores).items() if value is not None}


def _added(trial: Trial, reached: dict[str, float]) -> float:
    return sum(max(0.0, value - reached.get(name, 0.0)) for name, value in _reaches(trial).items())
