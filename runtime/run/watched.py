"""A run as it can be seen from outside while it works: spans, metrics, and the pulse of this process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from .. import telemetry
from ..errors import BadInput, CallFailed
from ..folder import RunFolder
from ..settings import Settings
from ..store import Pulses, Store

__all__ = ["watched"]

TaskT = TypeVar("TaskT")
Work = Callable[[Any, str, Any], Awaitable[TaskT | None]]


class _Counts:
    """How many tasks this process has brought to an end."""

    def __init__(self, loop: str, tasks: int, store: Store, instruments: telemetry.Instruments | None) -> None:
        self._loop, self._tasks, self._store, self._instruments = loop, tasks, store, instruments
        self._ended = {"done": 0, "failed": 0}

    def counted(self, work: Work[TaskT]) -> Work[TaskT]:
        """The work on a task, counted when it ends."""

        async def counted(context: Any, id: str, input: Any) -> TaskT | None:
            try:
                task = await work(context, id, input)
            except (BadInput, CallFailed) as error:
                if not (isinstance(error, CallFailed) and error.retryable):
                    self._count("failed")
                raise
            if task is not None:
                self._count("done")
            return task

        return counted

    def pulse(self) -> telemetry.Pulse:
        """How this process is doing now."""
        calls = self._store.ledger.counts()
        return telemetry.Pulse(
            at=time.monotonic(), loop=self._loop, tasks=self._tasks, **self._ended,
            paid={kind: numbers["paid"] for kind, numbers in calls.items()},
            reused={kind: numbers["reused"] for kind, numbers in calls.items()},
            cost=self._store.ledger.cost, queues=telemetry.gauges(),
        )  # fmt: skip

    def _count(self, how: str) -> None:
        self._ended[how] += 1
        if self._instruments is not None:
            self._instruments.task(self._loop, how)


@contextlib.contextmanager
def watched(
    loop: str, work: Work[TaskT], *, folder: RunFolder, settings: Settings, store: Store, tasks: int, name: str
) -> Iterator[Work[TaskT]]:
    """The work on a task, seen from outside for as long as this lasts. `name`: what this process calls itself.

    Raises:
        BadInput, PrerequisiteError: spans or metrics cannot go where the settings want them.
    """
    with contextlib.ExitStack() as stack:
        if settings.spans:
            stack.enter_context(telemetry.written(folder.spans_path))
        instruments = stack.enter_context(telemetry.measured(settings.metrics, settings.runs_dir))
        if instruments is not None:
            store.ledger.listen(instruments.call)
        counts = _Counts(loop, tasks, store, instruments)
        stack.enter_context(Pulses(store.location.tables("pulses"), run=folder.id, name=name, pulse=counts.pulse))
        stack.enter_context(telemetry.span("invoke_workflow", workflow=loop, conversation_id=folder.id))
        yield counts.counted(work)
