"""What the tasks of a run share: settings, store, budget, checkpoints, and the models that were opened or brought along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

from langgraph.graph import StateGraph

from ..budget import Budget
from ..errors import BadInput, Interrupted, RunnerError
from ..folder import RunFolder
from ..machine import Checkpoints, Runner, drained_by_signals
from ..protocols import Identified
from ..records import Record
from ..roles import close
from ..settings import Settings
from ..store import BlobStore, MemoryBlobs, Store
from .accounting import charged_budget
from .concurrency import Mapped, map_items
from .events import Event, Warned, ending
from .questions import Questions

__all__ = ["Session"]

InputT = TypeVar("InputT")
PartT = TypeVar("PartT")
StateT = TypeVar("StateT")
TaskT = TypeVar("TaskT")


class Session:
    """One process at work on one run.

    `parts` are what the caller brought, by the name of the option: of models (`models={"llm": ...}`) and of other parts that
    are chosen by role, a mapping. What `open` made is closed when the session ends; what the caller brought is the caller's own.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        budget: Budget,
        folder: RunFolder | None,
        checkpoints: Checkpoints | None,
        stack: AsyncExitStack,
        tell: Callable[[Event], None],
        parts: Mapping[str, Any],
    ) -> None:
        self.settings, self.store, self.budget, self.checkpoints = settings, store, budget, checkpoints
        self.parts = dict(parts)
        self.opened: dict[str, Any] = {}
        self._by_spec: dict[tuple[Any, Any], Any] = {}
        self.notes: list[str] = []
        self._asking = asyncio.Lock()  # a person is asked one thing at a time
        self._folder, self._stack, self._tell = folder, stack, tell
        self._questions = (
            Questions(store.location, folder.id) if folder is not None and checkpoints is not None else None
        )

    @classmethod
    @asynccontextmanager
    async def aside(
        cls,
        settings: Settings,
        id: str,
        *,
        parts: Mapping[str, Any] | None = None,
        listen: Callable[[Event], None] = lambda event: None,
        limits: str = "",
    ) -> AsyncIterator[Session]:
        """A session outside of a run: for what is estimated or measured with a loop's models, or asked of them time and again.

        `id` names it in the ledger; `limits` as a run's budget.
        """
        with Store.open(settings, run_id=id) as store:
            async with AsyncExitStack() as stack:
                yield cls(
                    settings=settings, store=store, budget=charged_budget(limits, store), folder=None, checkpoints=None,
                    stack=stack, tell=listen, parts=parts or {},
                )  # fmt: skip

    @property
    def folder(self) -> RunFolder:
        """The folder of the run; `RunnerError` outside of one."""
        if self._folder is None:
            raise RunnerError("this session is outside of a run: it has no folder.")
        return self._folder

    def emit(self, event: Event) -> None:
        """Tell what happened; a warning of the whole run becomes a note."""
        if isinstance(event, Warned) and not event.task:
            self.notes.append(event.text)
        self._tell(event)

    def open(self, role: str, opener: Callable[[Any, Store, Settings], PartT], spec: str) -> PartT:
        """The model of a role: what `opener` makes of the caller's own one, else of `spec`; opened once a run.

        Roles that are played by one model share it.
        """
        if role not in self.opened:
            given = self.parts.get("models", {}).get(role, spec)
            takes_objects = isinstance(given, str) or hasattr(opener, "role")  # see `roles.Role.opener`
            same = (opener, given if isinstance(given, str) else id(given))
            if same not in self._by_spec:
                part = self._by_spec[same] = opener(given, self.store, self.settings) if takes_objects else given
                if part is not given:
                    self.close_later(part)
            self.opened[role] = self._by_spec[same]
        return cast("PartT", self.opened[role])

    def close_later(self, part: Any) -> None:
        """Close something when the session ends, by its `aclose` or `close`."""
        self._stack.push_async_callback(close, part)

    def models(self) -> dict[str, dict[str, str]]:
        """By role, the id and revision of what was opened; the recipe that it is run by and its several servers, where it has such."""
        parts = dict(self.opened)
        for role, part in self.opened.items():  # of several as one, each as well
            parts |= {f"{role} {place}": member for place, member in enumerate(getattr(part, "members", ()), start=1)}
        named: dict[str, Identified] = {
            role: part for role, part in parts.items() if hasattr(part, "model") and hasattr(part, "revision")
        }
        return {
            role: {"id": part.model, "revision": part.revision}
            | _recipe(getattr(part, "recipe", None))
            | _servers(getattr(part, "spread", {}))
            for role, part in named.items()
        }

    def all_notes(self) -> tuple[str, ...]:
        """What a reader must know, each once: of the run, of its models, of its budget."""
        of_models = [note for part in self.opened.values() for note in getattr(part, "notes", ())]
        return tuple(dict.fromkeys([*self.notes, *of_models, *self.budget.notes]))

    async def map(
        self,
        inputs: Mapping[str, InputT],
        work: Callable[[str, InputT], Awaitable[TaskT | None]],
        *,
        in_flight: int,
    ) -> Mapped[TaskT]:
        """`map_items` over tasks, with an event for each that ends."""

        def ended(id: str, outcome: object) -> None:
            if (event := ending(id, outcome)) is not None:
                self.emit(event)

        return await map_items(inputs, work, in_flight=in_flight, on_end=ended)

    def task_blobs(self) -> BlobStore | MemoryBlobs:
        """Where one task keeps what is too large for its state: beside its checkpoints, or in memory where it has none."""
        return self.store.blobs if self.checkpoints is not None else MemoryBlobs()

    async def begun(self, id: str) -> bool:
        """Whether the graph of a task has begun, in this process or in one before it."""
        if self.checkpoints is None:
            return False
        thread = self.checkpoints.thread(id)
        return await self.checkpoints.saver.aget_tuple({"configurable": {"thread_id": thread}}) is not None

    async def finish(
        self, graph: StateGraph[Any, Any, Any, Any], *, context: Any, id: str, start: StateT, max_steps: int
    ) -> StateT:
        """Run a graph to its end, from its checkpoint where the thread `id` has begun; its last state.

        What a node asks by `langgraph.types.interrupt` is put to the caller's `reviewer`, one question at a time over all tasks, and into
        the store (`Questions`), where another process may answer it; the first answer counts.

        Raises:
            Interrupted: Ctrl-C or SIGTERM, or a question that nobody is there to answer; the run can be resumed.
            PrerequisiteError: the checkpoint is of another `version` of the state.
        """
        runner = Runner(graph, context=context, checkpoints=self.checkpoints, thread_id=id, max_steps=max_steps)
        begin = runner.start_or_resume if self.checkpoints is not None else runner.start
        end = await begin(cast("dict[str, Any]", start))
        while end.interrupts and end.stopped is None:
            interrupt = end.interrupts[0]
            questions, key = self._questions, ""
            if questions:
                key = await questions.aside(partial(questions.ask, interrupt.id, id, interrupt.value))
            answer = await self._answer(key, interrupt.value)
            end = await runner.resume(answer)
            if questions and end.stopped is None:
                # only now: killed or stopped before, the run finds the answer where it was
                await questions.aside(partial(questions.take, key, answer))
        if end.finished and self._questions:
            await self._questions.aside(partial(self._questions.settle, id))
        if not end.finished:
            raise Interrupted(f"stopped by {end.stopped}; nothing that was finished is lost")
        return cast("StateT", end.state)

    async def _answer(self, key: str, question: Any) -> Any:
        if self._questions is not None:
            there, answer = await self._questions.aside(partial(self._questions.answer_to, key))
            if there:
                return answer
        reviewer = self.parts.get("reviewer")
        if reviewer is None:
            raise Interrupted(
                "the run waits for a person's answer, and there is no reviewer",
                remedy="answer it in `inloop view` and then resume the run, resume it at a terminal with `inloop resume`, or from Python with"
                " reviewer=",
            )
        if self._questions is None:
            return await self._reviewed(question)
        elsewhere = asyncio.ensure_future(self._questions.wait(key))
        here = asyncio.ensure_future(self._reviewed(question))
        stop = _Stop()
        try:
            with drained_by_signals(stop):
                done, _ = await asyncio.wait([here, elsewhere, stop.reason], return_when=asyncio.FIRST_COMPLETED)
            if elsewhere in done:
                return elsewhere.result()
            if here in done:
                return await self._questions.aside(partial(self._questions.first_answer, key, here.result()))
            raise Interrupted(f"stopped by {stop.reason.result()}; nothing that was finished is lost")
        finally:
            for each in (here, elsewhere):
                each.cancel()
            await asyncio.gather(here, elsewhere, return_exceptions=True)

    async def _reviewed(self, question: Any) -> Any:
        async with self._asking:
            answer = await self.parts["reviewer"](question)
        return answer.model_dump(mode="json") if isinstance(answer, Record) else answer

    def brought(self, option: str, roles: Collection[str]) -> dict[str, Any]:
        """What the caller brought by role with an option such as `models`; `roles` are those that the loop has.

        Raises:
            BadInput: no mapping, or a role that the loop does not have.
        """
        parts = self.parts.get(option, {})
        if not isinstance(parts, Mapping):
            raise BadInput(f"{option}={parts!r:.60} is no dictionary of parts by role: {', '.join(roles)}.")
        for role in parts:
            if role not in roles:
                raise BadInput(f"{option} has no role {role!r} in this loop: the roles are {', '.join(roles)}.")
        return dict(parts)


class _Stop:
    """Ctrl-C or SIGTERM, as a future that a wait can be ended by."""

    def __init__(self) -> None:
        self.reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def request_drain(self, reason: str) -> None:
        if not self.reason.done():
            self.reason.set_result(reason)


def _recipe(recipe: object) -> dict[str, str]:
    """The settings of a model in words, "steps=6 guidance=2.0": what is not set is left out."""
    if not isinstance(recipe, Record):
        return {}
    return {"recipe": " ".join(f"{name}={value}" for name, value in recipe.model_dump().items() if value is not None)}


def _servers(spread: Mapping[str, int]) -> dict[str, str]:
    """The several servers of a model, with how many answers each gave where any did."""
    if not spread:
        return {}
    answers = [f"{url} ({count} answer{'s' * (count != 1)})" for url, count in spread.items()]
    return {"servers": ", ".join(answers if any(spread.values()) else spread)}
