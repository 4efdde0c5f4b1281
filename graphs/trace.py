"""What a loop notes on its way to an answer: the decisions that were taken, and the passages that were seen."""

from __future__ import annotations

from typing import Literal

from ..runtime.records import Record

__all__ = ["Decision", "Step", "Seen"]


Step = Literal[
    "route", "retrieve", "grade", "rewrite", "answer", "verify", "conclude",
    "caption", "tags", "text", "examples", "knowledge", "candidates", "direct", "check", "look",
]  # fmt: skip


class Decision(Record):
    """One decision: which step, who took it, what it came to, and why."""

    step: Step
    by: str
    said: str
    why: str = ""


class Seen(Record):
    """A passage that was found: by which query (0: the first), how similar, its grade (None: not graded), and where its
    copies are.
    """

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
    also: tuple[str, ...] = ()
