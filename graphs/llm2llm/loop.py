"""LLM2LLM as one object: repeats of an experiment, each with every arm on its own draw of the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.run import Loop, exported
from ...runtime.session import Mapped, Session
from ...tools.students import check_lengths, check_soup
from .arms import arms_of
from .config import Llm2LlmConfig
from .data import Parts, open_source
from .models import Models
from .repeat import Llm2LlmContext, run_repeat, save_student
from .result import ArmRun, Llm2LlmResult, Llm2LlmTask, Spent, task_id
from .stages import Stages
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
    models.open_chats()
    draws = [source.parts(config.seed + repeat) for repeat in range(config.repeat)]
    for parts in draws:
        models.student.check(parts.seeds)
        check_lengths(models.student, parts.dev, "dev")
        _check_pool(config, parts, oracle=models.oracle)
    if config.soup != "none" and config.main == "ours":
        check_soup(models.student, config.soup, dev=[row for parts in draws for row in parts.dev])
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


def _check_pool(config: Llm2LlmConfig, parts: Parts, *, oracle: bool) -> None:
    """Raises `BadInput` where real rows are asked for and none are left."""
    if parts.pool:
        return
    if oracle:
        raise BadInput(
            f"--teacher oracle: none of the rows of {config.paths['pool']!r} can be given, for each is a seed, a dev or a test row. Give a"
            " file of other rows, or learn from some of the rows alone: --seeds-per-class N."
        )
    if "oracle" in arms_of(config.compare, config.main, pool=False):
        raise BadInput(
            "--compare oracle: there are no real rows left for it. Leave it out, or learn from some of the rows alone: --seeds-per-class N."
        )


async def _summary(context: Llm2LlmContext, mapped: Mapped[Llm2LlmTask]) -> Mapping[str, Any]:
    """The table, what each stage cost, and the student of the first repeat, in the run's folder."""
    config, session = context.config, context.session
    tasks = tuple(mapped.results.values())
    runs = [run for task in tasks for run in task.ways]
    await save_student(context, tasks[0].ways[0], session.folder.path / "student")
    redrawn = len({context.source.parts(config.seed + task.repeat).seeds_sha256 for task in tasks}) > 1
    if len(tasks) > 1 and not redrawn:
        session.notes.append(
            f"the seeds were the same in all {len(tasks)} repeats, for all rows are learned from: there is no standard error."
            " --seeds-per-class draws others for each repeat"
        )
    worth = tuple(table(runs, config.main, redrawn=redrawn))
    session.notes += [warning for task in tasks for warning in task.ways[0].warnings]
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
