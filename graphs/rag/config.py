"""What can be asked of documents, and who does what."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from ...runtime.passages import Filter
from ...runtime.run import RunConfig

__all__ = ["RagConfig"]

_MODELS: dict[str, Any] = {"group": "who does what", "metavar": "ID"}
_ROLES: dict[str, Any] = {"group": "who does what"}
_HOW: dict[str, Any] = {"group": "how"}


class RagConfig(RunConfig):
    """What is asked, of which index, and who does what.

    In a role "auto" takes the language model where it is larger than the bundled ones, and what needs none where it is not.
    """

    SUBJECT: ClassVar[str] = "questions"

    questions: tuple[str, ...] = Field(
        min_length=1,
        description="a question, or a statement to be checked; several are answered at once",
        json_schema_extra={"metavar": "QUESTION"},
    )
    index: str = Field(
        min_length=1,
        description="lancedb:///PATH, qdrant://HOST/NAME, postgresql://HOST/DB, ...",
        json_schema_extra={"metavar": "URL"},
    )
    where: Filter | None = Field(
        default=None,
        description='only passages that a filter finds, as {"op": "eq", "field": "meta.year", "value": 2020}',
        json_schema_extra={"metavar": "JSON"},
    )
    llm: str = Field(
        default="mini-writer",
        description="mini-writer, smollm2, gguf:PATH, http://host:8000/v1[#model], openai:MODEL",
        json_schema_extra={"group": "who does what", "metavar": "LLM"},
    )
    router: Literal["rules", "llm"] = Field(
        default="rules", description="question or claim, words or meaning", json_schema_extra=_ROLES
    )
    grader: Literal["auto", "overlap", "llm", "none"] = Field(
        default="auto", description="which passages help", json_schema_extra=_ROLES
    )
    rewriter: Literal["auto", "terms", "llm", "none"] = Field(
        default="auto", description="another query where none helps", json_schema_extra=_ROLES
    )
    answerer: Literal["auto", "quote", "llm"] = Field(
        default="auto", description="quotations, or the language model's words", json_schema_extra=_ROLES
    )
    verifier: str = Field(
        default="auto",
        pattern=r"^(auto|overlap|llm|none|nli:.+)$",
        description="auto, overlap, llm, nli:MODEL (a cross-encoder by folder or hub id) or none; auto: the language model in every"
        " role, but overlap and quotations where it is a small one",
        json_schema_extra={"group": "who does what", "metavar": "WHO"},
    )
    embedder: str = Field(
        default="",
        description="of the index, where it was not made with the default one; or none",
        json_schema_extra=_MODELS,
    )
    reranker: str = Field(
        default="", description="a cross-encoder's folder or hub id, or llm:LLM", json_schema_extra=_MODELS
    )
    mode: Literal["auto", "dense", "bm25", "hybrid"] = Field(
        default="auto", description="how to search; auto: as the router says", json_schema_extra=_HOW
    )
    k: int = Field(default=10, ge=1, le=100, description="passages that are found", json_schema_extra=_HOW)
    shown: int = Field(default=5, ge=1, le=50, description="passages that are answered from", json_schema_extra=_HOW)
    quotes: int = Field(default=3, ge=1, le=20, description="most quotations of an answer", json_schema_extra=_HOW)
    rewrites: int = Field(default=1, ge=0, le=10, description="most other queries", json_schema_extra=_HOW)
    repairs: int = Field(
        default=1, ge=0, le=1, description="whether a refused answer is repaired once", json_schema_extra=_HOW
    )

    @field_validator("where", mode="before")
    @classmethod
    def _filter(cls, value: Any) -> Any:
        """A filter as JSON text, as a flag gives it."""
        if not isinstance(value, str):
            return value
        try:
            where: Filter = TypeAdapter(Filter).validate_json(value)
        except ValidationError as error:
            raise ValueError(f"it is no filter: {error.errors()[0]['msg']}") from None
        return where

    def role(self, name: Literal["grader", "rewriter", "answerer", "verifier"], *, small: bool) -> str:
        """Who has a role, with "auto" decided by whether the language model is a small one."""
        chosen = str(getattr(self, name))
        if chosen != "auto":
            return chosen
        bare = {"grader": "overlap", "rewriter": "terms", "answerer": "quote", "verifier": "overlap"}
        return bare[name] if small else "llm"

    @property
    def max_steps(self) -> int:
        """The most supersteps that a question can take."""
        return 4 + 3 * (self.rewrites + 1) + 2 * (self.repairs + 1)
