"""The replies of a finished run, read and judged again: by today's parser, other thresholds, another verifier.

The teacher is not asked: its replies are in the blob store as they were. A verifier that is a model answers from the ledger what it was
asked before. Mistakes are not found anew either, for other mistakes would need other replies; so this says what the same replies are
worth under other rules, and a new run says what the rules would have led to. The test rows are left alone: dev rows judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...agents.rows import Ask, Written, read
from ...evaluators.rows import Judged, RowTable
from ...runtime.records import Record, flags_checked
from ...runtime.session import Session
from ...runtime.settings import Settings
from .config import Llm2LlmConfig
from .context import ArmContext
from .data import open_source
from .models import Models
from .repeat import Llm2LlmContext, nearness, save_student
from .result import ArmRun, Llm2LlmResult, Llm2LlmTask, StepRecord, task_id
from .stages import Stages
from .state import data_sha256, put, records_at, rows_of

__all__ = ["Rescored", "Rescoring", "rescore"]


class Rescored(Record):
    """One repeat judged again. `dev_before`, `dev`: accuracy on the dev rows with the rows of the run, and with those accepted now.

    `paid`: calls of language models that had to be paid (a new verifier's).
    """

    repeat: int
    accepted_before: int
    accepted: int
    table: RowTable
    dev_before: float | None = None
    dev: float | None = None
    data_sha256: str = ""
    paid: int = 0


class Rescoring(Record):
    """A run judged again: what changed in each repeat, and the run as it would be, its main arm alone and not measured."""

    repeats: tuple[Rescored, ...]
    result: Llm2LlmResult


async def rescore(
    result: Llm2LlmResult, changes: Mapping[str, Any], *, settings: Settings, run_id: str, student: Path | None = None
) -> Rescoring:
    """Every repeat of the main arm with `changes` to its config; the student of the first one goes to the folder `student`.

    Raises:
        BadInput: changes that cannot be.
        PrerequisiteError: replies are no longer in the blob store, or a new verifier cannot be had.
    """
    with flags_checked():
        config = Llm2LlmConfig.model_validate({**result.config, **_named(result), **changes})
    source = open_source(config)
    async with Session.aside(settings, f"{run_id}-rescored") as session:
        wrote = sorted({name for run in result.main_runs for name in run.teacher.split(", ")})
        models = Models(config, source.task, session, wrote=wrote)
        context = Llm2LlmContext(
            config=config, session=session, source=source, models=models, stages=Stages(session.store.ledger)
        )
        judged = [await _rescored(context, run) for run in result.main_runs]
        if student is not None:
            await save_student(context, judged[0][1], student)
    tasks = tuple(Llm2LlmTask(id=task_id(run.repeat), repeat=run.repeat, ways=(run,)) for _, run in judged)
    again = {"config": {**result.config, **changes}, "tasks": tasks, "table": (), "spent": {}, "stopped": None}
    return Rescoring(repeats=tuple(one for one, _ in judged), result=result.model_copy(update=again))


def _named(result: Llm2LlmResult) -> dict[str, Any]:
    """The teachers and verifiers of the run with the models' names, so that no server is asked what it serves today."""

    def named(spec: str, role: str) -> str:
        url, votes, rest = spec.partition(",votes=")
        known = result.models.get(role)
        asks = url.startswith(("http://", "https://")) and "#" not in url
        return f"{url}#{known['id']}{votes}{rest}" if asks and known else spec

    teachers, verifiers = result.config["teachers"], result.config["verifiers"]
    roles = [f"teacher {place}" if len(teachers) > 1 else "teacher" for place in range(1, len(teachers) + 1)]
    return {
        "teachers": tuple(named(spec, role) for spec, role in zip(teachers, roles, strict=True)),
        "verifiers": tuple(named(spec, "verifier") for spec in verifiers),
    }


async def _rescored(context: Llm2LlmContext, run: ArmRun) -> tuple[Rescored, ArmRun]:
    ledger, parts = context.session.store.ledger, context.source.parts(context.config.seed + run.repeat)
    before = ledger.counts().get("llm", {}).get("paid", 0)
    arm = await context.of_arm(run.way, parts, run.repeat, context.config.rows, writing=False)
    old = [
        row
        for step in run.steps
        if step.kept
        for row in rows_of([entry for entry in step.judged if entry.outcome == "accepted"])
    ]
    steps = await _judged_again(arm, run)
    kept = [entry for step in steps if step.kept for entry in step.judged if entry.outcome == "accepted"]
    kept = kept[: context.config.rows]
    rows = rows_of(kept)
    again = run.model_copy(
        update={
            "steps": tuple(steps),
            "rows": put(arm.blobs, kept) if kept else "",
            "added": len(rows),
            "data_sha256": data_sha256([*parts.seeds, *rows]),
            "verifier": "; ".join(verifier.name for verifier in arm.checks.verifiers),
            "contamination": nearness(kept, parts),
            "test": None,
            "spent": {},
        }
    )
    dev = [(await arm.measure(added, parts.dev)).accuracy if parts.dev else None for added in (old, rows)]
    rescored = Rescored(
        repeat=run.repeat,
        accepted_before=len(old),
        accepted=len(rows),
        table=again.table,
        dev_before=dev[0],
        dev=dev[1],
        data_sha256=again.data_sha256,
        paid=ledger.counts().get("llm", {}).get("paid", 0) - before,
    )
    return rescored, again


async def _judged_again(arm: ArmContext, run: ArmRun) -> list[StepRecord]:
    """The steps with every row as it is judged now; what the dev rows refused stays refused."""
    accepted: list[str] = []
    size = len(arm.seeds)
    steps = []
    for step in run.steps:
        asks = [Ask(seed=one.seed, wrong=one.said, unreadable=one.outcome == "format") for one in step.mistakes]
        table = RowTable(asked=step.table.asked)
        judged: list[Judged] = []
        for attempt, address in enumerate(step.replies):
            replies = [
                read(reply, reply.raw) if reply.raw else reply for reply in records_at(arm.blobs, address, Written)
            ]
            newest, counted = await arm.checks.judge(
                asks, replies, earlier=accepted, prefix=f"{run.way}.{run.repeat}.{step.step}.{attempt}.", seed=arm.seed
            )
            table += counted
            judged += newest
            accepted += [entry.text for entry in newest if entry.outcome == "accepted"]
        added = table.accepted if step.kept else 0
        size += added
        steps.append(
            step.model_copy(
                update={"judged": tuple(judged), "table": table, "added": added, "size": size, "dev": None, "note": ""}
            )
        )
    return steps
