"""Requests that come close together go out as one: for servers that take several at once. Models of this process have a `Batcher`.

Invariants: a group is closed when it is full, or `linger` seconds after its first item; any number of groups may be under way; an exception of `run` reaches
the callers of that group and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from .errors import BadInput, RunnerError

__all__ = ["Gatherer"]

ItemT = TypeVar("ItemT")
OutT = TypeVar("OutT")


class Gatherer(Generic[ItemT, OutT]):
    """Joins items for `run`, in each event loop for itself.

    Args:
        run: maps a list of items to a list of outputs, same length and order; an output that is an exception is raised for its item.
        most: the most items of one group, or what says of a group whether it is full.
        linger: how long the first item of a group waits for company, in seconds.
    """

    def __init__(
        self,
        run: Callable[[list[ItemT]], Awaitable[Sequence[OutT | Exception]]],
        *,
        most: int | Callable[[Sequence[ItemT]], bool],
        linger: float,
    ) -> None:
        if linger < 0 or (isinstance(most, int) and most < 1):
            raise BadInput(f"most={most!r}, linger={linger!r}: give 1 item or more, and 0 seconds or more.")
        self._run, self._linger = run, linger
        self._is_full = most if callable(most) else lambda items: len(items) >= most
        self._open: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Group[ItemT, OutT]] = (
            weakref.WeakKeyDictionary()
        )
        self._under_way: set[asyncio.Task[None]] = set()

    async def submit(self, item: ItemT) -> OutT:
        """The output for one item, from whatever group it ends up in."""
        loop = asyncio.get_running_loop()
        group = self._open.get(loop)
        if group is None:
            group = self._open[loop] = _Group()
            group.timer = loop.call_later(self._linger, self._close, group)
        future: asyncio.Future[OutT] = loop.create_future()
        group.items.append(item)
        group.futures.append(future)
        if self._is_full(group.items):
            self._close(group)
        return await future

    async def aclose(self) -> None:
        """Serve what waits in the running event loop."""
        if group := self._open.get(asyncio.get_running_loop()):
            self._close(group)
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _close(self, group: _Group[ItemT, OutT]) -> None:
        loop = asyncio.get_running_loop()
        if self._open.get(loop) is not group:
            return
        del self._open[loop]
        if group.timer is not None:
            group.timer.cancel()
        task = loop.create_task(self._serve(group))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _serve(self, group: _Group[ItemT, OutT]) -> None:
        # a caller that was cancelled while it waited is not asked for
        wanted = [(item, future) for item, future in zip(group.items, group.futures, strict=True) if not future.done()]
        if not wanted:
            return
        try:
            outputs = await self._run([item for item, _ in wanted])
            if len(outputs) != len(wanted):
                raise RunnerError(f"{len(outputs)} outputs were given for {len(wanted)} items.")
        except BaseException as error:
            for _, future in wanted:
                with contextlib.suppress(asyncio.InvalidStateError):
                    future.cancel() if isinstance(error, asyncio.CancelledError) else future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), output in zip(wanted, outputs, strict=True):
            if future.done():
                continue
            if isinstance(output, Exception):
                future.set_exception(output)
            else:
                future.set_result(output)


class _Group(Generic[ItemT, OutT]):
    def __init__(self) -> None:
        self.items: list[ItemT] = []
        self.futures: list[asyncio.Future[OutT]] = []
        self.timer: asyncio.TimerHandle | None = None
