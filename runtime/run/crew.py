"""The workers of a shared run, whoever started them: followed to the result, and told of when one dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import BadInput, InloopError, Interrupted, PrerequisiteError
from ..folder import ENGINE, RunFolder
from ..machine import drained_by_signals
from ..session import Questions, Warned
from ..store import StoreLocation
from .following import Following
from .review_desk import ReviewDesk
from .shared import SharedRun

if TYPE_CHECKING:
    from ..folder import RunResult
    from ..session import RunConfig
    from ..settings import Settings
    from .engine import SharedLoop
    from .worker import Listener

__all__ = ["Member", "carried_by_workers"]

_POLL = 0.2  # seconds
_PATIENCE = 10.0  # seconds in which workers may end by themselves once there is a result


class Member(Protocol):
    """One worker, as whoever started it knows it."""

    name: str

    @property
    def log(self) -> object:
        """Where its messages are, in words."""

    @property
    def code(self) -> int | None:
        """Its exit code; None while it works."""

    def how(self) -> str:
        """How it ended, in words."""

    def error(self) -> InloopError | None:
        """What it said of its failure."""

    def ask_to_stop(self) -> None:
        """Have it stop after its step."""

    def end(self) -> None:
        """Let go of it; it leaves by itself."""


async def carried_by_workers(
    start: Callable[[], Sequence[Member]],
    loop: SharedLoop,
    config: RunConfig,
    *,
    folder: RunFolder,
    settings: Settings,
    on_event: Listener,
    history: Listener,
    parts: Mapping[str, Any],
) -> RunResult[Any]:
    """Begin the run of a folder for workers, `start` these, and follow them until there is a result.

    Raises:
        BadInput: an object of this process is among the `parts`, other than a `reviewer`: a person is asked here what any worker asks.
        InloopError: what all workers failed with.
    """
    parts = dict(parts)
    reviewer = parts.pop("reviewer", None)
    if settings.metrics.startswith("prometheus"):
        raise BadInput(
            f"metrics = {settings.metrics}: one port cannot be that of all workers of engine {settings.engine}: send metrics with INLOOP_METRICS=otlp."
        )
    if parts:
        raise BadInput(
            f"engine {settings.engine}: {sorted(parts)[0]} is an object of this process, which others do not have: name it as module:object, or leave"
            " the engine out."
        )
    loop.begin_shared(config, folder, settings)
    store = StoreLocation.named_by(settings)
    run = SharedRun(store, folder.id, worker=ENGINE)
    desk = ReviewDesk(Questions(store, folder.id), reviewer) if reviewer is not None else None
    members: Sequence[Member] = ()
    following = Following(run)
    try:
        await following.hear(history)
        members = start()
        return loop.read_result(await _Crew(members, following, desk).result(on_event), settings)
    finally:
        run.close()
        for member in members:
            member.end()
        if desk is not None:
            await desk.close()


class _Crew:
    """The workers of one run, followed to the result."""

    def __init__(self, workers: Sequence[Member], following: Following, desk: ReviewDesk | None) -> None:
        self._workers, self._following, self._desk, self._stopped = workers, following, desk, ""

    def request_drain(self, reason: str) -> None:
        """Ask all of them to stop after their step."""
        self._stopped = reason
        for worker in self._workers:
            worker.ask_to_stop()

    async def result(self, listen: Listener) -> str:
        run, told = self._following.run, set[str]()
        with drained_by_signals(self):
            while True:
                working = [worker for worker in self._workers if worker.code is None]
                await self._following.hear(listen)
                if not working or (await self._following.ask(run.result)) is not None:
                    break
                for worker in self._workers:
                    if worker.code not in (None, 0) and worker.name not in told and not self._stopped:
                        told.add(worker.name)
                        run.tell(Warned(text=_lost(worker, alone=not working)).model_dump(mode="json"))
                if self._desk is not None and not self._stopped:
                    await self._desk.look()
                await asyncio.sleep(_POLL)
        text = await self._following.ask(run.result)
        if text is None:
            raise self._why()
        for _ in range(int(_PATIENCE / _POLL)):
            if all(worker.code is not None for worker in self._workers):
                break
            await asyncio.sleep(_POLL)
        await self._following.hear(listen)
        return text

    def _why(self) -> InloopError:
        if self._stopped:
            return Interrupted(f"stopped by {self._stopped}; nothing that was finished is lost")
        for worker in self._workers:
            if (error := worker.error()) is not None:
                return error
        last = self._workers[-1]
        return PrerequisiteError(
            f"all {len(self._workers)} workers ended without a result: {last.name} {last.how()}",
            remedy=f"see {last.log}, then go on with the run.",
        )


def _lost(worker: Member, *, alone: bool) -> str:
    """What to say of a worker that is gone, and why it is."""
    error = worker.error()
    why = "" if error is None else f" ({str(error).splitlines()[0]})"
    rest = "no other is at work" if alone else "the others go on with its tasks"
    return f"worker {worker.name} {worker.how()}{why}: {rest}"
