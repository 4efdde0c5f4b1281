"""One of several processes at work on a run: it takes the next free task by a claim, until all of them have come to an end.

What the workers share stands in the store's database (`shared`, `store.claims`); a run's folder is the view of it for a person, and may be on one
machine or on each. One worker a folder is its scribe, which writes down what all of them tell; one, at the end, makes the result. Both are claims as
well, so that a dead one is followed by another.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import TypeAdapter

from ..errors import BadInput, CallFailed, Interrupted, PrerequisiteError
from ..folder import RunFolder, RunResult
from ..machine import drained_by_signals
from ..session import (
    Event,
    Mapped,
    ModelsOpened,
    RunStarted,
    Session,
    WorkerJoined,
    WorkerLeft,
    drained,
    ending,
    mapped,
    outcome_of,
)
from ..storage import network_file_system
from ..store import Claims, Store, StoreLocation
from .following import Following
from .shared import Ended, SharedRun
from .worker import Listener, silent

__all__ = ["SharedWorker"]

InputT = TypeVar("InputT")
TaskT = TypeVar("TaskT")
_POLL = 0.2  # seconds
_JOINING = 60.0  # seconds in which other workers are waited for with their share
_LEAVING = 5.0  # seconds in which a living scribe may come to write
_FAILURES = {kind.__name__: kind for kind in (BadInput, CallFailed)}


class SharedWorker:
    """A worker on the run of a folder.

    Args:
        folder: the run's folder on this machine.
        store: what the workers share.
        record: the type of the loop's tasks.
        inputs: by name, what tells the bytes of each file that the run reads here.
        listen: hears the events of all workers from now on; `history` those before.
        name: what it calls itself.
        start: where among the tasks it begins to look for a free one, 0 to 1.
        of: how many workers there will be: so long as they may still be on their way this one leaves them their share.
        alone: refuses to be one of several.
        here: the others are on this machine, too, so that SQLite on a network file system will do.
    """

    def __init__(
        self,
        folder: RunFolder,
        store: StoreLocation,
        *,
        record: type[Any],
        inputs: Mapping[str, str],
        listen: Listener = silent,
        history: Listener = silent,
        name: str = "",
        start: float = 0.0,
        of: int = 1,
        alone: bool = False,
        here: bool = False,
    ) -> None:
        self.concluded = False
        """Whether this worker made the result."""
        self._store, self._here = store, here or alone
        self._folder, self._inputs, self._alone, self._start = folder, dict(inputs), alone, start
        self._awaited, self._awaited_until = of, time.monotonic() + _JOINING
        self._records = TypeAdapter(record)
        self._history, self._listen = history, listen
        self._claims = Claims(store.tables("claims"), name=name, lost=self._lost)
        self.claims = None if alone else self._claims
        self.name = self._claims.owner.name
        self._run = SharedRun(store, folder.id, worker=self.name)
        self._stack = ExitStack()
        self._following = Following(self._run)
        self._stopped = ""
        self._written: int | None = None
        self._noted: set[str] = set()
        self._notes: list[str] = []
        self._working: set[str] = set()
        self._started, self._first, self._finished = False, False, 0
        self._error: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        try:
            self._stack.callback(self._run.close)
            self._check_place()
            self._stack.enter_context(self._folder.lock(shared=not self._alone))
            await self._following.ask(lambda: self._run.begin(self._folder.head, self._inputs))
            self._check_inputs(await self._following.ask(self._run.inputs))
            self._stack.enter_context(self._claims)
            await self._following.hear(self._history)
        except BaseException:
            self._stack.close()
            raise
        self._follows = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._follows.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._follows
        try:
            if not self._claims.lost and self._error is None:
                if self._started:
                    left = WorkerLeft(name=self.name, tasks=self._finished).model_dump(mode="json")
                    await asyncio.wrap_future(self._run.tell(left))
                await self._following.hear(self._listen)
                await self._write_down_the_rest()
        finally:
            await asyncio.to_thread(self._stack.close)
        if self._error is not None and isinstance(error, asyncio.CancelledError):
            raise self._error from None

    def tell(self, event: Event) -> None:
        """To all workers, this one's listener among them."""
        self._run.tell(event.model_dump(mode="json"))

    async def start(self, loop: str, tasks: int) -> None:
        """Tell that this process is at work on the run. The first one there tries again what failed before."""
        run, starting = self._folder.id, f"start of {self._folder.id}"
        while not await self._claims.take(starting):  # one after the other, so that one of them is the first
            await asyncio.sleep(_POLL / 10)
        self._first = not await self._claims.at_work(run)
        await self._claims.join(run)
        if self._first:
            await self._following.ask(self._run.forget_failures)
            self.tell(RunStarted(run_id=run, loop=loop, tasks=tasks, resumed=self._following.begun))
        else:
            self.tell(WorkerJoined(name=self.name))
        await self._claims.release(starting)
        self._started = True

    async def opened(self, models: Mapping[str, dict[str, str]]) -> None:
        """Compare the models with those of the other workers; the first one at work tells of them."""
        theirs, first = await self._following.ask(lambda: self._run.models(models))
        if first or self._first:
            self.tell(ModelsOpened(models=dict(models)))
        for role, model in models.items():
            other = theirs.get(role, model)
            if other != model:
                raise PrerequisiteError(
                    f"the run {self._folder.id!r} is worked on with {role} {other['id']} of revision {other['revision']}, and this process has"
                    f" {model['id']} of revision {model['revision']}",
                    remedy="give all workers the same models, by the same names and of the same versions.",
                )

    @property
    def seconds(self) -> float:
        """While at least one worker was at work."""
        return self._following.time.seconds

    async def work_off(
        self,
        inputs: Mapping[str, InputT],
        work: Callable[[str, InputT], Awaitable[TaskT | None]],
        *,
        session: Session,
        in_flight: int,
    ) -> Mapped[TaskT]:
        """Those that this worker can claim; then what became of all."""

        async def one(id: str, item: InputT) -> None:
            try:
                outcome = await outcome_of(id, item, work)
                event = ending(id, outcome)
                told = None if event is None else event.model_dump(mode="json")
                await session.store.ledger.booked()  # whoever makes the result counts what this task used
                await asyncio.wrap_future(self._run.end(self._ended(id, outcome, session), told))
                self._finished += 1
            finally:
                self._working.discard(id)
                await self._claims.release(self._claim(id))

        with drained_by_signals(self):
            await drained(self._free(inputs), one, in_flight=in_flight)
        outcomes: dict[str, Any] = {}
        for ended in await self._following.ask(self._run.outcomes):
            outcomes[ended.task] = self._read(ended)
            self._notes += ended.notes
        return mapped(inputs, outcomes)

    async def finished(self) -> str | None:
        """The result, where it is there already."""
        text = await self._following.ask(self._run.result)
        if text is not None:
            self._folder.keep_result(text)
        return text

    async def result(self) -> str | None:
        """The one that another worker made, as soon as it is there; None where it is for this one to make it."""
        while True:
            if (text := await self.finished()) is not None:
                return text
            if await self._claims.take(f"end of {self._folder.id}"):
                if await self._following.ask(self._run.result) is None:
                    await self._following.hear(self._listen)
                    return None
            else:
                await asyncio.sleep(_POLL)

    async def conclude(self, result: RunResult[Any]) -> None:
        """Into the database, and into the folder."""
        await self._following.ask(lambda: self._run.write_result(result.model_dump_json()))
        self._folder.write_result(result)
        self.concluded = True

    def notes(self, session: Session) -> tuple[str, ...]:
        """Of the session, and what other workers had to say."""
        return tuple(dict.fromkeys([*session.all_notes(), *self._notes]))

    def calls(self, store: Store) -> dict[str, dict[str, int]]:
        """What all workers paid and reused."""
        return store.ledger.run_counts()

    async def _free(self, inputs: Mapping[str, InputT]) -> AsyncIterator[tuple[str, InputT]]:
        """The tasks that nobody else has, claimed, until all have come to an end. A worker takes no more than its share of what is left."""
        waiting = deque(inputs)
        waiting.rotate(-int(self._start * len(inputs)))
        ended: set[str] = set()
        newest = 0
        while True:
            for number, task in await self._following.ask(partial(self._run.ended, newest)):
                ended.add(task)
                newest = number
            if len(ended) >= len(inputs):
                return
            if self._stopped and not self._working:
                raise Interrupted(f"stopped by {self._stopped}; nothing that was finished is lost")
            workers = len(await self._claims.at_work(self._folder.id)) if self._working else 1
            if self._working and time.monotonic() < self._awaited_until:
                workers = max(workers, self._awaited)
            room = not self._stopped and len(self._working) * workers < len(inputs) - len(ended)
            if room and (id := await self._next(waiting, ended)):
                self._working.add(id)
                yield id, inputs[id]
            else:
                await asyncio.sleep(_POLL)

    async def _next(self, waiting: deque[str], ended: set[str]) -> str | None:
        """The next task that can be claimed; what others have is looked at again later."""
        for _ in range(len(waiting)):
            id = waiting.popleft()
            if id in ended:
                continue
            if id in self._working or not await self._claims.take(self._claim(id)):
                waiting.append(id)
            elif await self._following.ask(partial(self._run.has_ended, id)):
                await self._claims.release(self._claim(id))
            else:
                waiting.append(id)
                return id
        return None

    def _claim(self, task: str) -> str:
        return f"task {task} of {self._folder.id}"

    def _ended(self, id: str, outcome: Any, session: Session) -> Ended:
        notes = tuple(note for note in session.all_notes() if note not in self._noted)
        self._noted.update(notes)
        if outcome is None:
            return Ended(id, "left_out", notes=notes)
        if isinstance(outcome, Exception):
            return Ended(id, "failed", f"{type(outcome).__name__} {outcome}", notes)
        return Ended(id, "done", outcome.model_dump_json(), notes)

    def _read(self, ended: Ended) -> Any:
        if ended.outcome == "left_out":
            return None
        if ended.outcome == "failed":
            kind, _, text = ended.value.partition(" ")
            return _FAILURES.get(kind, CallFailed)(text)
        return self._records.validate_json(ended.value)

    def _check_place(self) -> None:
        database = self._store.database
        if not self._here and isinstance(database, Path) and (kind := network_file_system(database)):
            raise PrerequisiteError(
                f"the store {str(database)!r} is on a network file system ({kind}), over which SQLite's files cannot be shared by several machines",
                remedy="keep what is shared in PostgreSQL (--store postgresql://user@host/db, --blobs where all machines see them); where all workers are"
                " on this machine: --here.",
            )

    def _check_inputs(self, theirs: Mapping[str, str]) -> None:
        for name in theirs.keys() | self._inputs.keys():
            if theirs.get(name) != self._inputs.get(name):
                raise BadInput(
                    f"{name} of the run {self._folder.id!r} is not what it was when the run was begun: bring it back, or start a new run."
                )

    async def _follow(self) -> None:
        """Hear what the others tell, and write it down where nobody does for this folder."""
        try:
            while True:
                await self._following.hear(self._listen)
                await self._write_down()
                await asyncio.sleep(_POLL)
        except PrerequisiteError as error:
            self._stop(error)

    async def _write_down(self) -> bool:
        """As the scribe of the folder, if there is no other; whether everything is written."""
        if not await self._claims.take(f"scribe of {self._folder.id} in {self._folder.mark}"):
            return False
        if self._written is None:
            # by how many there are: a copy of a store numbers them anew
            self._written = await self._following.ask(partial(self._run.number_of, self._in_folder()))
        while told := await self._following.ask(lambda: self._run.events(self._written or 0)):
            self._folder.event(*({"seq": each.seq, **each.event} for each in told))
            self._written = told[-1].seq
        return True

    async def _write_down_the_rest(self) -> None:
        """See to it that the folder has everything before this worker leaves: a scribe who lives does so, one who is just leaving might not."""
        told, end = await self._following.ask(self._run.told), time.monotonic() + _LEAVING
        while not await self._write_down():
            if time.monotonic() > end or self._in_folder() >= told:
                return
            await asyncio.sleep(_POLL)

    def _in_folder(self) -> int:
        """How many events of the shared run the folder has; those of a process that had the run for itself have no number."""
        return sum("seq" in event for event in self._folder.events())

    def request_drain(self, reason: str) -> None:
        """Take no more tasks, and leave when those under way have stopped."""
        self._stopped = reason

    def _lost(self) -> None:
        error = PrerequisiteError(
            f"this worker gave no sign for a while, and its tasks of {self._folder.id!r} were given to others",
            remedy=f"start it again: {self._folder.work_command}",
        )
        self._loop.call_soon_threadsafe(self._stop, error)

    def _stop(self, error: BaseException) -> None:
        self._error = error
        if self._main is not None:
            self._main.cancel()
