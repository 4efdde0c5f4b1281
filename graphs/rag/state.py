"""Where a question stands, and how the addresses of its state are read and written."""

from __future__ import annotations

import json
from typing import Any, TypedDict, TypeVar

from pydantic import TypeAdapter

from ...runtime.answers import Checked, CitedAnswer, Kind
from ...runtime.passages import Mode, Passage
from ..trace import Decision, Seen, Step
from .context import RagContext
from .events import Decided

__all__ = ["Pooled", "RagState", "checked_of", "first_state", "pool_of", "put", "shown_of", "task_fields", "trace"]

STATE_VERSION = 2
T = TypeVar("T")


class RagState(TypedDict):
    """Where a question stands; JSON only. `reason`: why there will be no answer, empty while there may be one.

    Addresses in the blob store, empty for none: `pool` (passages with their grades), `draft`, `checked`, `trace` (the
    decisions) and `answer`.
    """

    version: int
    task: str
    question: str
    kind: Kind
    mode: Mode
    queries: list[str]
    pool: str
    shown: list[str]
    attempt: int
    draft: str
    checked: str
    trace: str
    reason: str
    why: str
    answer: str


def first_state(task: str, question: str) -> RagState:
    """The state of a question that has not begun."""
    return RagState(
        version=STATE_VERSION, task=task, question=question, kind="question", mode="hybrid", queries=[], pool="", shown=[],
        attempt=0, draft="", checked="", trace="", reason="", why="", answer="",
    )  # fmt: skip


class Pooled(TypedDict):
    """A passage that was found: by which query, how near, its grade with a reason (None and "": not graded), and where its copies are."""

    passage: dict[str, Any]
    query: int
    similarity: float
    grade: float | None
    graded: str
    also: list[str]


def put(context: RagContext, value: Any) -> str:
    """The address of a JSON value in the blob store."""
    return context.blobs.put(json.dumps(value).encode(), "application/json").sha256


def pool_of(context: RagContext, state: RagState) -> list[Pooled]:
    """What was found so far, in the order of its finding."""
    return json.loads(context.blobs.get(state["pool"])) if state["pool"] else []


def shown_of(context: RagContext, state: RagState) -> list[Passage]:
    """The passages that the answerer is shown, in order."""
    by_id = {entry["passage"]["id"]: entry["passage"] for entry in pool_of(context, state)}
    return [Passage.model_validate(by_id[key]) for key in state["shown"]]


def checked_of(context: RagContext, state: RagState) -> list[Checked]:
    """Every sentence that was checked so far."""
    return _list(context, state["checked"], Checked)


def trace(context: RagContext, state: RagState, step: Step, *, by: str, said: str, why: str = "") -> str:
    """Tell of a decision; the address of the trace that ends with it."""
    decision = Decision(step=step, by=by, said=said, why=why)
    context.session.emit(Decided(task=state["task"], **decision.model_dump()))
    before = _list(context, state["trace"], Decision)
    return put(context, [each.model_dump(mode="json") for each in (*before, decision)])


def task_fields(context: RagContext, state: RagState) -> dict[str, Any]:
    """The fields of a `RagTask` from the state of a machine at its end."""
    shown = set(state["shown"])
    seen = [
        Seen(
            id=entry["passage"]["id"], document=entry["passage"]["document"], title=entry["passage"]["title"],
            source=entry["passage"]["source"], query=entry["query"], similarity=entry["similarity"], grade=entry["grade"],
            also=tuple(entry["also"]), graded=entry["graded"], shown=entry["passage"]["id"] in shown, excerpt=entry["passage"]["text"][:300],
        )
        for entry in pool_of(context, state)
    ]  # fmt: skip
    return {
        "question": state["question"],
        "answer": CitedAnswer.model_validate_json(context.blobs.get(state["answer"])),
        "queries": tuple(state["queries"]),
        "seen": tuple(seen),
        "checked": tuple(checked_of(context, state)),
        "decisions": tuple(_list(context, state["trace"], Decision)),
    }


def _list(context: RagContext, address: str, kind: type[T]) -> list[T]:
    """The records at an address of the state; none for an empty address."""
    return TypeAdapter(list[kind]).validate_json(context.blobs.get(address)) if address else []  # type: ignore[valid-type]
