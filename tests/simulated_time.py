"""An event loop whose clock moves on instead of waiting, for tests of what waits."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any

TICK = 0.001


class NoWaiting(selectors.BaseSelector):
    """Moves a clock on instead of waiting: a second of the simulation is the same on a fast and on a busy machine."""

    def __init__(self) -> None:
        self.now = 0.0
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return self._real.select(0)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class SimulatedTime(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while something runs."""

    def __init__(self) -> None:
        self._at = NoWaiting()
        super().__init__(self._at)

    def time(self) -> float:
        return self._at.now


def simulate(scene: Coroutine[Any, Any, None]) -> None:
    random.seed(0)
    with asyncio.Runner(loop_factory=SimulatedTime) as runner:
        runner.run(scene)
