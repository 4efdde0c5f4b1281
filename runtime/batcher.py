"""One queue a model: the requests of many nodes, candidates and prompts are joined into one forward pass.

Invariants: `run` is called by one thread only, never twice at once, with 1 to `max_batch` items in the order they came,
and must give one output an item. A batch is closed when it is full, when no more items come, or `linger` seconds after its
first item. An exception of `run` reaches the callers of that batch and nobody else.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from .errors import BadInput, RunnerError
from .telemetry import Gauge, watch

__all__ = ["BatchStats", "Batcher"]

ItemT = TypeVar("ItemT")
OutT = TypeVar("OutT")


@dataclass(frozen=True)
class BatchStats:
    """What a batcher did so far: `busy_seconds` is the time inside `run`, `largest` the biggest batch."""

    batches: int = 0
    items: int = 0
    busy_seconds: float = 0.0
    largest: int = 0


class Batcher(Generic[ItemT, OutT]):
    """Joins requests for `run`; its thread starts with the first request.

    Args:
        run: maps a list of items to a list of outputs, same length and order; called in the batcher's own thread.
        name: shown in errors and as the thread's name.
        max_batch: the most items of one call of `run`.
        linger: how long the first item of a batch waits for company at most, in seconds; half of it where none comes.
        waits: whether an item waits for company at all. One that does not is computed with what is in the queue already.
    """

    def __init__(
        self,
        run: Callable[[list[ItemT]], list[OutT]],
        *,
        name: str,
        max_batch: int,
        linger: float = 0.005,
        waits: Callable[[ItemT], bool] = lambda item: True,
    ) -> None:
        if max_batch < 1:
            raise BadInput(f"max_batch={max_batch!r} of the batcher {name!r}: give 1 or more.")
        if not 0 <= linger < 60:
            raise BadInput(f"linger={linger!r} of the batcher {name!r}: give seconds from 0 to below 60.")
        self.name = name
        self.max_batch = max_batch
        self.linger = linger
        self._run, self._waits = run, waits
        self._queue: queue.SimpleQueue[tuple[ItemT, Future[OutT]] | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._stats = BatchStats()
        self._serving = 0

    @property
    def stats(self) -> BatchStats:
        """The counts so far."""
        return self._stats

    def gauge(self) -> Gauge:
        """What waits and is under way now."""
        now = self._stats
        return Gauge(
            name=self.name, waiting=self._queue.qsize(), under_way=self._serving, most=self.max_batch,
            items=now.items, batches=now.batches, seconds=now.busy_seconds,
        )  # fmt: skip

    async def submit(self, item: ItemT) -> OutT:
        """The output for one item, from whatever batch it ends up in."""
        future: Future[OutT] = Future()
        with self._guard:
            if self._closed:
                raise RunnerError(f"the batcher {self.name!r} is closed and takes no more requests.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"batcher-{self.name}", daemon=True)
                self._thread.start()
                watch(self)
            self._queue.put((item, future))
        return await asyncio.wrap_future(future)

    async def aclose(self) -> None:
        """Serve what waits, take nothing more, and end the thread; may be called twice."""
        with self._guard:
            thread = self._thread
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if thread is not None:
            await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        open_ = True
        while open_:
            first = self._queue.get()
            if first is None:
                break
            batch, deadline = [first], time.monotonic() + self.linger * self._waits(first[0])
            while len(batch) < self.max_batch:
                # what one caller asks for comes at once: after a pause nobody is on the way
                left = min(deadline - time.monotonic(), self.linger / 2)
                try:
                    entry = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
                except queue.Empty:
                    break
                if entry is None:
                    open_ = False
                    break
                batch.append(entry)
            # a caller that was cancelled while it waited is not computed for
            self._serve([(item, future) for item, future in batch if future.set_running_or_notify_cancel()])

    def _serve(self, batch: list[tuple[ItemT, Future[OutT]]]) -> None:
        if not batch:
            return
        started, self._serving = time.perf_counter(), len(batch)
        try:
            outputs = self._run([item for item, _ in batch])
            if len(outputs) != len(batch):
                raise RunnerError(f"{self.name!r} gave {len(outputs)} outputs for {len(batch)} items.")
        except BaseException as error:  # also SystemExit: the callers must hear of it, the thread must live on
            for _, future in batch:
                future.set_exception(error)
            return
        finally:
            self._serving = 0
            old = self._stats
            self._stats = BatchStats(
                batches=old.batches + 1,
                items=old.items + len(batch),
                busy_seconds=old.busy_seconds + time.perf_counter() - started,
                largest=max(old.largest, len(batch)),
            )
        for (_, future), output in zip(batch, outputs, strict=True):
            future.set_result(output)
