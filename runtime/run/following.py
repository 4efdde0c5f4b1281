"""A shared run as one hears of it: the events of all its workers, in one order, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ..session import WorkedTime, event_of
from .shared import SharedRun
from .worker import Listener

__all__ = ["Following"]

T = TypeVar("T")


class Following:
    """Where in the events of a run one is: the number of the last one, whether a worker began, and how long the run was at work."""

    def __init__(self, run: SharedRun) -> None:
        self.run, self.seen, self.begun, self.time = run, 0, False, WorkedTime()
        self._turn = asyncio.Lock()

    async def hear(self, listen: Listener) -> None:
        """Hand on what happened since the last time; events of a kind that this process does not know are left out."""
        async with self._turn:
            while told := await self.ask(lambda: self.run.events(self.seen)):
                for each in told:
                    self.seen = each.seq
                    self.begun |= each.event.get("event") == "run_started"
                    self.time.see(each.event)
                    if (event := event_of(each.event)) is not None:
                        listen(event)

    async def ask(self, question: Callable[[], T]) -> T:
        """What the run says, without keeping the event loop waiting."""
        return question() if self.run.quick else await asyncio.to_thread(question)
