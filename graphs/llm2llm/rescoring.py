"""The replies of a finished run, read and judged again: by today's parser, other thresholds, another verifier.

The teacher is not asked: its replies are in the blob store as they were. A verifier that is a model answers from the ledger what it was
asked before. Mistakes are not found anew either, for other mistakes would need other replies; so this says what the same replies are
worth under other rules, and a new run says what the rules would have led to. The test rows are left alone: dev rows judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...agents.rows import Ask, Written, read
from ...evaluators.rows import RowTable
from ...runtime.records import Record, Row, flags_checked
from ...runtime.run import Session
from ...runtime.settings import Settings
from .config import Llm2LlmConfig
from .context import ArmContext
from .data import open_source
from .models import Models
from .repeat import Llm2LlmContext
from .result import ArmRun, Llm2LlmResult
from .stages import Stages
from .state import data_sha256, records_at, rows_of

__all__ = ["Rescored", "rescore"]


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


async def rescore(
    result: Llm2LlmResult, changes: Mapping[str, Any], *, settings: Settings, run_id: str
) -> list[Rescored]:
    """Every repeat of the main arm with `changes` to its config.

    Raises:
        BadInput: changes that cannot be.
        PrerequisiteError: replies are no longer in the blob store.
    """
    with flags_checked():
        config = Llm2LlmConfig.model_validate({**result.config, **changes})
    source = open_source(config)
    async with Session.aside(settings, f"{run_id}-rescored") as session:
        models = Models(config, source.task, session)
        context = Llm2LlmContext(
            config=config, session=session, source=source, models=models, stages=Stages(session.store.ledger)
        )
        return [await _rescored(context, run) for run in result.main_runs]


async def _rescored(context: Llm2LlmContext, run: ArmRun) -> Rescored:
    ledger, parts = context.session.store.ledger, context.source.parts(context.config.seed + run.repeat)
    before = ledger.counts().get("llm", {}).get("paid", 0)
    arm = await context.of_arm(run.way, parts, run.repeat, context.config.rows)
    old = [
        row
        for step in run.steps
        if step.kept
        for row in rows_of([entry for entry in step.judged if entry.outcome == "accepted"])
    ]
    rows, table = await _judged_again(arm, run)
    rows = rows[: context.config.rows]
    dev = [(await arm.measure(added, parts.dev)).accuracy if parts.dev else None for added in (old, rows)]
    return Rescored(
        repeat=run.repeat,
        accepted_before=len(old),
        accepted=len(rows),
        table=table,
        dev_before=dev[0],
        dev=dev[1],
        data_sha256=data_sha256([*parts.seeds, *rows]),
        paid=ledger.counts().get("llm", {}).get("paid", 0) - before,
    )


async def _judged_again(arm: ArmContext, run: ArmRun) -> tuple[list[Row], RowTable]:
    """The rows that are accepted now, without those of steps that the dev rows refused; and what became of all rows."""
    kept: list[Row] = []
    accepted: list[str] = []
    table = RowTable()
    for step in run.steps:
        asks = [Ask(seed=one.seed, wrong=one.said, unreadable=one.outcome == "format") for one in step.mistakes]
        table += RowTable(asked=step.table.asked)
        for attempt, address in enumerate(step.replies):
            replies = [
                read(reply, reply.raw) if reply.raw else reply for reply in records_at(arm.blobs, address, Written)
            ]
            judged, counted = await arm.checks.judge(
                asks, replies, earlier=accepted, prefix=f"{step.step}.{attempt}.", seed=arm.seed
            )
            table += counted
            rows = rows_of([entry for entry in judged if entry.outcome == "accepted"])
            accepted += [row.text for row in rows]
            kept += rows if step.kept else []
    return kept, table
