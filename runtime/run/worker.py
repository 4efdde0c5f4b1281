"""A process at work on a run: what it holds, where its events go, and which tasks are its own.

`SoleWorker` has the run for itself: all tasks are its own, and what becomes of them stays in memory. `shared_worker.SharedWorker` is one of several.
Everything else about carrying a run is the same for both, and stands in `loop.carry`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ..session import Event, Mapped, ModelsOpened, RunStarted, WorkedTime, calls_of

if TYPE_CHECKING:
    from ..folder import RunFolder, RunResult
    from ..session import Session
    from ..store import Claims, Store

__all__ = ["Listener", "SoleWorker", "Worker", "silent"]

InputT = TypeVar("InputT")
TaskT = TypeVar("TaskT")
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """Hears nothing."""
    return None


class Worker(Protocol):
    """What the carriage asks of a process at work on a run, inside of which it is entered."""

    claims: Claims | None
    """What it claims model calls by; None: nobody else is there to pay for the same ones."""
    name: str
    """What it calls itself."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def tell(self, event: Event) -> None:
        """Take an event, from any thread."""

    async def start(self, loop: str, tasks: int) -> None:
        """Tell that this process is at work on the run."""

    async def opened(self, models: Mapping[str, dict[str, str]]) -> None:
        """Tell of the opened models; `PrerequisiteError` where those of the run are others."""

    @property
    def seconds(self) -> float:
        """For how long the run was at work by now, over all its processes."""

    async def work_off(
        self,
        inputs: Mapping[str, InputT],
        work: Callable[[str, InputT], Awaitable[TaskT | None]],
        *,
        session: Session,
        in_flight: int,
    ) -> Mapped[TaskT]:
        """What became of all tasks of the run, whoever worked on them."""

    async def finished(self) -> str | None:
        """The result as JSON, where the run needs no work any more."""

    async def result(self) -> str | None:
        """The result as JSON, where there is one; None where it is for this process to make it."""

    async def conclude(self, result: RunResult[Any]) -> None:
        """Keep the result."""

    def notes(self, session: Session) -> tuple[str, ...]:
        """What a reader of the result must know, of all processes."""

    def calls(self, store: Store) -> dict[str, dict[str, int]]:
        """By kind, the calls that were paid and reused."""


class SoleWorker:
    """The one process of a run in its folder; its events go to `listen` at once."""

    claims: Claims | None = None

    def __init__(self, folder: RunFolder, *, listen: Listener = silent, resumed: bool = False) -> None:
        self.name = f"process {os.getpid()}"
        self._folder, self._listen, self._resumed = folder, listen, resumed
        self._stack = ExitStack()
        self._begun, self._before = time.monotonic(), 0.0

    async def __aenter__(self) -> Self:
        self._stack.enter_context(self._folder.lock())
        self._before = WorkedTime.of(self._folder.events())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stack.close()

    def tell(self, event: Event) -> None:
        """Into the run's folder, and to the listener."""
        self._folder.event(event.model_dump(mode="json"))
        self._listen(event)

    async def start(self, loop: str, tasks: int) -> None:
        """Tell that the run was taken up."""
        self.tell(RunStarted(run_id=self._folder.id, loop=loop, tasks=tasks, resumed=self._resumed))

    async def opened(self, models: Mapping[str, dict[str, str]]) -> None:
        """Tell of them."""
        self.tell(ModelsOpened(models=dict(models)))

    @property
    def seconds(self) -> float:
        """Of the processes before, and of this one."""
        return self._before + time.monotonic() - self._begun

    async def work_off(
        self,
        inputs: Mapping[str, InputT],
        work: Callable[[str, InputT], Awaitable[TaskT | None]],
        *,
        session: Session,
        in_flight: int,
    ) -> Mapped[TaskT]:
        """All of them, here."""
        return await session.map(inputs, work, in_flight=in_flight)

    async def finished(self) -> str | None:
        """None: whatever is in the checkpoints and the ledger is looked at again."""
        return None

    async def result(self) -> str | None:
        """None: it is made anew, from what is in the checkpoints and the ledger."""
        return None

    async def conclude(self, result: RunResult[Any]) -> None:
        """Into the folder."""
        self._folder.write_result(result)

    def notes(self, session: Session) -> tuple[str, ...]:
        """Of the session."""
        return session.all_notes()

    def calls(self, store: Store) -> dict[str, dict[str, int]]:
        """What all processes paid, and what this one reused."""
        return calls_of(store)
