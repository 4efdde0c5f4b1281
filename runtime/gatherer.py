"""Requests that come close together go out as one: for servers that take several at once. Models of this process have a `Batcher`.

Invariants: a group is closed when it is full, or `linger` seconds after its first item (its last, where it waits for quiet); any
number of groups may be under way; an exception of `run` reaches the callers of that group and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
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
        most: the most items of one group.
        linger: how long the first item of a group waits for company, in seconds.
        quiet: whether that time begins anew with each item.
        room: the most that the items of one group come to together, by `size`. A larger item goes alone.
    """

    def __init__(
        self,
        run: Callable[[list[ItemT]], Awaitable[Sequence[OutT | Exception]]],
        *,
        most: int,
        linger: float,
        quiet: bool = False,
        room: float = math.inf,
        size: Callable[[ItemT], float] = lambda item: 0,
    ) -> None:
        if linger < 0 or most < 1:
            raise BadInput(f"most={most!r}, linger={linger!r}: give 1 item or more, and 0 seconds or more.")
        self._run, self._most, self._linger, self._quiet, self._room, self._size = run, most, linger, quiet, room, size
        self._open: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Group[ItemT, OutT]] = (
            weakref.WeakKeyDictionary()
        )
        self._under_way: set[asyncio.Task[None]] = set()

    async def submit(self, item: ItemT) -> OutT:
        """The output for one item, from whatever group it ends up in."""
        loop, size = asyncio.get_running_loop(), self._size(item)
        group = self._open.get(loop)
        if group is not None and group.size + size > self._room:
            self._close(group)
            group = None
        if group is None:
            group = self._open[loop] = _Group()
        if group.timer is None or self._quiet:
            if group.timer is not None:
                group.timer.cancel()
            group.timer = loop.call_later(self._linger, self._close, group)
        future: asyncio.Future[OutT] = loop.create_future()
        group.items.append(item)
        group.futures.append(future)
        group.size += size
        if len(group.items) >= self._most:
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
        self.size = 0.0
        self.timer: asyncio.TimerHandle | None = None
