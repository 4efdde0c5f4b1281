"""One repeat: every arm on one draw of the seeds.

The main arm goes first; how many rows it added is how many the others get. Arms and repeats share the ledger, so what two of them ask
alike is paid once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...evaluators.rows import Contamination, Judged, contamination, foreign
from ...runtime.session import Session
from .arms import ARMS, arms_of
from .config import Llm2LlmConfig
from .context import ArmContext, measured
from .data import Parts, Source
from .events import ArmDone, ArmStarted
from .graph import build
from .models import Models
from .result import ArmRun, Llm2LlmTask, Spent
from .stages import Stages
from .state import ArmState, data_sha256, first_state, judged_at, measured_at, rows_of, steps_of

__all__ = ["Llm2LlmContext", "nearness", "run_repeat", "save_student"]


@dataclass(frozen=True, kw_only=True)
class Llm2LlmContext:
    """What the repeats of a run share."""

    config: Llm2LlmConfig
    session: Session
    source: Source
    models: Models
    stages: Stages
    training: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of_arm(
        self, name: str, parts: Parts, repeat: int, cap: int | None, *, writing: bool = True
    ) -> ArmContext:
        """What an arm works with; `cap`: the most rows that it may add; `writing` False: rows are judged, and no teacher is opened."""
        config, arm = self.config, ARMS[name]
        steps = 0 if arm.rows == "none" or cap == 0 else config.rounds(arm)
        return ArmContext(
            task=self.source.task,
            student=self.models.student,
            seeds=parts.seeds,
            dev=parts.dev if name == "ours" else (),
            test=parts.test,
            mining=arm.mining,
            teachers=self.models.teachers(arm, parts) if steps and writing else (),
            checks=await self.models.checks(arm, parts, config.seed + repeat),
            blobs=self.session.store.blobs,
            steps=steps,
            per_error=config.per_error if arm.checks == "all" else 1,
            cap=cap,
            attempts=config.attempts,
            folds=config.folds,
            seed=config.seed + repeat,
            budget=self.session.budget,
            stages=self.stages,
            training=self.training,
            emit=self.session.emit,
        )


async def run_repeat(context: Llm2LlmContext, id: str, repeat: int) -> Llm2LlmTask:
    """Every arm of a repeat; of all but the main one, single rows stay in the blob store alone."""
    config = context.config
    parts = context.source.parts(config.seed + repeat)
    main = await _run(context, config.main, parts, repeat, config.rows)
    runs = [main]
    if config.soup != "none" and config.main == "ours":
        runs.append(await _soup(context, parts, main))
    for name in arms_of(config.compare, config.main, pool=bool(parts.pool))[1:]:
        runs.append((await _run(context, name, parts, repeat, main.added)).light())
    return Llm2LlmTask(id=id, repeat=repeat, ways=tuple(runs))


async def _run(context: Llm2LlmContext, name: str, parts: Parts, repeat: int, cap: int | None) -> ArmRun:
    session, id = context.session, f"{name}.{repeat}"
    arm = await context.of_arm(name, parts, repeat, cap)
    session.emit(ArmStarted(task=id, way=name, repeat=repeat, steps=arm.steps, cap=cap))
    most = 10 + (arm.steps + 1) * (3 * arm.attempts + 5)
    state = await session.finish(build(), context=arm, id=id, start=first_state(id), max_steps=most)
    run = _run_of(arm, state, name, parts, repeat)
    accuracy = None if run.test is None else run.test.accuracy
    session.emit(ArmDone(task=id, way=name, stop=run.stop, added=run.added, accuracy=accuracy))
    return run


def _run_of(arm: ArmContext, state: ArmState, name: str, parts: Parts, repeat: int) -> ArmRun:
    added = judged_at(arm.blobs, state["kept"])
    return ArmRun(
        way=name,
        repeat=repeat,
        stop=state["stop"],
        seeds=len(parts.seeds),
        added=len(added),
        rows=state["kept"],
        data_sha256=data_sha256([*parts.seeds, *rows_of(added)]),
        teacher=", ".join(teacher.model for teacher in arm.teachers),
        verifier="; ".join(verifier.name for verifier in arm.checks.verifiers),
        steps=tuple(steps_of(arm.blobs, state["chapter"])),
        test=measured_at(arm.blobs, state["test"]),
        contamination=nearness(added, parts),
        warnings=_languages(added, parts),
        spent={stage: Spent.model_validate(spent) for stage, spent in state["spent"].items()},
    )


def nearness(added: Sequence[Judged], parts: Parts) -> tuple[Contamination, ...]:
    """How near the added rows are to those that are measured on."""
    unseen = {name: [row.text for row in rows] for name, rows in (("test", parts.test), ("dev", parts.dev)) if rows}
    return tuple(contamination([entry.text for entry in added], unseen)) if added else ()


def _languages(added: Sequence[Judged], parts: Parts) -> tuple[str, ...]:
    """A sentence where added rows are in another language than the seeds."""
    others = foreign([entry.text for entry in added], [row.text for row in parts.seeds])
    if not others:
        return ()
    counts = ", ".join(f"{len(texts)} {language}" for language, texts in others.items())
    example = next(iter(others.values()))[0]
    count = sum(map(len, others.values()))
    return (
        f"{count} of {len(added)} added rows are in another language than the seeds, as far as their words tell ({counts}), such as {example[:80]!r}",
    )


async def save_student(context: Llm2LlmContext, run: ArmRun, folder: Path) -> None:
    """Write the student of an arm's rows; one that was trained comes from the store."""
    seed = context.config.seed + run.repeat
    student = context.models.student.fresh()
    added = rows_of(judged_at(context.session.store.blobs, run.rows))
    await student.fit([*context.source.parts(seed).seeds, *added], seed)
    student.save(folder)


async def _soup(context: Llm2LlmContext, parts: Parts, main: ArmRun) -> ArmRun:
    """The students of the kept steps, each trained from the base, as one; they come from the store."""
    from ...tools.students import soup

    config, task, session = context.config, context.source.task, context.session
    rows = [*parts.seeds, *rows_of(judged_at(session.store.blobs, main.rows))]
    students = []
    for size in sorted({step.size for step in main.steps if step.kept}):
        student = context.models.student.fresh()
        await student.fit(rows[:size], config.seed + main.repeat)
        students.append(student)
    async with context.training:
        averaged = await soup(students, "uniform" if config.soup == "none" else config.soup, dev=parts.dev)
        answers = await averaged.predict([row.text for row in parts.test], scores=False) if parts.test else []
        if main.repeat == 0:
            averaged.save(session.folder.path / "soup")
    test = measured(task, parts.test, answers) if parts.test else None
    stop = f"{config.soup} soup of {len(students)} students"
    return main.model_copy(
        update={"way": "soup", "stop": stop, "steps": (), "test": test, "spent": {}, "contamination": ()}
    )
