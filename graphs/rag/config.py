"""What can be asked of documents, and who does what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...runtime.passages import Filter
from ...runtime.records import Record

__all__ = ["RagConfig"]


_SMALL = ("mini-writer", "smollm2")


class RagConfig(Record):
    """What is asked, of which index, and who does what.

    Roles: "auto" takes the language model where it is larger than the bundled ones, and what needs none where it is not.
    `router`: rules | llm. `grader`: overlap | llm | none. `rewriter`: terms | llm | none. `answerer`: quote | llm.
    `verifier`: overlap | llm | nli:MODEL | none.
    """

    questions: tuple[str, ...] = Field(min_length=1)
    index: str = Field(min_length=1)
    llm: str = "mini-writer"
    embedder: str = ""
    router: Literal["rules", "llm"] = "rules"
    grader: Literal["auto", "overlap", "llm", "none"] = "auto"
    rewriter: Literal["auto", "terms", "llm", "none"] = "auto"
    answerer: Literal["auto", "quote", "llm"] = "auto"
    verifier: str = Field(default="auto", pattern=r"^(auto|overlap|llm|none|nli:.+)$")
    reranker: str = ""
    mode: Literal["auto", "dense", "bm25", "hybrid"] = "auto"
    where: Filter | None = None
    k: int = Field(default=10, ge=1, le=100)
    shown: int = Field(default=5, ge=1, le=50)
    quotes: int = Field(default=3, ge=1, le=20)
    rewrites: int = Field(default=1, ge=0, le=10)
    repairs: int = Field(default=1, ge=0, le=1)
    budget: str = ""
    in_flight: int = Field(default=8, ge=1, le=256)

    def role(self, name: Literal["grader", "rewriter", "answerer", "verifier"]) -> str:
        """Who has a role, with "auto" decided."""
        chosen = str(getattr(self, name))
        if chosen != "auto":
            return chosen
        bare = {"grader": "overlap", "rewriter": "terms", "answerer": "quote", "verifier": "overlap"}
        return bare[name] if self.llm in _SMALL else "llm"
