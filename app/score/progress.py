"""How far a scoring is: pictures, their pace, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...runtime.run import Progressed, TaskDone
from ..cli import RunView, amount, seconds

if TYPE_CHECKING:
    from ...runtime.run import Event

__all__ = ["ScoreView"]

_PAUSE = 10.0
"""Seconds between two lines."""


class ScoreView(RunView):
    """The pictures of a run.

    The pace is counted from the first ones on: what it took to load the models says nothing about the rest.
    """

    quiet = (Progressed,)

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("chunks", clock=clock)
        self._first: tuple[int, float] | None = None
        self._told = float("-inf")

    def see(self, event: Event) -> list[str]:
        """Take one event in; the lines that are worth keeping."""
        match event:
            case Progressed(done=int(done), of=int(of)):
                return self._scored(done, of)
            case TaskDone():
                self.done += 1
                return []
        return super().see(event)

    def _scored(self, count: int, total: int) -> list[str]:
        now = self._clock()
        before, begun = self._first = self._first or (count, now)
        rate = (count - before) / (now - begun) if now > begun else 0.0
        pace = f", {rate:.1f} a second" if rate >= 1 else f", {rate:.1g} a second" if rate else ""
        left = f", {seconds((total - count) / rate)} left" if rate and count < total else ""
        self.latest = f"{amount(count)} of {amount(total)} pictures{pace}{left}"
        if now - self._told < _PAUSE and count < total:
            return []
        self._told = now
        return [self.latest]
