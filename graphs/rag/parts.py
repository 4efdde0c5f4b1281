"""What the loop over passages works with: its parts, its state, and how the state's addresses are read and written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict

from pydantic import TypeAdapter

from ...agents.rag import Answerer, Grades, Rewrites, Routes
from ...runtime.answers import Checked, CitedAnswer, DraftSentence, Kind
from ...runtime.budget import Budget
from ...runtime.passages import Filter, Mode, Passage
from ...runtime.protocols import Index, Reranker
from ...runtime.store import BlobStore
from ..trace import Decision, Seen

__all__ = [
    "Pooled", "RagPorts", "RagState", "Verifies", "first_state", "load", "max_steps", "pool_of", "put", "shown_of", "task_record",
    "trace",
]  # fmt: skip

STATE_VERSION = 1


class Verifies(Protocol):
    """Whatever checks sentences against what they cite, one `Checked` each, in order."""

    @property
    def name(self) -> str: ...
    async def verify(
        self, question: str, kind: Kind, drafted: Sequence[DraftSentence], passages: Sequence[Passage]
    ) -> list[Checked]: ...
    async def contradict(self, pairs: Sequence[tuple[str, str]]) -> list[bool]: ...


@dataclass(frozen=True, kw_only=True)
class RagPorts:
    """What the machine works with.

    Without a `grader` every passage that is found is shown; without a `rewriter` there is one search; without a `verifier`
    the answer is what the answerer wrote, and the report says that nothing was checked. `k` passages are found, `shown` of
    them are answered from. `mode`, where given, overrules the router.
    """

    index: Index
    router: Routes
    grader: Grades | None
    rewriter: Rewrites | None
    answerer: Answerer
    verifier: Verifies | None
    blobs: BlobStore
    k: int = 10
    shown: int = 5
    rewrites: int = 1
    repairs: int = 1
    mode: Mode | None = None
    where: Filter | None = None
    reranker: Reranker | None = None
    budget: Budget = field(default_factory=Budget)
    tell: Callable[[dict[str, Any]], None] = lambda event: None


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


def max_steps(ports: RagPorts) -> int:
    """The most supersteps that the machine can take."""
    return 4 + 3 * (ports.rewrites + 1) + 2 * (ports.repairs + 1)


class Pooled(TypedDict):
    """A passage that was found: by which query, how near, and its grade with a reason (None and "": not graded)."""

    passage: dict[str, Any]
    query: int
    similarity: float
    grade: float | None
    graded: str


def load(ports: RagPorts, address: str, kind: Any) -> Any:
    """The value at an address of the state, validated; empty for an empty address."""
    return TypeAdapter(kind).validate_json(ports.blobs.get(address)) if address else kind()


def put(ports: RagPorts, value: Any) -> str:
    """The address of a JSON value in the blob store."""
    return ports.blobs.put(json.dumps(value).encode(), "application/json").sha256


def pool_of(ports: RagPorts, state: RagState) -> list[Pooled]:
    """What was found so far, in the order of its finding."""
    return json.loads(ports.blobs.get(state["pool"])) if state["pool"] else []


def shown_of(ports: RagPorts, state: RagState) -> list[Passage]:
    """The passages that the answerer is shown, in order."""
    by_id = {entry["passage"]["id"]: entry["passage"] for entry in pool_of(ports, state)}
    return [Passage.model_validate(by_id[key]) for key in state["shown"]]


def trace(ports: RagPorts, state: RagState, said: Decision) -> str:
    """Tell of a decision; the address of the trace that ends with it."""
    ports.tell({"event": "decision", "task": state["task"], **said.model_dump()})
    before = json.loads(ports.blobs.get(state["trace"])) if state["trace"] else []
    return put(ports, [*before, said.model_dump(mode="json")])


def task_record(ports: RagPorts, state: RagState) -> dict[str, Any]:
    """The fields of a `RagTask` from the state of a machine at its end."""
    shown = set(state["shown"])
    seen = [
        Seen(
            id=entry["passage"]["id"], document=entry["passage"]["document"], title=entry["passage"]["title"],
            source=entry["passage"]["source"], query=entry["query"], similarity=entry["similarity"], grade=entry["grade"],
            graded=entry["graded"], shown=entry["passage"]["id"] in shown, excerpt=entry["passage"]["text"][:300],
        )
        for entry in pool_of(ports, state)
    ]  # fmt: skip
    return {
        "question": state["question"],
        "answer": CitedAnswer.model_validate_json(ports.blobs.get(state["answer"])),
        "queries": tuple(state["queries"]),
        "seen": tuple(seen),
        "checked": tuple(load(ports, state["checked"], list[Checked])),
        "decisions": tuple(load(ports, state["trace"], list[Decision])),
    }
