"""A run of LLM2LLM: all ways and repeats, each a thread of the machine in `llm2llm.py`, and the table of what each was worth.

In every repeat the main way goes first; how many rows it added is how many the others get. Ways and repeats share the ledger, so what
two of them ask alike is paid once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from ...evaluators.rows import contamination
from ...runtime.budget import Budget
from ...runtime.errors import BadInput, Interrupted
from ...runtime.records import options_checked
from ...runtime.run import Checkpoints, RunFolder, Runner, calls_of, charged_budget, gather, run, worked
from ...runtime.settings import Settings
from ...runtime.store import Store
from ...tools.students import check_lengths
from .arms import COMPARISONS, WAYS, compared, table, undertrained
from .config import Llm2LlmConfig
from .data import Parts, Source, sha256_of
from .graph import added_rows, build, data_sha256, first_state, steps_of
from .models import Bench
from .parts import Event, Ports, Stages, measure
from .result import Llm2LlmOutcome, Measured, Spent, StepRecord, WayRun

__all__ = ["Llm2LlmConfig", "llm2llm", "open_source", "run_llm2llm"]


def llm2llm(
    train: str,
    *,
    settings: Settings | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: Any,
) -> Llm2LlmOutcome:
    """`inloop llm2llm` from a script or a notebook. `options` are fields of `Llm2LlmConfig`; raises what `run_llm2llm` raises."""
    opened = settings or Settings.load()
    with options_checked():
        config = Llm2LlmConfig(train=str(train), **options)
    open_source(config)  # what cannot be used must leave no folder behind
    config = config.model_copy(update={"files": sha256_of(config.paths)})
    folder = RunFolder.create(opened.runs_dir, "llm2llm", config)
    try:
        return run(run_llm2llm(config, settings=opened, folder=folder, on_event=on_event))
    finally:
        folder.close()


def open_source(config: Llm2LlmConfig) -> Source:
    """The files of a run, checked.

    Raises `BadInput` for what cannot be used, or for files that are not what they were when the run began.
    """
    unknown = sorted({*config.compare} - {*COMPARISONS, "ours", "all", "none"})
    if unknown:
        raise BadInput(f"--compare {unknown[0]!r}: there are {', '.join(COMPARISONS)}, all and none.")
    source = Source(
        train=Path(config.train), test=_path(config.test), dev=_path(config.dev), pool=_path(config.pool),
        task=config.task, options=config.task_options, text=config.text, label=config.label,
        seeds_per_class=config.seeds_per_class, dev_per_class=config.dev_per_class,
    )  # fmt: skip
    now = sha256_of(config.paths)
    changed = [role for role, sha in config.files.items() if now.get(role) != sha]
    if changed:
        role = changed[0]
        raise BadInput(
            f"the {role} file {config.paths[role]!r} has changed since the run began: restore it, or start a new run."
        )
    return source


async def run_llm2llm(
    config: Llm2LlmConfig,
    *,
    settings: Settings,
    folder: RunFolder,
    resume: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Llm2LlmOutcome:
    """Every way in every repeat; the outcome is also in the folder's `result.json`.

    Raises:
        BadInput: files or settings that cannot be used; before anything is paid.
        PrerequisiteError: a model or server that cannot be had.
        CallFailed: the teacher failed on every request; the run can be resumed.
        Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
    """
    source = open_source(config)
    begun = time.monotonic()

    def tell(event: Event) -> None:
        folder.event(event)
        on_event(event)

    with folder.lock(), Store.open(settings, run_id=folder.id) as store:
        before = worked(folder.events())
        budget = charged_budget(config.budget, store, elapsed=before)
        async with AsyncExitStack() as stack:
            bench = Bench(
                config, source.task, store, settings, say=lambda text: tell({"event": "training", "text": text})
            )
            stack.push_async_callback(bench.close)
            every = [source.parts(config.seed + repeat) for repeat in range(config.repeat)]
            parts = every[0]
            for drawn in every:  # a row that is too long is named before anything is done
                bench.student.check(drawn.seeds)
                check_lengths(bench.student, drawn.dev, "dev")
            check_lengths(bench.student, parts.test, "test")
            tell({"event": "run_started", "run_id": folder.id, "resumed": resume, "repeat": config.repeat})
            tell({"event": "models", "models": bench.models()})
            checkpoints = await stack.enter_async_context(Checkpoints(folder.checkpoints_path))
            shared = _Shared(config, bench, store, budget, checkpoints, folder, tell)
            gate = asyncio.Semaphore(config.in_flight)

            async def one(repeat: int) -> list[WayRun]:
                async with gate:
                    return await _repeat(shared, every[repeat], repeat)

            done = await gather([one(repeat) for repeat in range(config.repeat)])
            await _save_student(bench, parts, done[0][0], store, folder)
            runs = [way for ways in done for way in ways]
            worth = tuple(table(runs, config.main))
            notes = [*source.notes, *_said_of(parts, config), undertrained(worth), *bench.notes(), *budget.notes]
            models = bench.models()
        outcome = Llm2LlmOutcome(
            run_id=folder.id, created=folder.created, seconds=round(before + time.monotonic() - begun, 3),
            config=config.model_dump(mode="json"), models=models, task=source.task.model_dump(mode="json"), main=config.main,
            counts={"seeds": len(parts.seeds), "dev": len(parts.dev), "test": len(parts.test), "pool": len(parts.pool)},
            ways=tuple(_light(runs, config.main)), table=worth, spent=_total(runs), cost=store.ledger.spent(),
            calls=calls_of(store), notes=tuple(dict.fromkeys(filter(None, notes))),
        )  # fmt: skip
    folder.write_result(outcome)
    tell({"event": "run_done", "seconds": outcome.seconds})
    return outcome


async def _save_student(bench: Bench, parts: Parts, run: WayRun, store: Store, folder: RunFolder) -> None:
    """The student of the main way's first repeat, into the run's folder; it was trained, and comes from the store."""
    rows = [entry.row for entry in added_rows(store.blobs, run.rows) if entry.row is not None]
    student = bench.student.fresh()
    await student.fit([*parts.seeds, *rows], bench.config.seed)
    student.save(folder.path / "student")


class _Shared:
    def __init__(
        self,
        config: Llm2LlmConfig,
        bench: Bench,
        store: Store,
        budget: Budget,
        checkpoints: Checkpoints,
        folder: RunFolder,
        tell: Callable[[Event], None],
    ) -> None:
        self.config, self.bench, self.store, self.budget = config, bench, store, budget
        self.checkpoints, self.folder, self.tell = checkpoints, folder, tell
        self.stages, self.training = Stages(store.ledger), asyncio.Lock()


async def _repeat(shared: _Shared, parts: Parts, repeat: int) -> list[WayRun]:
    config = shared.config
    names = compared(config.compare, config.main, pool=bool(parts.pool))
    main = await _way(shared, config.main, parts, repeat, config.rows)
    soups = [await _soup(shared, parts, main)] if config.soup != "none" and config.main == "ours" else []
    return [main, *soups, *[await _way(shared, name, parts, repeat, main.added) for name in names[1:]]]


async def _way(shared: _Shared, name: str, parts: Parts, repeat: int, cap: int | None) -> WayRun:
    config, bench, way = shared.config, shared.bench, WAYS[name]
    task = f"{name}.{repeat}"
    steps = config.rounds(way)
    if way.rows == "none" or cap == 0:
        steps = 0
    if steps and way.rows == "pool" and not parts.pool:
        raise BadInput(
            "there are no real rows left for the oracle: leave it out of --compare, or give a larger training file."
        )
    checks = await bench.checks(way, parts, config.seed + repeat)
    teachers = bench.teachers(way, parts) if steps else ()
    ports = Ports(
        task=bench.task, student=bench.student, seeds=parts.seeds, dev=parts.dev if name == "ours" else (), test=parts.test,
        mining=way.mining, teachers=teachers, checks=checks, blobs=shared.store.blobs, steps=steps,
        per_error=1 if way.checks != "all" else config.per_error, cap=cap, attempts=config.attempts, folds=config.folds,
        seed=config.seed + repeat, budget=shared.budget, stages=shared.stages, training=shared.training, tell=shared.tell,
    )  # fmt: skip
    shared.tell({"event": "way_started", "task": task, "way": name, "repeat": repeat, "steps": steps, "cap": cap})
    runner = Runner(
        build(),
        context=ports,
        checkpoints=shared.checkpoints,
        thread_id=task,
        max_steps=10 + (steps + 1) * (3 * config.attempts + 4),
    )
    finish = await runner.start_or_resume(dict(first_state(task)))
    if not finish.finished:
        raise Interrupted(f"stopped by {finish.stopped}; nothing that was finished is lost")
    state = finish.state
    blobs = shared.store.blobs
    added = added_rows(blobs, state["kept"])
    rows = [*parts.seeds, *(entry.row for entry in added if entry.row is not None)]
    test = Measured.model_validate(json.loads(blobs.get(state["test"]))) if state["test"] else None
    texts = {"test": [row.text for row in parts.test], "dev": [row.text for row in parts.dev]}
    shared.tell({"event": "way_done", "task": task, "way": name, "stop": state["stop"], "added": len(added),
                 "accuracy": None if test is None else test.accuracy})  # fmt: skip
    return WayRun(
        way=name, repeat=repeat, stop=state["stop"], seeds=len(parts.seeds), added=len(added), rows=state["kept"],
        data_sha256=data_sha256(rows), teacher=", ".join(teacher.model for teacher in teachers),
        verifier="; ".join(verifier.name for verifier in checks.verifiers), steps=tuple(steps_of(blobs, state["chapter"])), test=test,
        contamination=tuple(contamination([entry.text for entry in added], {k: v for k, v in texts.items() if v})) if added else (),
        spent={stage: Spent.model_validate(spent) for stage, spent in state["spent"].items()},
    )  # fmt: skip


async def _soup(shared: _Shared, parts: Parts, main: WayRun) -> WayRun:
    """The students of the kept steps, each trained from the base, as one; they come from the store."""
    from ...tools.students import soup

    bench, seed, how = shared.bench, shared.config.seed + main.repeat, shared.config.soup
    rows = [*parts.seeds, *(entry.row for entry in added_rows(shared.store.blobs, main.rows) if entry.row is not None)]
    students = []
    for size in sorted({step.size for step in main.steps if step.kept}):
        student = bench.student.fresh()
        await student.fit(rows[:size], seed)
        students.append(student)
    async with shared.training:
        made = await soup(students, "uniform" if how == "none" else how, dev=parts.dev)
        said = await made.predict([row.text for row in parts.test], scores=False) if parts.test else []
        if main.repeat == 0:
            made.save(shared.folder.path / "soup")
    test = measure(bench.task, parts.test, said) if parts.test else None
    words = f"{how} soup of {len(students)} students"
    return main.model_copy(
        update={"way": "soup", "stop": words, "steps": (), "test": test, "spent": {}, "contamination": ()}
    )


def _light(runs: Sequence[WayRun], main: str) -> list[WayRun]:
    """Every row with its reasons for the main way; of the others the counts: their rows are in the blob store."""
    light = []
    for way in runs:
        if way.way == main:
            light.append(way)
            continue
        steps = tuple(
            StepRecord.model_validate({**step.model_dump(), "judged": (), "mistakes": ()}) for step in way.steps
        )
        light.append(way.model_copy(update={"steps": steps}))
    return light


def _total(runs: Sequence[WayRun]) -> dict[str, Spent]:
    total: dict[str, Spent] = {}
    for stage, spent in itertools.chain.from_iterable(way.spent.items() for way in runs):
        before = total.get(stage, Spent())
        total[stage] = Spent(
            calls=before.calls + spent.calls,
            input_tokens=before.input_tokens + spent.input_tokens,
            output_tokens=before.output_tokens + spent.output_tokens,
            money=None if before.money is None or spent.money is None else before.money + spent.money,
            seconds=round(before.seconds + spent.seconds, 3),
        )
    return total


def _said_of(parts: Parts, config: Llm2LlmConfig) -> list[str]:
    notes = []
    if not parts.test:
        notes.append("no test rows were given: there is no test score, and nothing is known about unseen rows")
    if not parts.dev and config.main == "ours":
        notes.append("there are no dev rows: every step's rows were kept")
    return notes


def _path(path: str | None) -> Path | None:
    return None if path is None else Path(path)
