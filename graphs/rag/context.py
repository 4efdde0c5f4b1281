"""What the loop over passages works with: an index, models, and who has which role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...agents.rag import (
    Answerer,
    CitedAnswerer,
    Entailer,
    FeedbackTerms,
    Grader,
    Grades,
    OverlapGrader,
    QueryRewriter,
    QuotingAnswerer,
    Rewrites,
    Router,
    Routes,
    RuleRouter,
    Verifier,
    Verifies,
)
from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.protocols import Chat, Index, Reranker, TextEmbedder
from ...runtime.session import Session
from ...runtime.settings import Settings
from ...runtime.store import BlobStore, Store
from ...tools.encoders import open_text_embedder
from ...tools.entailment import CalibratedPicker, Overlap, open_nli
from ...tools.index import open_index, open_reranker
from .config import RagConfig

__all__ = ["AGENTS", "MODELS", "RagContext", "open_context", "open_for_search"]

MODELS = ("index", "llm", "embedder", "reranker", "nli")
"""The roles of models that a caller can bring along."""
AGENTS = ("router", "grader", "rewriter", "answerer", "verifier")
"""The roles of agents that a caller can bring along."""

_DEFAULT_EMBEDDER, _DEFAULT_MODEL = "minilm", "all-MiniLM-L6-v2"


@dataclass(frozen=True, kw_only=True)
class RagContext:
    """What the machine works with.

    Without a `grader` every passage that is found is shown; without a `rewriter` there is one search; without a `verifier`
    the answer is what the answerer wrote, and the report says that nothing was checked. `quotes_all`: of a question, everything that is found is
    quoted from and nothing is graded, for the answerer judges every quotation by itself.
    """

    config: RagConfig
    session: Session
    index: Index
    reranker: Reranker | None
    router: Routes
    grader: Grades | None
    rewriter: Rewrites | None
    answerer: Answerer
    verifier: Verifies | None
    quotes_all: bool = False

    @property
    def blobs(self) -> BlobStore:
        """Where the state's addresses point to."""
        return self.session.store.blobs


async def open_context(config: RagConfig, session: Session) -> RagContext:
    """Open what the config names; what the caller brought takes its role.

    Raises:
        BadInput: a role or an index that there is not, or an index that was made with another embedder.
        PrerequisiteError: a model, a package or a server that cannot be had.
    """
    models, agents = session.brought("models", MODELS), session.brought("agents", AGENTS)
    index, embedder = await _open_index(config, session, models)
    chat: Chat = session.open("llm", open_chat, config.llm)
    overlap = Overlap(embedder)
    answerer = agents.get("answerer") or _answerer(config, chat, overlap)
    context = RagContext(
        config=config,
        session=session,
        index=index,
        reranker=session.open("reranker", open_reranker, config.reranker)
        if config.reranker or "reranker" in models
        else None,
        router=agents.get("router") or (Router(chat) if config.router == "llm" else RuleRouter()),
        grader=agents.get("grader") or _grader(config, chat, overlap),
        rewriter=agents.get("rewriter") or _rewriter(config, chat),
        answerer=answerer,
        verifier=agents.get("verifier") or _verifier(config, chat, overlap, session),
        quotes_all=config.grader == "auto" and "grader" not in agents and isinstance(answerer, QuotingAnswerer),
    )
    session.notes += _notes(context, overlap)
    return context


async def open_for_search(
    url: str, embedder: str | TextEmbedder, store: Store, settings: Settings
) -> tuple[Index, TextEmbedder | None]:
    """The index at `url`, with the embedder that made its vectors.

    `embedder`: as `tools.encoders.open_text_embedder` takes it; empty: the default one where that made the index, none where it
    holds no vectors; "none": none, so that vectors are not searched. The graders and the check use it too.

    Raises:
        BadInput: there is no such index, or it was made with another embedder.
    """
    if not isinstance(embedder, str):
        return await open_index(url, text=embedder, create=False), embedder
    bare = await open_index(url, create=False)
    space = bare.manifest.text if bare.manifest is not None else None
    if space is None or embedder == "none":
        return bare, open_text_embedder(embedder, store, settings) if embedder not in ("", "none") else None
    await bare.close()
    if not embedder and space.model != _DEFAULT_MODEL:
        raise BadInput(
            f"the index {url!r} was made with the embedder {space.model!r}: name it, as in --embedder {space.model}."
        )
    opened = open_text_embedder(embedder or _DEFAULT_EMBEDDER, store, settings)
    return await open_index(url, text=opened, create=False), opened


async def _open_index(config: RagConfig, session: Session, models: dict[str, Any]) -> tuple[Index, TextEmbedder | None]:
    """The index and its embedder; both are the session's to close, unless they are the caller's."""
    if "index" in models:
        index, embedder = models["index"], models.get("embedder")
    else:
        spec = models.get("embedder", config.embedder)
        index, embedder = await open_for_search(config.index, spec, session.store, session.settings)
    if embedder is not None:
        session.open("embedder", lambda *_: embedder, config.embedder)
    return session.open("index", lambda *_: index, config.index), embedder


def _grader(config: RagConfig, chat: Chat, overlap: Overlap) -> Grades | None:
    who = config.role("grader", small=chat.small)
    return None if who == "none" else Grader(chat) if who == "llm" else OverlapGrader(overlap)


def _rewriter(config: RagConfig, chat: Chat) -> Rewrites | None:
    who = config.role("rewriter", small=chat.small)
    return None if who == "none" else QueryRewriter(chat) if who == "llm" else FeedbackTerms()


def _answerer(config: RagConfig, chat: Chat, overlap: Overlap) -> Answerer:
    if config.role("answerer", small=chat.small) == "quote":
        return QuotingAnswerer(overlap, most=config.quotes)
    return CitedAnswerer(chat, structured=not chat.small)


def _verifier(config: RagConfig, chat: Chat, overlap: Overlap, session: Session) -> Verifies | None:
    who = config.role("verifier", small=chat.small)
    if who == "none":
        return None
    picker = CalibratedPicker(overlap.embedder)
    if who == "llm":
        return Verifier(Entailer(chat), pertinence=overlap, picker=picker)
    if who.startswith("nli:"):
        judge = session.open("nli", open_nli, who.removeprefix("nli:"))
        return Verifier(judge, pertinence=overlap, picker=picker)
    # without vectors nothing is fetched, so its base is not either
    inferred = config.verifier == "mini" or (who == "mini" and overlap.embedder is not None)
    inference = session.open("nli", open_nli, "mini") if inferred else None
    return Verifier(overlap, inference=inference, picker=picker)


def _notes(context: RagContext, overlap: Overlap) -> list[str]:
    """What a reader must know about how the answers were checked."""
    notes = []
    if context.verifier is None:
        notes.append("No citation was checked: the verifier is off.")
    elif isinstance(context.verifier, Verifier) and context.verifier.judge is overlap:
        notes.append(f"Statements are checked by {overlap.about}")
        if context.verifier.inference is not None:
            notes.append(
                "Where the parts of a statement leave it open, as a paraphrase does, mini-verifier decides: a small model of inference, right in"
                " most cases and not in all (its model card has the figures)."
            )
    if isinstance(context.answerer, QuotingAnswerer):
        picker = context.answerer.picker
        notes.append(
            "The answers are quotations: the language model wrote none of their words. Which of them answers a question is chosen by"
            f" {picker.name}; it may be another one."
        )
    return notes
