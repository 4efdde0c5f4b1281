"""A run of the RAG loop over one question or many: models opened, every question run, an outcome written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from ...runtime.errors import BadInput, Interrupted
from ...runtime.records import options_checked
from ...runtime.run import Checkpoints, RunFolder, Runner, calls_of, charged_budget, gather, run, worked
from ...runtime.settings import Settings
from ...runtime.store import Store
from ..trace import Event
from .config import RagConfig
from .graph import RagPorts, build, first_state, max_steps, task_record
from .models import RagBench, open_for_search
from .result import RagOutcome, RagTask

__all__ = ["ask", "check_question", "run_rag"]

_LONGEST = 4000


def ask(
    *questions: str,
    index: str,
    settings: Settings | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: Any,
) -> RagOutcome:
    """`inloop ask` from a script or a notebook: the same run folder, settings and ledger.

    `options` are fields of `RagConfig`. Raises what `run_rag` raises.
    """
    opened = settings or Settings.load()
    with options_checked():
        config = RagConfig(questions=questions, index=index, **{"llm": opened.llm, **options})
    folder = RunFolder.create(opened.runs_dir, "rag", config)
    try:
        return run(run_rag(config, settings=opened, folder=folder, on_event=on_event))
    finally:
        folder.close()


async def run_rag(
    config: RagConfig,
    *,
    settings: Settings,
    folder: RunFolder,
    resume: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> RagOutcome:
    """Answer every question of `config`; the outcome is also in the folder's `result.json`.

    Raises:
        BadInput: an empty question, an index that is not there or was made with another embedder; before anything is paid.
        PrerequisiteError: a model, a package or a server that cannot be had.
        Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
    """
    for place, question in enumerate(config.questions, start=1):
        check_question(question, place, len(config.questions))
    begun = time.monotonic()

    def tell(event: Event) -> None:
        folder.event(event)
        on_event(event)

    with folder.lock(), Store.open(settings, run_id=folder.id) as store:
        before = worked(folder.events())
        budget = charged_budget(config.budget, store, elapsed=before)
        async with AsyncExitStack() as stack:
            index, embedder = await open_for_search(config.index, config.embedder, store, settings)
            stack.push_async_callback(index.close)
            bench = RagBench(config, store, settings, embedder=embedder)
            stack.push_async_callback(bench.close)
            tell({"event": "run_started", "run_id": folder.id, "questions": len(config.questions), "resumed": resume})
            ports = bench.ports(index, budget, tell)
            tell({"event": "models", "models": bench.models()})
            checkpoints = await stack.enter_async_context(Checkpoints(folder.checkpoints_path))
            gate = asyncio.Semaphore(config.in_flight)

            async def one(place: int, question: str) -> RagTask:
                async with gate:
                    return await _task(f"q{place}", question, ports, checkpoints)

            tasks = await gather([one(place, question) for place, question in enumerate(config.questions, start=1)])
            outcome = RagOutcome(
                run_id=folder.id, created=folder.created, seconds=round(before + time.monotonic() - begun, 3),
                config=config.model_dump(mode="json"), models=bench.models(), index=index.url, tasks=tuple(tasks),
                cost=store.ledger.spent(), notes=tuple(dict.fromkeys([*bench.notes(), *budget.notes])),
                calls=calls_of(store),
            )  # fmt: skip
    folder.write_result(outcome)
    tell({"event": "run_done", "seconds": outcome.seconds})
    return outcome


def check_question(question: str, place: int = 1, of: int = 1) -> None:
    """Raise `BadInput` for a question that nothing can be done with."""
    name = "the question" if of == 1 else f"question {place} of {of}"
    if not any(sign.isalnum() for sign in question):
        raise BadInput(f"{name} has no word in it ({question[:60]!r}): write what you want to know.")
    if len(question) > _LONGEST:
        raise BadInput(f"{name} has {len(question)} characters, {question[:60]!r}...: give at most {_LONGEST}.")


async def _task(id: str, question: str, ports: RagPorts, checkpoints: Checkpoints) -> RagTask:
    begun = time.monotonic()
    runner = Runner(build(), context=ports, checkpoints=checkpoints, thread_id=id, max_steps=max_steps(ports))
    finish = await runner.start_or_resume(dict(first_state(id, " ".join(question.split()))))
    if not finish.finished:
        raise Interrupted(f"stopped by {finish.stopped}; nothing that was finished is lost")
    ports.tell({"event": "task_done", "task": id})
    return RagTask(id=id, seconds=round(time.monotonic() - begun, 3), **task_record(ports, finish.state))
