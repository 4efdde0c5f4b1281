"""LLM2LLM: a teacher writes what the student gets wrong (Lee et al. 2024, arXiv 2403.15042, algorithm 1).

    fit      a student is trained from the base on the seeds, the kept rows and those on trial, and answers the dev rows
    gate     the rows on trial are kept, unless the dev rows speak against them
    close    the step is written down, and whether another one follows is decided
    mine     the seeds that a student gets wrong: the mistakes
    teach    a teacher writes rows like each mistake, and is shown the wrong answer
    verify   copies, leaks and wrong labels are refused, by someone other than the writer
    add      what is missing is asked for again; then the accepted rows go on trial, and round again
    confirm  the last student meets the test rows, once

Why this is not the machine of Opt2I: there candidates compete, each is realised and scored by itself, and the best few are kept; here
one training set grows, each step needs the errors of the student before it, and writing and refusing rows is a loop inside of the step
that has to be resumable and paid for once.

The state holds addresses and counters. Rows, mistakes, replies and judgements are in the blob store; each step is a chapter that
names the one before it. Nodes may run twice: replies come from the ledger, students from the store, draws from seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from ...agents.rows import Ask, Written
from ...evaluators.rows import Judged, RowTable
from ...evaluators.stats import mean, standard_error
from ...runtime.errors import CallFailed
from .context import ArmContext
from .events import ArmTested, MistakesFound, NoMistakes, RowsJudged, StepDone
from .mistakes import find_mistakes
from .result import Measured, Mistake
from .state import ArmState, earlier_texts, judged_at, measured_at, put, put_chapter, records_at, rows_of, step_of
from .teaching import missing_asks, write_rows

__all__ = ["build"]


async def fit(state: ArmState, runtime: Runtime[ArmContext]) -> dict[str, Any]:
    """Measure on the dev rows what a student learns from the kept rows and those on trial."""
    context, blobs = runtime.context, runtime.context.blobs
    if not context.dev:
        return {}
    rows = rows_of([*judged_at(blobs, state["kept"]), *judged_at(blobs, state["trial"])])
    with context.stages.stage("fine-tune", state["spent"]) as spent:
        dev = await context.measure(rows, context.dev)
    return {"measured": put(blobs, dev), "spent": spent}


async def gate(state: ArmState, runtime: Runtime[ArmContext]) -> dict[str, Any]:
    """Keep the rows on trial, or put them aside."""
    blobs = runtime.context.blobs
    before, after = measured_at(blobs, state["dev"]), measured_at(blobs, state["measured"])
    if before is not None and after is not None and _fell(before, after):
        change = f"from {100 * before.accuracy:.1f} to {100 * after.accuracy:.1f} points"
        return {"refused": state["refused"] + 1, "note": f"put aside: dev fell {change}"}
    kept = [*judged_at(blobs, state["kept"]), *judged_at(blobs, state["trial"])]
    return {"refused": 0, "kept": put(blobs, kept) if kept else "", "dev": state["measured"]}


def _fell(before: Measured, after: Measured) -> bool:
    """Whether accuracy fell by more than two standard errors of the paired change.

    Dev rows are few, and one standard error refuses every sixth step that changes nothing.
    """
    changes = [float(b) - float(a) for a, b in zip(before.right, after.right, strict=True)]
    change = mean(changes) or 0.0
    return change < 0 and -change > 2 * (standard_error(changes) or 0.0)


async def close(state: ArmState, runtime: Runtime[ArmContext]) -> dict[str, Any]:
    """Write the step down, clear the desk for the next one, and say why none follows."""
    context = runtime.context
    step = step_of(context.blobs, state, seeds=len(context.seeds))
    size = step.size - len(context.seeds)
    stop = state["stop"] or _stop(context, state, size)
    context.emit(
        StepDone(
            task=state["task"], step=step.step, mistakes=len(step.mistakes), added=step.added, size=step.size,
            dev=None if step.dev is None else step.dev.accuracy, kept=step.kept, note=step.note, stop=stop,
        )
    )  # fmt: skip
    return {
        "chapter": put_chapter(context.blobs, state["chapter"], step), "size": size, "stop": stop,
        "trial": "", "mistakes": "", "replies": [], "judged": "", "table": {}, "attempt": 0, "measured": "", "note": "",
    }  # fmt: skip


def _stop(context: ArmContext, state: ArmState, size: int) -> str:
    """Why no step follows; empty where one does. `size`: rows added so far."""
    if state["step"] >= context.steps:
        return "steps" if context.steps else "seeds only"
    if context.cap is not None and size >= context.cap:
        return "size reached"
    if state["refused"] >= context.patience:
        return f"the dev rows refused {state['refused']} steps in a row"
    exhausted = context.budget.exhausted()
    return f"budget: {exhausted}" if exhausted else ""


def _closed(state: ArmState) -> Literal["mine", "confirm"]:
    return "confirm" if state["stop"] else "mine"


async def mine(state: ArmState, runtime: Runtime[ArmContext]) -> dict[str, Any]:
    """Find the mistakes; none is an end of its own."""
    context, step = runtime.context, state["step"] + 1
    wanted = None if context.cap is None else context.cap - state["size"]
    with context.stages.stage("find mistakes", state["spent"]) as spent:
        mistakes = await find_mistakes(context, rows_of(judged_at(context.blobs, state["kept"])), step, wanted)
    if not mistakes:
        context.emit(NoMistakes(task=state["task"], step=step, mining=context.mining))
        return {"stop": "no errors left", "spent": spent}
    context.emit(MistakesFound(task=state["task"], step=step, count=len(mistakes), of=len(context.seeds)))
    return {"step": step, "mistakes": put(context.blobs, mistakes), "spent": spent}


def _mined(state: ArmState) -> Literal["teach", "confirm"]:
    return "confirm" if state["stop"] else "teach"


async def teach(state: ArmState, runtime: Runtime[ArmContext]) -> dict[str, Any]:
    """Ask the teachers for the rows that are missing.

    Raises:
        CallFailed: every call failed in a way that may pass: the run stops, and can be resumed.
    """
    context, judged = runtime.context, judged_at(runtime.context.blobs, state["judged"])
    asks = _missing(context, state, judged)
    taken = [
        *(row.text for row in context.seeds),
        *earlier_texts(context.blobs, state),
        *(entry.text for entry in judged),
    ]
    with context.stages.stage("teacher", state["spent"]) as spent:
        written = await write_rows(context, asks, step=state["step"], attempt=state["attempt"], taken=frozenset(taken))
    if written and all(reply.failed and reply.passing for reply in written):
        raise CallFailed(
            f"the teacher {written[0].teacher!r} failed on all {len(written)} requests of step {state['step']}: {written[0].failed}",
            retryable=True,
        )
    table = RowTable.model_validate(state["table"]) + RowTable(asked=sum(n for _, n in asks))
    return {
        "replies": [*state["replies"], put(context.blobs, written)],
        "table": table.model_dump(mode="json"),
        "spent": spent,
    }


async def verify(state: ArmState, runtime: Runtime[ArmContext]) -> dict[str, Any]:
    """Judge the newest rows."""
    context, judged = runtime.context, judged_at(runtime.context.blobs, state["judged"])
    written = records_at(context.blobs, state["replies"][-1], Written)
    asks = [ask for ask, _ in _missing(context, state, judged)]
    accepted = [entry.text for entry in judged if entry.outcome == "accepted"]
    with context.stages.stage("verify", state["spent"]) as spent:
        newest, table = await context.checks.judge(
            asks,
            written,
            earlier=[*earlier_texts(context.blobs, state), *accepted],
            prefix=f"{state['task']}.{state['step']}.{state['attempt']}.",
            seed=context.seed,
        )
    table = RowTable.model_validate(state["table"]) + table
    context.emit(RowsJudged(task=state["task"], step=state["step"], lines=tuple(table.lines())))
    return {
        "judged": put(context.blobs, [*judged, *newest]),
        "table": table.model_dump(mode="json"),
        "attempt": state["attempt"] + 1,
        "spent": spent,
    }


async def add(state: ArmState, runtime: Runtime[ArmContext]) -> dict[str, Any]:
    """Put the accepted rows on trial, at most as many as are wanted; nothing, where those that are missing are asked for again."""
    context, judged = runtime.context, judged_at(runtime.context.blobs, state["judged"])
    accepted = [entry for entry in judged if entry.outcome == "accepted"]
    room = None if context.cap is None else context.cap - state["size"]
    full = room is not None and len(accepted) >= room
    another = state["attempt"] < context.attempts and not context.budget.exhausted()
    if another and not full and _missing(context, state, judged):
        return {}
    if not accepted and context.mining != "random":  # who draws blindly may draw better in the next step
        return {"stop": "nothing accepted", "note": "nothing was accepted"}
    return {"trial": put(context.blobs, accepted[:room])}


def _added(state: ArmState) -> Literal["teach", "fit", "close"]:
    if state["stop"]:
        return "close"
    return "fit" if state["trial"] else "teach"


async def confirm(state: ArmState, runtime: Runtime[ArmContext]) -> dict[str, Any]:
    """Train on what was kept, and look at the test rows for the first and only time."""
    context = runtime.context
    if not context.test:
        return {"test": ""}
    with context.stages.stage("fine-tune", state["spent"]) as spent:
        test = await context.measure(rows_of(judged_at(context.blobs, state["kept"])), context.test)
    context.emit(ArmTested(task=state["task"], accuracy=test.accuracy, n=test.n))
    return {"test": put(context.blobs, test), "spent": spent}


def _missing(context: ArmContext, state: ArmState, judged: Sequence[Judged]) -> list[tuple[Ask, int]]:
    mistakes = records_at(context.blobs, state["mistakes"], Mistake)
    return missing_asks(context, mistakes, judged, step=state["step"], size=state["size"])


def build() -> StateGraph[ArmState, ArmContext, ArmState, ArmState]:
    """The state machine of one arm, not compiled; `Session.finish` runs it."""
    graph = StateGraph(ArmState, context_schema=ArmContext)
    for node in (fit, gate, close, mine, teach, verify, add, confirm):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "fit")
    graph.add_edge("fit", "gate")
    graph.add_edge("gate", "close")
    graph.add_conditional_edges("close", _closed)
    graph.add_conditional_edges("mine", _mined)
    graph.add_edge("teach", "verify")
    graph.add_edge("verify", "add")
    graph.add_conditional_edges("add", _added)
    graph.add_edge("confirm", END)
    return graph
