"""One question about a picture with what is told of it: what rows for `mini-answerer` are made of, and what it is measured on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UNKNOWN", "Case"]

UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A question, the pieces of its context in their order, and its answer; `lures` are wrong answers of the same kind."""

    kind: str
    question: str
    context: tuple[str, ...]
    answer: str
    lures: tuple[str, ...] = ()
