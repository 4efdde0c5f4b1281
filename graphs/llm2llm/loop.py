"""LLM2LLM as one object: repeats of an experiment, each with every arm on its own draw of the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...runtime.run import Loop, Mapped, Session, exported
from ...tools.students import check_lengths
from .config import Llm2LlmConfig
from .data import open_source
from .models import Models
from .repeat import Llm2LlmContext, run_repeat
from .result import ArmRun, Llm2LlmResult, Llm2LlmTask, Spent, task_id
from .stages import Stages
from .state import judged_at, rows_of
from .table import table, undertrained

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

__all__ = ["graph", "llm2llm"]


def _repeats(config: Llm2LlmConfig) -> Mapping[str, int]:
    """The repeats by id; `BadInput` for files that cannot be used."""
    open_source(config)
    return {task_id(repeat): repeat for repeat in range(config.repeat)}


def _open(config: Llm2LlmConfig, session: Session) -> Llm2LlmContext:
    """Read the files and open the models; a row that is too long for the student is named before anything is done."""
    source = open_source(config)
    models = Models(config, source.task, session)
    draws = [source.parts(config.seed + repeat) for repeat in range(config.repeat)]
    for parts in draws:
        models.student.check(parts.seeds)
        check_lengths(models.student, parts.dev, "dev")
    check_lengths(models.student, draws[0].test, "test")
    session.notes += source.notes
    if not draws[0].test:
        session.notes.append("no test rows were given: there is no test score, and nothing is known about unseen rows")
    if not draws[0].dev and config.main == "ours":
        session.notes.append("there are no dev rows: every step's rows were kept")
    if models.oracle:
        session.notes.append(
            "the teacher was an oracle: its rows are unseen real rows. The figures show that the loop works, not what a teacher is worth"
        )
    return Llm2LlmContext(
        config=config, session=session, source=source, models=models, stages=Stages(session.store.ledger)
    )


async def _summary(context: Llm2LlmContext, mapped: Mapped[Llm2LlmTask]) -> Mapping[str, Any]:
    """The table, what each stage cost, and the student of the first repeat, in the run's folder."""
    config, session = context.config, context.session
    tasks = tuple(mapped.results.values())
    runs = [run for task in tasks for run in task.ways]
    await _save_student(context, tasks[0].ways[0])
    worth = tuple(table(runs, config.main))
    session.notes += [note for note in (undertrained(worth),) if note]
    parts = context.source.parts(config.seed + tasks[0].repeat)
    budget = next((run.stop.removeprefix("budget: ") for run in runs if run.stop.startswith("budget: ")), None)
    return {
        "task": context.source.task.model_dump(mode="json"),
        "main": config.main,
        "counts": {"seeds": len(parts.seeds), "dev": len(parts.dev), "test": len(parts.test), "pool": len(parts.pool)},
        "table": worth,
        "spent": _spent(runs),
        "stopped": budget,
    }


async def _save_student(context: Llm2LlmContext, run: ArmRun) -> None:
    """The student of the main arm; it was trained, and comes from the store."""
    seed = context.config.seed + run.repeat
    student = context.models.student.fresh()
    added = rows_of(judged_at(context.session.store.blobs, run.rows))
    await student.fit([*context.source.parts(seed).seeds, *added], seed)
    student.save(context.session.folder.path / "student")


def _spent(runs: list[ArmRun]) -> dict[str, Spent]:
    total: dict[str, Spent] = {}
    for run in runs:
        for stage, spent in run.spent.items():
            total[stage] = total.get(stage, Spent()) + spent
    return total


llm2llm = Loop(
    name="llm2llm",
    config=Llm2LlmConfig,
    result=Llm2LlmResult,
    inputs=_repeats,
    open=_open,
    work=run_repeat,
    summary=_summary,
    brings={
        "models": "by role: what `runtime.protocols` calls a Student (student, classifier) or a Chat (teacher, teacher 1, ..., verifier)"
    },
    brief="rows for what a small model gets wrong, and what they were worth",
)


def graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The loop for `langgraph dev`: the fields of `Llm2LlmConfig` in, the result out."""
    return exported(llm2llm)
