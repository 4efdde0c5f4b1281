"""What the RAG loop leaves behind: the answer of each question, with every decision on the way to it.

`result.json` of a run folder is a `RagOutcome`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..runtime.answers import Checked, CitedAnswer
from ..runtime.records import Cost, Record

__all__ = ["Decision", "RagOutcome", "RagTask", "Seen"]

SCHEMA_VERSION = 1

Step = Literal[
    "route", "retrieve", "grade", "rewrite", "answer", "verify", "conclude",
    "caption", "tags", "text", "examples", "knowledge", "candidates", "direct", "check", "look",
]  # fmt: skip
"""Of the RAG loop, and of the loop over pictures (`graphs.promptcap`)."""


class Decision(Record):
    """One decision: which step, who took it, what it came to, and why."""

    step: Step
    by: str
    said: str
    why: str = ""


class Seen(Record):
    """A passage that was found: by which query (0: the first), how similar, and its grade (None: not graded)."""

    id: str
    document: str
    title: str = ""
    source: str = ""
    query: int = 0
    similarity: float
    grade: float | None = None
    graded: str = ""
    shown: bool = False
    excerpt: str = ""


class RagTask(Record):
    """One question from its route to its answer."""

    id: str
    question: str
    answer: CitedAnswer
    queries: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    checked: tuple[Checked, ...] = ()
    """Every sentence that was written, also those that did not stand."""
    decisions: tuple[Decision, ...] = ()
    seconds: float = 0.0


class RagOutcome(Record):
    """The whole run. `calls`: by kind, how many were paid and how many came from the ledger."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    loop: str = "rag"
    created: str
    seconds: float
    config: dict[str, Any]
    models: dict[str, dict[str, str]]
    index: str
    tasks: tuple[RagTask, ...]
    cost: Cost = Cost()
    calls: dict[str, dict[str, int]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
