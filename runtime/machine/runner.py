"""A thin layer over LangGraph that closes its silent gaps; the `StateGraph` stays the user's own.

What LangGraph lets pass and this refuses (see `guards`), with the place named in the error:

- nodes that nothing leads to or that lead nowhere, and a node with both edges and `Command` targets (both would run);
- a `goto`, a `Send` or a router's answer to a node that is not there (LangGraph logs it and ends as if all were well);
- unknown keys in an update (dropped), a whole state as an update (reducers apply twice);
- state that is not plain JSON or is over 16 KB: pictures and histories belong to the blob store and the event file;
- a missing context, a new start on a thread that has begun, an interrupt that nothing could resume;
- a retry policy that also repeats what cannot get better (400, 401), and more steps than `max_steps`.

Each superstep is on the disk before the next one begins. Ctrl-C and SIGTERM stop after the superstep under way, and
`resume` goes on from there. A node can run twice (it was under way at a crash); the call ledger makes that free.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command
from pydantic import BaseModel

from ..errors import BadInput, PrerequisiteError, RunnerError
from ..telemetry import span
from .checkpoints import Checkpoints
from .guards import MAX_STATE_BYTES, Graph, check, check_size, check_update, guarded
from .signals import drained_by_signals

__all__ = ["MAX_STATE_BYTES", "Checkpoints", "Finish", "Runner", "check"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Where a run came to.

    `state`: of the graph's state type; `steps`: supersteps since the start, also those before a resume.
    `stopped`: why it was stopped before its end (then `resume` goes on); `interrupts`: what nodes asked, to be answered
    with `resume(answer)`. With neither, the graph is at its end.
    """

    state: Any
    steps: int
    stopped: str | None = None
    interrupts: tuple[Any, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the graph came to its end."""
        return self.stopped is None and not self.interrupts


class Runner:
    """Runs one thread of a graph, once started and any number of times resumed.

    Args:
        graph: the builder; it is checked at once, and copied, not changed.
        context: what nodes get as `Runtime.context`; needed where the graph declares a `context_schema`.
        checkpoints: an open `Checkpoints` that several runners share, or a path or URL for this one alone; None: the
            run cannot be resumed.
        thread_id: the name of the thread in the checkpoints.
        max_steps: supersteps from the start, over all resumes.

    Raises:
        RunnerError: the graph breaks a rule of this module.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        context: Any,
        checkpoints: Checkpoints | Path | str | None,
        thread_id: str,
        max_steps: int,
    ) -> None:
        if not thread_id:
            raise RunnerError("thread_id is empty: give each run of a graph its own name.")
        if max_steps < 1:
            raise BadInput(f"max_steps={max_steps!r}: give 1 or more.")
        if context is None and graph.context_schema is not None:
            raise RunnerError(
                f"the graph needs a context ({graph.context_schema.__name__}); LangGraph would pass None to its nodes."
            )
        check(graph)
        self.thread_id = thread_id
        self.max_steps = max_steps
        self._context = context
        self._checkpoints = checkpoints
        self._graph = graph
        self._guarded = guarded(graph, max_steps)
        self._control: RunControl | None = None

    async def start(self, input: Mapping[str, Any]) -> Finish:
        """Run the thread from its beginning.

        Raises:
            RunnerError: the thread has begun already, or a rule is broken on the way.
        """
        async with self._compiled() as compiled:
            if await self._begun(compiled):
                raise RunnerError(
                    f"the thread {self.thread_id!r} has begun already: resume() goes on, another thread_id starts anew."
                )
            return await self._go(compiled, self._input(input))

    async def resume(self, answer: Any = None) -> Finish:
        """Go on after a stop, a crash or an interrupt (with its `answer`); at its end it gives the `Finish` again.

        Raises:
            RunnerError: there is nothing to resume, or a rule is broken on the way.
        """
        async with self._compiled() as compiled:
            if not await self._begun(compiled):
                raise RunnerError(f"the thread {self.thread_id!r} has not begun in {self._place()}: use start(input).")
            return await self._resume(compiled, answer)

    async def start_or_resume(self, input: Mapping[str, Any]) -> Finish:
        """`resume` where the thread has begun, else `start`; where the state has a `version`, one of another is refused.

        Raises:
            PrerequisiteError: the checkpoint is of another version of the state.
        """
        async with self._compiled() as compiled:
            if await self._begun(compiled):
                await self._check_version(compiled, input)
                return await self._resume(compiled, None)
            return await self._go(compiled, self._input(input))

    def stop(self, reason: str = "stopped") -> None:
        """Ask the run under way to stop after its superstep; safe from any thread."""
        if self._control is not None:
            self._control.request_drain(reason)

    @contextlib.asynccontextmanager
    async def _compiled(self) -> AsyncIterator[Any]:
        if self._checkpoints is None or isinstance(self._checkpoints, Checkpoints):
            yield self._compile(self._checkpoints)
        else:
            async with Checkpoints(self._checkpoints) as own:
                yield self._compile(own)

    def _compile(self, checkpoints: Checkpoints | None) -> Any:
        return self._guarded.compile(checkpointer=checkpoints.saver if checkpoints else None)

    def _config(self) -> RunnableConfig:
        # two to spare: the guard of the nodes counts from the start, LangGraph from the last resume
        held = self._checkpoints
        thread = held.thread(self.thread_id) if isinstance(held, Checkpoints) else self.thread_id
        return {"configurable": {"thread_id": thread}, "recursion_limit": self.max_steps + 2}

    async def _begun(self, compiled: Any) -> bool:
        return compiled.checkpointer is not None and bool(await compiled.checkpointer.aget_tuple(self._config()))

    async def _check_version(self, compiled: Any, input: Mapping[str, Any]) -> None:
        wanted, snapshot = input.get("version"), await compiled.aget_state(self._config())
        version = snapshot.values.get("version", wanted)  # none yet where it was stopped before its input was taken in
        if version != wanted:
            raise PrerequisiteError(
                f"the checkpoint of {self.thread_id!r} in {self._place()} is of version {version} of the loop's state; this inloop"
                f" goes on with version {wanted}",
                remedy="resume it with the inloop that began it, or start the run anew: what was paid for is not paid again.",
            )

    def _input(self, input: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(input, Mapping) or not input:
            raise RunnerError(f"the input of the graph must be a dict of state keys, not {input!r:.80}.")
        check_update(dict(input), set(self._graph.schemas[self._graph.input_schema]), "the input")
        return dict(input)

    async def _resume(self, compiled: Any, answer: Any) -> Finish:
        snapshot = await compiled.aget_state(self._config())
        # not `next`: that is empty too when a crash came after the node's writes and before their checkpoint
        if not snapshot.tasks:
            return Finish(state=self._typed(snapshot.values), steps=snapshot.metadata["step"])
        if answer is None and snapshot.interrupts:
            state = self._typed(snapshot.values)
            return Finish(state=state, steps=snapshot.metadata["step"], interrupts=tuple(snapshot.interrupts))
        asked = [interrupt.id for task in snapshot.tasks for interrupt in task.interrupts]
        if answer == {} and asked:  # LangGraph takes an empty dict for no answer
            answer = {asked[0]: answer}
        return await self._go(compiled, None if answer is None else Command(resume=answer))

    async def _go(self, compiled: Any, input: Any) -> Finish:
        self._control = control = RunControl()
        kept = compiled.checkpointer is not None
        state: Any = None
        interrupts: list[Any] = []
        stopped: str | None = None
        steps = 0
        # without a checkpointer LangGraph has nothing to be durable with, and says so
        durable = {"durability": "sync"} if kept else {}
        with drained_by_signals(control), span("task", task=self.thread_id):
            try:
                async for part in compiled.astream(
                    input,
                    self._config(),
                    context=self._context,
                    stream_mode="values",
                    version="v2",
                    control=control,
                    **durable,
                ):
                    state = part["data"]
                    steps += 1
                    interrupts.extend(part.get("interrupts", ()))
                    check_size(state)
            except GraphDrained as drained:
                stopped = drained.reason
            except sqlite3.OperationalError as error:  # the ledger tells its own: this is the checkpoints' disk
                raise PrerequisiteError(
                    f"the checkpoints in {self._place()} cannot be written (SQLite: {error})",
                    remedy="check the space and the rights on that folder, then resume the run.",
                ) from error
            finally:
                self._control = None
        if interrupts and not kept:
            raise RunnerError(
                f"the graph was interrupted ({interrupts[0].value!r:.80}) and has no checkpoints, so that nothing could"
                " resume it: give the runner a path for its checkpoints."
            )
        if kept:
            snapshot = await compiled.aget_state(self._config())
            steps = snapshot.metadata["step"]
            if steps < 0:  # stopped before its input was taken in
                state, steps = (self._typed(input) if isinstance(input, dict) else None), 0
            else:
                state = self._typed(snapshot.values)
        else:
            steps -= 1  # the first part is the input
        return Finish(state=state, steps=steps, stopped=stopped, interrupts=tuple(interrupts))

    def _typed(self, values: Any) -> Any:
        """Checkpointed values as the graph's state type, validated where that is a pydantic model."""
        schema = self._graph.state_schema
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            return schema.model_validate(values)
        return schema(**values) if is_dataclass(schema) else values

    def _place(self) -> str:
        held = self._checkpoints
        return (
            "no checkpoints" if held is None else (held if isinstance(held, Checkpoints) else Checkpoints(held)).place
        )
