"""The models and indexes that a run over documents opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...agents.rag import (
    Answerer,
    CitedAnswerer,
    Entailer,
    FeedbackTerms,
    Grader,
    OverlapGrader,
    QueryRewriter,
    QuotingAnswerer,
    Router,
    RuleRouter,
    Verifier,
)
from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.llm import OpenAIChat, open_chat
from ...runtime.protocols import Index, TextEmbedder
from ...runtime.settings import Settings
from ...runtime.store import Store
from ...tools.encoders import open_text_embedder
from ...tools.entailment import Entailment, Overlap
from ...tools.index import open_index, open_reranker
from ..trace import Event
from .config import _SMALL, RagConfig
from .graph import RagPorts

__all__ = ["RagBench", "open_for_search"]

_DEFAULT_EMBEDDER, _DEFAULT_MODEL = "minilm", "all-MiniLM-L6-v2"


class RagBench:
    """The opened models of one run, shared by its questions."""

    def __init__(self, config: RagConfig, store: Store, settings: Settings, *, embedder: TextEmbedder | None) -> None:
        self.config, self.store, self.settings = config, store, settings
        self.embedder = embedder
        self.chat = open_chat(config.llm, store, settings)
        self.overlap = Overlap(embedder)
        self.nli: Any = None
        self.reranker: Any = open_reranker(config.reranker, store, settings) if config.reranker else None

    def ports(self, index: Index, budget: Budget, tell: Callable[[Event], None]) -> RagPorts:
        """The machine's parts as the config names them."""
        config, chat = self.config, self.chat
        grader, rewriter = config.role("grader"), config.role("rewriter")
        answerer: Answerer = (
            QuotingAnswerer(self.overlap, most=config.quotes)
            if config.role("answerer") == "quote"
            else CitedAnswerer(chat, structured=config.llm not in _SMALL)
        )
        return RagPorts(
            index=index, router=Router(chat) if config.router == "llm" else RuleRouter(),
            grader=None if grader == "none" else Grader(chat) if grader == "llm" else OverlapGrader(self.overlap),
            rewriter=None if rewriter == "none" else QueryRewriter(chat) if rewriter == "llm" else FeedbackTerms(),
            answerer=answerer, verifier=self._verifier(), blobs=self.store.blobs, k=config.k, shown=config.shown,
            rewrites=config.rewrites, repairs=config.repairs, mode=None if config.mode == "auto" else config.mode,
            where=config.where, reranker=self.reranker, budget=budget, tell=tell,
        )  # fmt: skip

    def _verifier(self) -> Verifier | None:
        who = self.config.role("verifier")
        if who == "none":
            return None
        judge: Entailment = self.overlap
        if who == "llm":
            judge = Entailer(self.chat)
        elif who.startswith("nli:"):
            from ...tools.entailment import open_nli

            self.nli = judge = open_nli(who.removeprefix("nli:"), self.store, self.settings)
        return Verifier(judge, pertinence=self.overlap)

    def models(self) -> dict[str, dict[str, str]]:
        """By role, what was opened."""
        found = {"llm": {"id": self.chat.model, "revision": self.chat.revision}}
        if self.embedder is not None:
            found["embedder"] = {"id": self.embedder.model, "revision": self.embedder.revision}
        if self.reranker is not None:
            found["reranker"] = {"id": self.reranker.model, "revision": self.reranker.revision}
        if self.nli is not None:
            found["nli"] = {"id": self.nli.model, "revision": self.nli.revision}
        return found

    def notes(self) -> list[str]:
        """What a reader must know about how the answers were checked."""
        found = [*self.chat.notes] if isinstance(self.chat, OpenAIChat) else []
        who = self.config.role("verifier")
        if who == "none":
            found.append("No citation was checked: the verifier is off.")
        elif who == "overlap":
            found.append(f"Citations were checked by {self.overlap.about}")
        if self.config.role("answerer") == "quote":
            found.append("The answers are quotations: the language model wrote none of their words.")
        return found

    async def close(self) -> None:
        """Stop the embedded server and free the models."""
        for opened in (self.chat, self.nli, self.embedder, self.reranker):
            if opened is not None and hasattr(opened, "aclose"):
                await opened.aclose()


async def open_for_search(
    url: str, embedder: str, store: Store, settings: Settings
) -> tuple[Index, TextEmbedder | None]:
    """The index at `url`, with the embedder that made its vectors.

    `embedder`: as `tools.text_embedder` takes it; empty: the default one where that made the index, none where it holds no
    vectors; "none": none, so that vectors are not searched. The graders and the check use it too.

    Raises:
        BadInput: there is no such index, or it was made with another embedder.
    """
    bare = await open_index(url, create=False)
    made = bare.manifest.text if bare.manifest is not None else None
    if made is None or embedder == "none":
        return bare, open_text_embedder(embedder, store, settings) if embedder not in ("", "none") else None
    await bare.close()
    if not embedder and made.model != _DEFAULT_MODEL:
        raise BadInput(
            f"the index {url!r} was made with the embedder {made.model!r}: name it, as in --embedder {made.model}."
        )
    opened = open_text_embedder(embedder or _DEFAULT_EMBEDDER, store, settings)
    return await open_index(url, text=opened, create=False), opened
