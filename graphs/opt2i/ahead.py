"""Work that is begun before the step that needs it: pictures of a candidate while the reply is still being written, judging beside painting.

Nothing of it is in the state: a step takes up what was begun in this process, or does it itself. So a run that is killed and resumed does the
same work, and the call ledger knows what of it was paid for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Any, Self

__all__ = ["Ahead"]

Work = Callable[[], Awaitable[Any]]


class Ahead:
    """What one search has begun, by key. Use it as `async with Ahead() as ahead:`; what nobody took up is cancelled at the end."""

    def __init__(self) -> None:
        self._begun: dict[Hashable, asyncio.Task[Any]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        left = list(self._begun.values())
        self._begun.clear()
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)  # failures that nobody asked for are nobody's

    def begin(self, key: Hashable, work: Work) -> asyncio.Task[Any]:
        """The work of `key`, under way from now on; one that failed is begun anew."""
        task = self._begun.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._begun[key] = asyncio.ensure_future(_awaited(work))
        return task

    def has(self, key: Hashable) -> bool:
        """Whether it was begun, and not taken up."""
        return key in self._begun

    def forget(self, key: Hashable) -> None:
        """Let go of what has been taken up by others."""
        self._begun.pop(key, None)

    async def take(self, key: Hashable, work: Work) -> Any:
        """What came of it; begun now where it was not. A failure is raised, and can be tried again."""
        value = await asyncio.shield(self.begin(key, work))
        self._begun.pop(key, None)
        return value


async def _awaited(work: Work) -> Any:
    return await work()
