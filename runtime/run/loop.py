"""A loop as one object, and the one function that carries any of them.

A `Loop` says what can be asked of it (`config`), what its tasks are (`inputs`), what they share (`open`), and how one of them is
worked on (`work`, which runs the loop's own state machine with `Session.finish`). Everything else is the same for all loops and
stands here: the run folder, the lock, the store, the budget, events, resuming, failures, and the result file.

    shorten = Loop(name="shorten", config=Config, result=RunResult[Task], inputs=inputs, open=Context, work=work)
    shorten(texts=("...",))                     # a script, a notebook, a thread
    await shorten.run(texts=("...",))           # inside of a running event loop
    shorten.resume("runs/shorten-...")          # after a crash
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, get_args

from ..errors import BadInput, PrerequisiteError
from ..folder import RunFolder, RunResult, Task, discarded_if_refused
from ..machine import Checkpoints
from ..session import Mapped, RunConfig, RunDone, Session, charged_budget
from ..settings import Settings
from ..storage import is_postgres
from ..store import Store, StoreLocation
from .anywhere import run
from .engine import Engine
from .engines import engine_of
from .inputs import inputs_of
from .shared import SharedRun
from .shared_worker import SharedWorker
from .watched import watched
from .worker import Listener, SoleWorker, Worker, silent

__all__ = ["Listener", "Loop", "carry"]

ConfigT = TypeVar("ConfigT", bound=RunConfig)
ContextT = TypeVar("ContextT")
InputT = TypeVar("InputT")
TaskT = TypeVar("TaskT", bound=Task)
ResultT = TypeVar("ResultT", bound=RunResult[Any])


def _nothing_more(context: Any, mapped: Mapped[Any]) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Loop(Generic[ConfigT, ContextT, InputT, TaskT, ResultT]):
    """One loop.

    Args:
        name: small letters, digits and underscores; the beginning of its run folders' names.
        config: what can be asked; its fields are the options of the Python function and the flags of the command.
        result: what is left behind; `RunResult[...]` of the loop's task record, or a sub-class with further fields.
        inputs: the tasks of a config by id, checked: raises `BadInput` before anything is opened or paid.
        open: what the tasks share, from the config and the session; may be async.
        work: works on one task to its end; None where the budget left no room for it.
        summary: further fields of the result, once the tasks have ended, and fields that it states otherwise than the carriage
            does; may be async.
        brings: what a caller can bring along as Python objects, by name, with what each must be able to do.
        checkpoints: whether tasks go on from their last step. False for many short ones: what was paid for is in the ledger, and
            a task that was under way begins anew.
        shareable: whether several processes can work on one run. False where the context gathers what the tasks leave.
        brief: one line about it.
        called: what Python calls it, for messages; default: its name.
    """

    name: str
    config: type[ConfigT]
    result: type[ResultT]
    inputs: Callable[[ConfigT], Mapping[str, InputT]]
    open: Callable[[ConfigT, Session], ContextT | Awaitable[ContextT]]
    work: Callable[[ContextT, str, InputT], Awaitable[TaskT | None]]
    summary: Callable[[ContextT, Mapped[TaskT]], Mapping[str, Any] | Awaitable[Mapping[str, Any]]] = _nothing_more
    brings: Mapping[str, str] = field(default_factory=dict)
    checkpoints: bool = True
    shareable: bool = True
    brief: str = ""
    called: str = ""

    def __call__(
        self, *subjects: object, settings: Settings | None = None, on_event: Listener = silent, **options: Any
    ) -> ResultT:
        """Run it from a script, a notebook or a thread; see `run`."""
        return run(self.run(*subjects, settings=settings, on_event=on_event, **options))

    async def run(
        self, *subjects: object, settings: Settings | None = None, on_event: Listener = silent, **options: Any
    ) -> ResultT:
        """Run it; the result is also in the run folder's `result.json`.

        `options` are fields of the config and names of `brings`; `settings` (default: what `inloop config` shows) fill the rest.

        Raises:
            BadInput: what is asked cannot be done; before anything is paid, and no folder stays behind.
            PrerequisiteError: a model, a package or a server that cannot be had.
            CallFailed: every task failed.
            Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
        """
        settings = settings or Settings.load()
        parts = {name: options.pop(name) for name in [*options] if self._is_brought(name, options[name])}
        config = self.config.of(*subjects, settings=settings, **options)
        self.inputs(config)
        engine = engine_of(settings.engine)
        with discarded_if_refused(
            RunFolder.create(
                settings.runs_dir,
                self.name,
                config,
                about=config.topics(),
                brought=_named(parts),
                store=StoreLocation.named_by(settings),
            )
        ) as folder:
            return await carry(
                self, config, folder=folder, settings=settings, on_event=on_event, parts=parts, engine=engine
            )

    def begin(self, *subjects: object, settings: Settings | None = None, **options: Any) -> RunFolder:
        """Begin a run that processes then work on that you start with `inloop work`; its folder.

        Raises:
            BadInput: what is asked cannot be done, or an option that is an object of this process.
        """
        settings = settings or Settings.load()
        for name, value in options.items():
            if self._is_brought(name, value):
                raise BadInput(
                    f"{name} is an object of this process, which others do not have: name it as module:object."
                )
        config = self.config.of(*subjects, settings=settings, **options)
        self.inputs(config)
        folder = RunFolder.create(
            settings.runs_dir, self.name, config, about=config.topics(), store=StoreLocation.named_by(settings)
        )
        with discarded_if_refused(folder):
            self.begin_shared(config, folder, settings)
        return folder

    def begin_shared(self, config: ConfigT, folder: RunFolder, settings: Settings) -> None:
        """Let workers find the run of a folder in the store, if they do not yet."""
        with closing(SharedRun(StoreLocation.named_by(settings), folder.id)) as run:
            run.begin(folder.head, self._inputs_of(config, settings))

    def worker(self, config: ConfigT, folder: RunFolder, settings: Settings, **options: Any) -> SharedWorker:
        """One of the workers on the run of a folder; `options` as `SharedWorker` has them.

        Raises:
            BadInput: only one process can work on a run of this loop.
        """
        inputs = self._inputs_of(config, settings)
        return SharedWorker(folder, StoreLocation.named_by(settings), record=self.record, inputs=inputs, **options)

    def _inputs_of(self, config: ConfigT, settings: Settings) -> dict[str, str]:
        if not self.shareable:
            raise BadInput(f"one process alone can work on a run of {self.name!r}: leave the engine out.")
        return inputs_of(config, self.inputs(config), settings.cache_dir)

    @property
    def record(self) -> type[TaskT]:
        """The type of its tasks."""
        record: type[TaskT] = get_args(self.result.model_fields["tasks"].annotation)[0]
        return record

    def read_result(self, text: str, settings: Settings) -> ResultT:
        """A result from its JSON."""
        return self.result.model_validate_json(text).kept_in(StoreLocation.named_by(settings))

    def _is_brought(self, name: str, value: object) -> bool:
        """Whether an option is an object of the caller's; a name that is a field as well takes text for the field."""
        return name in self.brings and (name not in self.config.model_fields or not isinstance(value, str))

    def resume(
        self, folder: str | Path, *, settings: Settings | None = None, on_event: Listener = silent, **parts: Any
    ) -> ResultT:
        """Go on with a run that was stopped or killed; a finished one gives its result again. `parts`: as in the first call.

        It goes on with the store that it was begun with, unless `settings` name another one. Raises what `run` raises.
        """
        given, settings = settings, settings or Settings.load()
        opened = RunFolder.open(settings.runs_dir, folder)
        settings = settings.model_copy(update={"runs_dir": opened.path.parent})
        if given is None or (given.store is None and given.blobs is None):
            settings = opened.with_its_store(settings)
        config = opened.config_as(self.config)
        try:
            return run(
                carry(
                    self, config, folder=opened, settings=settings, on_event=on_event, parts=parts, resumed=True,
                    engine=engine_of(settings.engine),
                )
            )  # fmt: skip
        finally:
            opened.close()


async def carry(
    loop: Loop[ConfigT, ContextT, InputT, TaskT, ResultT],
    config: ConfigT,
    *,
    folder: RunFolder,
    settings: Settings,
    on_event: Listener = silent,
    history: Listener | None = None,
    parts: Mapping[str, Any] | None = None,
    resumed: bool = False,
    engine: Engine | None = None,
    worker: Worker | None = None,
) -> ResultT:
    """Work on a run in its folder until its result is written. Raises what `Loop.run` raises.

    `history` hears what happened in a shared run before (default: `on_event`). `engine`: carries it elsewhere. `worker`: what this process is
    in the run, such as one of several that share it; by default it has the run for itself.
    """
    if engine is not None:
        options: Any = {"folder": folder, "settings": settings, "parts": parts or {}}
        options |= {"on_event": on_event, "history": history or on_event}
        return cast("ResultT", await engine.carry(loop, config, **options))
    inputs = loop.inputs(config)
    parts = dict(parts or {})
    missing = sorted({*folder.brought} - {*parts})
    if missing:
        raise PrerequisiteError(
            f"the run {folder.id} was begun with {missing[0]} of its caller ({folder.brought[missing[0]]})",
            remedy=f"resume it from Python with the same object: {loop.called or loop.name}.resume({str(folder.path)!r}, {missing[0]}=...).",
        )
    location = StoreLocation.named_by(settings)
    if worker is None and resumed and SharedRun.known(location, folder.id):
        worker = loop.worker(config, folder, settings, listen=on_event, history=history or on_event, alone=True)
    worker = worker or SoleWorker(folder, listen=on_event, resumed=resumed)
    async with worker:
        if (text := await worker.finished()) is not None:
            return loop.read_result(text, settings)
        with Store.open(settings, run_id=folder.id, claims=worker.claims) as store:
            # what the ledger answers counts as well: the same command stops at the same place, paid or not
            budget = charged_budget(config.budget, store, elapsed=worker.seconds, shared=worker.claims is not None)
            async with AsyncExitStack() as stack:
                seen = watched(
                    loop.name,
                    loop.work,
                    folder=folder,
                    settings=settings,
                    store=store,
                    tasks=len(inputs),
                    name=worker.name,
                )
                work = stack.enter_context(seen)
                kept = _checkpoints(folder, store) if loop.checkpoints else None
                checkpoints = await stack.enter_async_context(kept) if kept else None
                session = Session(
                    settings=settings, store=store, budget=budget, folder=folder, checkpoints=checkpoints, stack=stack,
                    tell=worker.tell, parts=parts,
                )  # fmt: skip
                await worker.start(loop.name, len(inputs))
                context = await _awaited(loop.open(config, session))
                await worker.opened(session.models())
                mapped = await worker.work_off(
                    inputs, partial(work, context), session=session, in_flight=config.in_flight
                )
                if (text := await worker.result()) is not None:
                    return loop.read_result(text, settings)
                further = await _awaited(loop.summary(context, mapped))
                fields = {
                    "run_id": folder.id,
                    "loop": loop.name,
                    "created": folder.created,
                    "seconds": round(worker.seconds, 3),
                    "config": config.model_dump(mode="json"),
                    "models": session.models(),
                    "tasks": tuple(mapped.results.values()),
                    "failed": {id: str(error) for id, error in mapped.failures.items()},
                    "stopped": budget.exhausted() if mapped.left_out else None,
                    "cost": store.ledger.spent(),
                    "calls": worker.calls(store),
                    "notes": worker.notes(session),
                }
                result = loop.result(**{**fields, **further}).kept_in(location)
        await worker.conclude(result)
        worker.tell(RunDone(seconds=result.seconds))
    return result


def _checkpoints(folder: RunFolder, store: Store) -> Checkpoints:
    """In a file of the run, or in the server of its store beside those of other runs."""
    database = store.location.database
    return Checkpoints(database, run=folder.id) if is_postgres(database) else Checkpoints(folder.checkpoints_path)


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def _named(parts: Mapping[str, Any]) -> dict[str, str]:
    """What was brought, in words, for whoever resumes the run."""

    def name(part: Any) -> str:
        return str(
            getattr(part, "model", "")
            or getattr(part, "name", "")
            or getattr(part, "__qualname__", type(part).__name__)
        )

    return {
        role: ", ".join(f"{key}: {name(each)}" for key, each in part.items())
        if isinstance(part, Mapping)
        else name(part)
        for role, part in parts.items()
    }
