"""How many votes it takes to be sure which prompt is the best: the most telling pair next, and all pairs in random order.

A task has 8 prompts whose strengths are drawn from a normal distribution. A judge scores them all, with noise that makes it right about
three pairs in four. People vote in turn; a person of reliability .8 names the better one of a pair in 80 votes of 100, whatever
the pair is. The estimate does not know how reliable anybody is. It stops as soon as the best prompt is the best with a probability of 95 %, and
looks after each vote, later each time that the votes have grown by a fiftieth.

Random order is that of all pairs, shuffled anew for each round over them, with the same estimate and the same stop. Counting wins is what
is done without an estimate: all pairs, round for round; its votes are those of the first round after which it is right as often as the
most telling pair is.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from inloop.evaluators.preferences import Preference, fit, judge_preferences, next_pair

from .figures import Figure, Options

PROMPTS, TASKS, SURE, MOST, ROUNDS = 8, 10, 0.95, 1000, 40
JUDGE = 1.0
"""Standard deviation of the judge's noise, in that of the strengths: right about 3 pairs in 4."""
PANELS = {
    "one of .6": (0.6,),
    "one of .8": (0.8,),
    "one of .95": (0.95,),
    "five of .6 to .95": (0.6, 0.7, 0.8, 0.9, 0.95),
}
PAIRS = list(itertools.combinations(range(PROMPTS), 2))


def measure(options: Options) -> list[Figure]:
    """Votes until it is sure, and how often the prompt is the truly best one, by panel and order."""
    figures = []
    for name, panel in PANELS.items():
        told = [_Task(number, panel) for number in range(TASKS)]
        active, random = [task.asked(telling=True) for task in told], [task.asked(telling=False) for task in told]
        figures += [
            Figure.of(f"{name}: votes, most telling pair", [votes for votes, _ in active], "", _mean(active)),
            Figure.of(f"{name}: votes, random order", [votes for votes, _ in random], "", _mean(random)),
            _ratio(name, [votes for votes, _ in active], [votes for votes, _ in random]),
            Figure.share(f"{name}: truly best, most telling pair", [right for _, right in active]),
            Figure.share(f"{name}: truly best, random order", [right for _, right in random]),
        ]
        goal = sum(right for _, right in active)
        wins = np.array([task.counted() for task in told]).sum(axis=0)
        enough = np.flatnonzero(wins >= goal)
        rounds = int(enough[0]) + 1 if len(enough) else ROUNDS
        note = f"{rounds} rounds" if len(enough) else f"not reached: {wins[-1]} of {TASKS} right after {ROUNDS} rounds"
        figures.append(Figure(name=f"{name}: votes, wins counted", value=rounds * len(PAIRS), unit="", note=note))
    return figures


class _Task:
    """One task: its strengths, its judge, and people who can be asked any number of times."""

    def __init__(self, number: int, panel: tuple[float, ...]) -> None:
        rng = np.random.default_rng([number, len(panel), round(100 * panel[0])])
        self.number, self.panel = number, panel
        self.strengths = rng.standard_normal(PROMPTS)
        self.best = int(self.strengths.argmax())
        scores = self.strengths + JUDGE * rng.standard_normal(PROMPTS)
        self.judged = judge_preferences("judge", {str(item): float(score) for item, score in enumerate(scores)})

    def asked(self, *, telling: bool) -> tuple[int, bool]:
        """Votes until it is sure (or `MOST`), and whether what it names is the best prompt."""
        rng, items = np.random.default_rng([self.number, 7]), [str(item) for item in range(PROMPTS)]
        raters = ["judge", *(f"person {place}" for place in range(len(self.panel)))]
        told, round_ = list(self.judged), list[tuple[int, int]]()
        posterior = fit(items, told, raters=raters)
        votes = 0
        while votes < MOST:
            if posterior.top[1] >= SURE:
                return votes, int(posterior.top[0]) == self.best
            for place in range(votes, votes + 1 + votes // 50):
                rater = place % len(self.panel)
                if telling:
                    asked = next_pair(posterior, raters[1 + rater])
                    assert asked is not None
                    pair = int(asked.first), int(asked.second)
                else:
                    round_ = round_ or [PAIRS[at] for at in rng.permutation(len(PAIRS))]
                    pair = round_.pop()
                first = self._first(pair, self.panel[rater], rng)
                told.append(Preference(str(pair[0]), str(pair[1]), float(first), raters[1 + rater]))
            votes = len(told) - len(self.judged)
            posterior = fit(items, told, raters=raters, after=posterior)
        return MOST, int(posterior.top[0]) == self.best

    def counted(self) -> list[bool]:
        """After each round over all pairs, whether most wins name the best prompt; of equal ones the one with the judge's first."""
        rng, won, right = np.random.default_rng([self.number, 8]), np.zeros(PROMPTS), []
        for round_ in range(ROUNDS):
            for at, pair in enumerate(PAIRS):
                reliability = self.panel[(round_ * len(PAIRS) + at) % len(self.panel)]
                won[pair[0] if self._first(pair, reliability, rng) else pair[1]] += 1
            right.append(int(won.argmax()) == self.best)
        return right

    def _first(self, pair: tuple[int, int], reliability: float, rng: Any) -> bool:
        better = self.strengths[pair[0]] > self.strengths[pair[1]]
        return bool(better if rng.random() < reliability else not better)


def _mean(asked: list[tuple[int, bool]]) -> str:
    unsure = sum(votes == MOST for votes, _ in asked)
    return f"mean {np.mean([votes for votes, _ in asked]):.1f}" + (
        f"; {unsure} not sure after {MOST}" if unsure else ""
    )


def _ratio(name: str, active: list[int], random: list[int]) -> Figure:
    """The votes of all tasks together, with a bootstrap interval over the tasks."""
    rng, both = np.random.default_rng(0), np.array([active, random], dtype=float)
    drawn = both[:, rng.integers(0, len(active), size=(10_000, len(active)))].sum(axis=2)
    low, high = np.quantile(drawn[0] / drawn[1], [0.025, 0.975])
    value = both[0].sum() / both[1].sum()
    return Figure(name=f"{name}: votes over those of random order", value=value, unit="", low=low, high=high)
