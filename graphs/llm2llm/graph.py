"""LLM2LLM: a teacher writes what the student gets wrong (Lee et al. 2024, arXiv 2403.15042, algorithm 1).

    fit      a student is trained from the base on seeds and added rows; dev rows decide whether the newest rows are kept
    mine     the seeds that a student gets wrong: the mistakes
    teach    a teacher writes rows like each mistake, and is shown the wrong answer
    verify   copies, leaks and wrong labels are refused, by someone other than the writer; what is missing is asked for again
    add      the accepted rows join the training set on trial; round again
    confirm  the last student meets the test rows, once

Why this is a machine of its own and not `loop.py`: there candidates compete, each is realised and scored by itself, and the best few
are kept; here one training set grows, each step needs the errors of the student before it, and writing and refusing rows is a loop
inside of the step that has to be resumable and paid for once. Runner, checkpoints, ledger, budget and blob store are shared.

The state holds addresses and counters. Rows, mistakes, replies and judgements are in the blob store; each step is a chapter that
names the one before it. Nodes may run twice: replies come from the ledger, students from the store, draws from seeds.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from ...agents.rows import Ask, Written
from ...evaluators.rows import Judged, RowTable
from ...runtime.errors import CallFailed
from ...runtime.records import Row
from ...runtime.store import BlobStore
from .parts import Ports, ask_about, find_mistakes, measure, predictions, write_rows
from .result import Measured, Mistake, StepRecord

__all__ = ["LoopState", "added_rows", "build", "data_sha256", "first_state", "graph", "steps_of"]

STATE_VERSION = 1


class LoopState(TypedDict):
    """Where a way stands; JSON only. `stop` is the reason to end, empty while it goes on.

    Addresses in the blob store, empty for none: `kept` (the rows that were added and confirmed), `trial` (the rows of the step under
    way, accepted), `mistakes`, `replies` (of the step, the newest ones last), `judged` (all rows of the step), `dev` (the dev score of `kept`),
    `chapter` (the newest step), `test`.
    """

    version: int
    task: str
    step: int
    attempt: int
    size: int
    refused: int
    kept: str
    trial: str
    mistakes: str
    replies: list[str]
    judged: str
    table: dict[str, Any]
    dev: str
    chapter: str
    test: str
    spent: dict[str, Any]
    stop: str


def first_state(task: str) -> LoopState:
    """The state of a way that has not begun."""
    return LoopState(
        version=STATE_VERSION, task=task, step=0, attempt=0, size=0, refused=0, kept="", trial="", mistakes="", replies=[],
        judged="", table={}, dev="", chapter="", test="", spent={}, stop="",
    )  # fmt: skip


async def fit(state: LoopState, runtime: Runtime[Ports]) -> dict[str, Any]:
    """Measure the training set with the newest rows on the dev rows, keep or put aside these rows, and close the step."""
    ports = runtime.context
    kept, trial = _judged(ports, state["kept"]), _judged(ports, state["trial"])
    before = Measured.model_validate(_get(ports, state["dev"])) if state["dev"] else None
    dev, good, note = before, True, ""
    with ports.stages.stage("fine-tune", state["spent"]) as spent:
        if ports.dev and (trial or before is None):
            said = await predictions(ports, [*ports.seeds, *_rows([*kept, *trial])], ports.dev)
            dev = measure(ports.task, ports.dev, said)
            good, note = _confirmed(before, dev)
    rows = [*kept, *trial] if good else kept
    record = StepRecord(
        step=state["step"],
        mistakes=tuple(Mistake.model_validate(one) for one in _get(ports, state["mistakes"]))
        if state["mistakes"]
        else (),
        table=RowTable.model_validate(state["table"]) if state["table"] else RowTable(),
        judged=tuple(_judged(ports, state["judged"])),
        replies=tuple(state["replies"]),
        added=len(trial) if good else 0,
        size=len(ports.seeds) + len(rows),
        dev=dev,
        kept=good,
        note=note,
    )
    stop = _reason(ports, state, len(rows), refused=0 if good else state["refused"] + 1)
    ports.tell({"event": "step", "task": state["task"], **_brief(record), "stop": stop})
    return {
        "kept": _put(ports, [entry.model_dump(mode="json") for entry in rows]) if rows else "",
        "size": len(rows),
        "dev": (_put(ports, dev.model_dump(mode="json")) if good else state["dev"]) if dev else "",
        "refused": 0 if good else state["refused"] + 1,
        "chapter": _put(ports, {"before": state["chapter"], "step": record.model_dump(mode="json")}),
        "trial": "", "mistakes": "", "replies": [], "judged": "", "table": {}, "attempt": 0, "spent": spent, "stop": stop,
    }  # fmt: skip


def _confirmed(before: Measured | None, after: Measured) -> tuple[bool, str]:
    """Whether the dev rows speak against the newest rows: accuracy fell by more than two standard errors of the paired change.

    Dev rows are few, and one standard error refuses every sixth step that changes nothing.
    """
    if before is None:
        return True, ""
    changes = [int(b) - int(a) for a, b in zip(before.right, after.right, strict=True)]
    mean = sum(changes) / len(changes)
    spread = sum((change - mean) ** 2 for change in changes) / max(1, len(changes) - 1)
    error = math.sqrt(spread / len(changes))
    if mean < 0 and -mean > 2 * error:
        return False, f"put aside: dev fell from {100 * before.accuracy:.1f} to {100 * after.accuracy:.1f} points"
    return True, ""


def _reason(ports: Ports, state: LoopState, size: int, *, refused: int) -> str:
    if state["step"] >= ports.steps:
        return "steps" if ports.steps else "seeds only"
    if ports.cap is not None and size >= ports.cap:
        return "size reached"
    if refused >= ports.patience:
        return f"the dev rows refused {refused} steps in a row"
    spent = ports.budget.exhausted()
    return f"budget: {spent}" if spent else ""


def _after_fit(state: LoopState) -> Literal["mine", "confirm"]:
    return "confirm" if state["stop"] else "mine"


async def mine(state: LoopState, runtime: Runtime[Ports]) -> dict[str, Any]:
    """Find the mistakes; none is an end of its own."""
    ports, step = runtime.context, state["step"] + 1
    wanted = None if ports.cap is None else ports.cap - state["size"]
    with ports.stages.stage("find mistakes", state["spent"]) as spent:
        found = await find_mistakes(ports, _rows(_judged(ports, state["kept"])), step, wanted)
    if not found:
        ports.tell({"event": "no_mistakes", "task": state["task"], "step": step, "mining": ports.mining})
        return {"stop": "no errors left", "spent": spent}
    ports.tell({"event": "mistakes", "task": state["task"], "step": step, "count": len(found), "of": len(ports.seeds)})
    return {"step": step, "mistakes": _put(ports, [one.model_dump(mode="json") for one in found]), "spent": spent}


def _after_mine(state: LoopState) -> Literal["teach", "confirm"]:
    return "confirm" if state["stop"] else "teach"


async def teach(state: LoopState, runtime: Runtime[Ports]) -> dict[str, Any]:
    """Ask the teachers for the rows that are missing.

    Raises `CallFailed` when every call failed in a way that may pass: the run stops, and can be resumed.
    """
    ports = runtime.context
    judged = _judged(ports, state["judged"])
    asks = _asks(ports, state, judged)
    taken = frozenset([*(row.text for row in ports.seeds), *_earlier(ports, state), *(entry.text for entry in judged)])
    with ports.stages.stage("teacher", state["spent"]) as spent:
        written = await write_rows(ports, asks, step=state["step"], attempt=state["attempt"], taken=taken)
    if written and all(reply.failed and reply.passing for reply in written):
        raise CallFailed(
            f"the teacher {written[0].teacher!r} failed on all {len(written)} requests of step {state['step']}: {written[0].failed}",
            retryable=True,
        )
    asked = sum(n for _, n in asks)
    table = RowTable.model_validate(state["table"]) if state["table"] else RowTable()
    return {
        "replies": [*state["replies"], _put(ports, [reply.model_dump(mode="json") for reply in written])],
        "table": (table + RowTable(asked=asked)).model_dump(mode="json"),
        "spent": spent,
    }


async def verify(state: LoopState, runtime: Runtime[Ports]) -> dict[str, Any]:
    """Judge the newest rows."""
    ports = runtime.context
    judged = _judged(ports, state["judged"])
    written = [Written.model_validate(reply) for reply in _get(ports, state["replies"][-1])]
    asks = [ask for ask, _ in _asks(ports, state, judged)]
    earlier = [*_earlier(ports, state), *(entry.text for entry in judged if entry.outcome == "accepted")]
    prefix = f"{state['task']}.{state['step']}.{state['attempt']}."
    with ports.stages.stage("verify", state["spent"]) as spent:
        found, table = await ports.checks.judge(asks, written, earlier=earlier, prefix=prefix, seed=ports.seed)
    total = RowTable.model_validate(state["table"]) + table
    ports.tell({"event": "rows", "task": state["task"], "step": state["step"], "lines": total.lines()})
    return {
        "judged": _put(ports, [entry.model_dump(mode="json") for entry in [*judged, *found]]),
        "table": total.model_dump(mode="json"),
        "attempt": state["attempt"] + 1,
        "spent": spent,
    }


async def add(state: LoopState, runtime: Runtime[Ports]) -> dict[str, Any]:
    """Take the accepted rows, at most as many as are wanted; or ask again for those that are missing."""
    ports = runtime.context
    judged = _judged(ports, state["judged"])
    accepted = [entry for entry in judged if entry.outcome == "accepted"]
    room = None if ports.cap is None else ports.cap - state["size"]
    full = room is not None and len(accepted) >= room
    if state["attempt"] < ports.attempts and not full and _asks(ports, state, judged) and not ports.budget.exhausted():
        return {}
    accepted = accepted if room is None else accepted[:room]
    if not accepted and ports.mining != "random":
        # what was refused belongs to the record of this step, which `fit` would have closed
        record = StepRecord(
            step=state["step"],
            mistakes=tuple(Mistake.model_validate(one) for one in _get(ports, state["mistakes"])),
            table=RowTable.model_validate(state["table"]),
            judged=tuple(judged),
            replies=tuple(state["replies"]),
            size=len(ports.seeds) + state["size"],
            note="nothing was accepted",
        )
        ports.tell({"event": "step", "task": state["task"], **_brief(record), "stop": "nothing accepted"})
        return {
            "chapter": _put(ports, {"before": state["chapter"], "step": record.model_dump(mode="json")}),
            "stop": "nothing accepted",
        }
    return {"trial": _put(ports, [entry.model_dump(mode="json") for entry in accepted])}


def _after_add(state: LoopState) -> Literal["teach", "fit", "confirm"]:
    if state["stop"]:
        return "confirm"
    return "fit" if state["trial"] else "teach"


async def confirm(state: LoopState, runtime: Runtime[Ports]) -> dict[str, Any]:
    """Train on what was kept, and look at the test rows for the first and only time."""
    ports = runtime.context
    if not ports.test:
        return {"test": ""}
    with ports.stages.stage("fine-tune", state["spent"]) as spent:
        rows = [*ports.seeds, *_rows(_judged(ports, state["kept"]))]
        found = measure(ports.task, ports.test, await predictions(ports, rows, ports.test))
    ports.tell({"event": "test", "task": state["task"], "accuracy": found.accuracy, "n": found.n})
    return {"test": _put(ports, found.model_dump(mode="json")), "spent": spent}


def _asks(ports: Ports, state: LoopState, judged: Sequence[Judged]) -> list[tuple[Ask, int]]:
    """What is still missing in this step: each mistake with too few accepted rows, with how many.

    Where fewer rows may be added than all mistakes want, they are asked for mistakes drawn blindly, and no more than may be added: the
    first ones in the file would be those of its first classes.
    """
    accepted = Counter(entry.seed for entry in judged if entry.outcome == "accepted")
    texts: dict[str, list[str]] = {}
    for entry in judged:
        texts.setdefault(entry.seed, []).append(entry.text)
    mistakes = [Mistake.model_validate(found) for found in _get(ports, state["mistakes"])]
    room = len(mistakes) * ports.per_error
    if ports.cap is not None and ports.cap - state["size"] < room:
        room = ports.cap - state["size"]
        random.Random(f"room/{ports.seed}/{state['step']}").shuffle(mistakes)
    room -= accepted.total()
    asks = []
    for mistake in mistakes:
        missing = min(ports.per_error - accepted[mistake.seed.id], room)
        if missing > 0:
            asks.append((ask_about(ports, mistake, texts.get(mistake.seed.id, ())), missing))
            room -= missing
    return asks


def _earlier(ports: Ports, state: LoopState) -> list[str]:
    """The texts of all rows that were accepted in earlier steps, also of those that were put aside."""
    return [
        entry.text
        for step in steps_of(ports.blobs, state["chapter"])
        for entry in step.judged
        if entry.outcome == "accepted"
    ]


def _rows(judged: Sequence[Judged]) -> list[Row]:
    return [entry.row for entry in judged if entry.row is not None]


def _judged(ports: Ports, address: str) -> list[Judged]:
    return [Judged.model_validate(entry) for entry in _get(ports, address)] if address else []


def _brief(record: StepRecord) -> dict[str, Any]:
    return {
        "step": record.step, "mistakes": len(record.mistakes), "added": record.added, "size": record.size,
        "dev": None if record.dev is None else record.dev.accuracy, "kept": record.kept, "note": record.note,
    }  # fmt: skip


def _put(ports: Ports, value: Any) -> str:
    return ports.blobs.put(
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), "application/json"
    ).sha256


def _get(ports: Ports, address: str) -> Any:
    return json.loads(ports.blobs.get(address))


def added_rows(blobs: BlobStore, address: str) -> list[Judged]:
    """The rows at an address, with their lineage."""
    return [Judged.model_validate(entry) for entry in json.loads(blobs.get(address))] if address else []


def steps_of(blobs: BlobStore, chapter: str) -> list[StepRecord]:
    """Every step of a chain of chapters, the first one first."""
    found: list[StepRecord] = []
    while chapter:
        value = json.loads(blobs.get(chapter))
        found.insert(0, StepRecord.model_validate(value["step"]))
        chapter = value["before"]
    return found


def data_sha256(rows: Sequence[Row]) -> str:
    """Names a training set: its rows' texts and labels in their order."""
    lines = [json.dumps([row.text, row.label], ensure_ascii=False) for row in rows]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def build() -> StateGraph[LoopState, Ports, LoopState, LoopState]:
    """The state machine, not compiled: run it with `runtime.runner.Runner`, or compile it and go your own way."""
    machine = StateGraph(LoopState, context_schema=Ports)
    for node in (fit, mine, teach, verify, add, confirm):
        machine.add_node(node.__name__, node)
    machine.add_edge(START, "fit")
    machine.add_conditional_edges("fit", _after_fit)
    machine.add_conditional_edges("mine", _after_mine)
    machine.add_edge("teach", "verify")
    machine.add_edge("verify", "add")
    machine.add_conditional_edges("add", _after_add)
    machine.add_edge("confirm", END)
    return machine


graph = build().compile(name="llm2llm")
"""The compiled machine for `langgraph dev` and for users who bring their own `Ports` as context."""
