"""What can be asked of documents, and who does what."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import TypeAdapter, ValidationError, field_validator

from ...runtime.passages import Filter
from ...runtime.session import RunConfig, option

__all__ = ["RagConfig"]


class RagConfig(RunConfig):
    """What is asked, of which index, and who does what.

    In a role "auto" takes the language model where it is larger than the bundled ones, and what needs none where it is not.
    """

    SUBJECT: ClassVar[str] = "questions"

    questions: Annotated[
        tuple[str, ...],
        option(
            "a question, or a statement to be checked; several are answered at once; none: a session",
            metavar="QUESTION",
        ),
    ] = ()
    index: Annotated[
        str, option("lancedb:///PATH, qdrant://HOST/NAME, postgresql://HOST/DB, ...", metavar="URL", min_length=1)
    ]
    where: Annotated[
        Filter | None,
        option(
            'only passages that a filter finds, as {"op": "eq", "field": "meta.year", "value": 2020}', metavar="JSON"
        ),
    ] = None
    llm: Annotated[
        str,
        option(
            "mini-writer, smollm2, gguf:PATH, http://host:8000/v1[,http://...][#model], openai:MODEL",
            "who does what",
            "LLM",
        ),
    ] = "mini-writer"
    router: Annotated[Literal["rules", "llm"], option("question or claim, words or meaning", "who does what")] = "rules"
    grader: Annotated[
        Literal["auto", "overlap", "llm", "none"],
        option("which passages help; auto: of a question that is answered by quotations nobody", "who does what"),
    ] = "auto"
    rewriter: Annotated[
        Literal["auto", "terms", "llm", "none"], option("another query where none helps", "who does what")
    ] = "auto"
    answerer: Annotated[
        Literal["auto", "quote", "llm"], option("quotations, or the language model's words", "who does what")
    ] = "auto"
    verifier: Annotated[
        str,
        option(
            "auto, mini (overlap, and mini-verifier where the parts of a claim leave it open), overlap, llm, nli:MODEL (a"
            " cross-encoder by folder or hub id) or none; auto: the language model in every role, but mini and quotations where it is a"
            " small one",
            "who does what",
            "WHO",
            pattern=r"^(auto|mini|overlap|llm|none|nli:.+)$",
        ),
    ] = "auto"
    embedder: Annotated[
        str, option("of the index, where it was not made with the default one; or none", "who does what", "ID")
    ] = ""
    reranker: Annotated[str, option("a cross-encoder's folder or hub id, or llm:LLM", "who does what", "ID")] = ""
    mode: Annotated[
        Literal["auto", "dense", "bm25", "hybrid"], option("how to search; auto: as the router says", "how")
    ] = "auto"
    k: Annotated[int, option("passages that are found", "how", ge=1, le=100)] = 10
    shown: Annotated[
        int | None,
        option(
            "passages that are answered from (default: 5; all that are found, to quote from them)", "how", ge=1, le=50
        ),
    ] = None
    quotes: Annotated[int, option("most quotations of an answer", "how", ge=1, le=20)] = 3
    rewrites: Annotated[int, option("most other queries", "how", ge=0, le=10)] = 1
    repairs: Annotated[int, option("whether a refused answer is repaired once", "how", ge=0, le=1)] = 1

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
        bare = {"grader": "overlap", "rewriter": "terms", "answerer": "quote", "verifier": "mini"}
        return bare[name] if small else "llm"

    @property
    def max_steps(self) -> int:
        """The most supersteps that a question can take."""
        return 4 + 3 * (self.rewrites + 1) + 2 * (self.repairs + 1)
