"""What the runs of all loops have in common: their time and calls over several processes, and work that ends together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ..budget import Budget
from ..store import Store

__all__ = ["calls_of", "charged_budget", "worked"]


def worked(events: Sequence[Mapping[str, Any]]) -> float:
    """The seconds that the earlier processes of a run were at work."""
    pairs = itertools.pairwise(events)
    return sum(
        float(after["at"]) - float(before["at"]) for before, after in pairs if after.get("event") != "run_started"
    )


def charged_budget(limits: str, store: Store, *, elapsed: float = 0.0) -> Budget:
    """The budget of a run that was at work for `elapsed` seconds before: each call is charged once, paid now or reused."""
    budget = Budget.parse(limits, spent=store.ledger.consumed(), elapsed=elapsed)
    store.ledger.listen(lambda call, cost, cached: budget.charge(cost), once_a_run=True)
    return budget


def calls_of(store: Store) -> dict[str, dict[str, int]]:
    """By kind: what all processes of the run paid, and what this one reused."""
    mine, run = store.ledger.counts(), store.ledger.run_counts()
    paid = {kind: run.get(kind, {}).get("paid", 0) for kind in sorted({*mine, *run})}
    return {kind: {"paid": number, "reused": mine.get(kind, {}).get("reused", 0)} for kind, number in paid.items()}
