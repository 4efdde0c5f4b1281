"""Of searches that have nothing to gain, how many claim a gain: by rules in use, and by evidence that may be looked at at any time.

Every candidate of a search is as good as the user's prompt, and every score is noise: the DSG of a picture with five questions. A
search has 30 rounds of 5 candidates on 4 seeds, and each rule may look after every round. Beside it the share of searches that find a
gain which is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from inloop.evaluators.stats import verdict_of
from inloop.graphs.opt2i.proof import Proof
from inloop.graphs.opt2i.result import Look

from .figures import Figure, Options

ROUNDS, CANDIDATES, SEEDS, QUESTIONS = 30, 5, 4, 5
HELD_OUT, RIGHT = 8, 0.6
SEARCHES, WITH_GAIN, GAIN = 10_000, 1_000, 0.2
EARLY, LATE = (Proof(tuple(range(64)), early=early) for early in (True, False))


def measure(options: Options) -> list[Figure]:
    """The share of searches that claim a gain, by rule, where there is none and where there is one."""
    figures = []
    for gain, count, what in (
        (0.0, SEARCHES, "false gains"),
        (GAIN, WITH_GAIN, f"gains of {100 * GAIN:.0f} points found"),
    ):
        found = [_Search(np.random.default_rng([number, round(100 * gain)]), gain) for number in range(count)]
        figures += [
            Figure.share(f"{what}: {rule}", [claims(search) for search in found]) for rule, claims in _RULES.items()
        ]
        seeds = [look.seeds for search in found if (look := search.early)]
        figures.append(Figure.of(f"{what}: seeds of the last text that the proof looked at", seeds, ""))
    return figures


class _Search:
    """One search over scores of chance; what each rule needs of it."""

    def __init__(self, rng: Any, gain: float) -> None:
        def scores(count: int, more: float = gain) -> Any:
            return rng.binomial(QUESTIONS, RIGHT + more, size=count) / QUESTIONS

        best_sum, user = scores(SEEDS, 0.0).sum(), scores(len(EARLY.seeds), 0.0)
        self.improved = self.tested = False
        self.early: Look | None = None
        gains: Any = None
        best = 0
        for number in range(1, ROUNDS + 1):
            top = max(scores(SEEDS).sum() for _ in range(CANDIDATES))
            if top > best_sum:
                self.improved, best_sum, best = True, top, number
                gains = scores(len(EARLY.seeds)) - user
            if not best:
                continue
            self.tested |= _is_large(gains[: HELD_OUT + 4 * (number - best)])
            if not (self.early and (self.early.proven or EARLY.done(str(best), self.early))):
                self.early = _looked(EARLY, str(best), self.early, gains)
        last = scores(len(LATE.seeds)) - scores(len(LATE.seeds), 0.0)
        self.held_out = last[:HELD_OUT] if best else np.zeros(HELD_OUT)
        self.late: Look | None = None
        while best and not LATE.done("best", self.late):
            self.late = _looked(LATE, "best", self.late, last)


def _looked(proof: Proof, text: str, before: Look | None, gains: Any) -> Look:
    return proof.look(text, before, list(gains[: len(proof.next_seeds(text, before))]))


def _is_large(gains: Any) -> bool:
    """A one-sided test at 2.5 %, as if nobody had looked before."""
    scale = float(np.sqrt((gains**2).sum()))
    return bool(scale and gains.sum() / scale > 1.96)


_RULES: dict[str, Callable[[_Search], bool]] = {
    "the sum strictly improves on the seeds that are optimised on": lambda search: search.improved,
    "the mean is higher on 8 unseen seeds": lambda search: bool(search.held_out.mean() > 0),
    "a test on unseen seeds after every round": lambda search: search.tested,
    "one test on 8 unseen seeds at the end": lambda search: verdict_of(list(search.held_out)) == "gain",
    "--prove 64": lambda search: bool(search.late and search.late.proven),
    "--prove 64 --until proven": lambda search: bool(search.early and search.early.proven),
}
