"""What the RAG loop leaves behind: the answer of each question, with every decision on the way to it.

`result.json` of a run folder is a `RagOutcome`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ...runtime.answers import Checked, CitedAnswer
from ...runtime.records import Cost, Record
from ..trace import Decision, Seen

__all__ = ["RagOutcome", "RagTask"]

SCHEMA_VERSION = 1

"""Of the RAG loop, and of the loop over pictures (`graphs.promptcap`)."""


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
