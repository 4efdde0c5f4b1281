"""What the runs of all loops have in common: their time and calls over several processes, and work that ends together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..budget import Budget
from ..store import Store

__all__ = ["WorkedTime", "calls_of", "charged_budget"]


class WorkedTime:
    """For how many `seconds` a run was at work, by its events: the time between two of them, unless the second is a new start."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last: float | None = None

    @classmethod
    def of(cls, events: Iterable[Mapping[str, Any]]) -> float:
        """The seconds of all these events."""
        time = cls()
        for event in events:
            time.see(event)
        return time.seconds

    def see(self, event: Mapping[str, Any]) -> None:
        """Take in the next event."""
        at = float(event["at"])
        if self._last is not None and event.get("event") != "run_started":
            self.seconds += at - self._last
        self._last = at


def charged_budget(limits: str, store: Store, *, elapsed: float = 0.0, shared: bool = False) -> Budget:
    """The budget of a run that was at work for `elapsed` seconds before: each call is charged once, paid now or reused.

    `shared`: what other processes spend meanwhile is looked at, too.
    """
    budget = Budget.parse(limits, elapsed=elapsed)
    store.ledger.charge(budget.charge)
    if shared and budget.limits:
        budget.catch_up = store.ledger.catch_up
    return budget


def calls_of(store: Store) -> dict[str, dict[str, int]]:
    """By kind: what all processes of the run paid, and what this one reused."""
    mine, run = store.ledger.counts(), store.ledger.run_counts()
    paid = {kind: run.get(kind, {}).get("paid", 0) for kind in sorted({*mine, *run})}
    return {kind: {"paid": number, "reused": mine.get(kind, {}).get("reused", 0)} for kind, number in paid.items()}
