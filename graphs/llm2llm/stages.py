"""What each stage of an arm costs: the language model calls that it makes, and its seconds."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...runtime.records import Cost
from ...runtime.store import Ledger
from .result import Spent

__all__ = ["Stages"]

_costs: contextvars.ContextVar[list[Cost] | None] = contextvars.ContextVar("costs", default=None)


class Stages:
    """Books what language model calls cost on the stage that makes them; a reused reply counts with what it cost once.

    So the sums of a run that was killed are those of one that was not, but for the seconds.
    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        if ledger is not None:
            ledger.listen(lambda call, cost, cached: self.book(cost) if call.kind == "llm" else None)

    @staticmethod
    def book(cost: Cost) -> None:
        """Add a call to the stage under way; outside of any it is not counted."""
        costs = _costs.get()
        if costs is not None:
            costs.append(cost)

    @contextmanager
    def stage(self, name: str, before: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """`before` (stages in JSON) with what the body costs added to stage `name`, when the body is done."""
        costs: list[Cost] = []
        token, started, after = _costs.set(costs), time.monotonic(), dict(before)
        try:
            yield after
        finally:
            _costs.reset(token)
            spent = Spent.of(sum(costs, Cost()), time.monotonic() - started)
            after[name] = (Spent.model_validate(before.get(name, {})) + spent).model_dump(mode="json")
