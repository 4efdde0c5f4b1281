"""A run of the RAG loop over one question or many: models opened, every question run, an outcome written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

from pydantic import Field

from ..agents.cited_answerer import Answerer, CitedAnswerer
from ..agents.entailer import Entailer
from ..agents.grader import Grader, OverlapGrader
from ..agents.query_rewriter import FeedbackTerms, QueryRewriter
from ..agents.quoting_answerer import QuotingAnswerer
from ..agents.router import Router, RuleRouter
from ..agents.verifier import Verifier
from ..runtime.budget import Budget
from ..runtime.chat import OpenAIChat
from ..runtime.errors import BadInput, Interrupted
from ..runtime.llm import open_chat
from ..runtime.passages import Filter
from ..runtime.protocols import Index, TextEmbedder
from ..runtime.records import Record, options_checked
from ..runtime.runner import Checkpoints, Runner, run
from ..runtime.runs import RunFolder
from ..runtime.settings import Settings
from ..runtime.store import Store
from ..tools.entailment import Entailment
from ..tools.index import open_index
from ..tools.overlap import Overlap
from ..tools.reranker import open_reranker
from ..tools.text_embedder import open_text_embedder
from .accounts import calls_of, charged_budget, gather, worked
from .rag import RagPorts, build, first_state, max_steps, task_record
from .rag_outcome import RagOutcome, RagTask

__all__ = ["RagBench", "RagConfig", "ask", "check_question", "open_for_search", "run_rag"]

Event = dict[str, Any]
_LONGEST = 4000
_DEFAULT_EMBEDDER, _DEFAULT_MODEL = "minilm", "all-MiniLM-L6-v2"
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
            from ..tools.nli import open_nli

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


def ask(
    *questions: str,
    index: str,
    settings: Settings | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: Any,
) -> RagOutcome:
    """`inloop ask` from a script or a notebook: the same run folder, settings and ledger.

    `options` are fields of `RagConfig`. Raises what `run_rag` raises.
    """
    opened = settings or Settings.load()
    with options_checked():
        config = RagConfig(questions=questions, index=index, **{"llm": opened.llm, **options})
    folder = RunFolder.create(opened.runs_dir, "rag", config)
    try:
        return run(run_rag(config, settings=opened, folder=folder, on_event=on_event))
    finally:
        folder.close()


async def run_rag(
    config: RagConfig,
    *,
    settings: Settings,
    folder: RunFolder,
    resume: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> RagOutcome:
    """Answer every question of `config`; the outcome is also in the folder's `result.json`.

    Raises:
        BadInput: an empty question, an index that is not there or was made with another embedder; before anything is paid.
        PrerequisiteError: a model, a package or a server that cannot be had.
        Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
    """
    for place, question in enumerate(config.questions, start=1):
        check_question(question, place, len(config.questions))
    begun = time.monotonic()

    def tell(event: Event) -> None:
        folder.event(event)
        on_event(event)

    with folder.lock(), Store.open(settings, run_id=folder.id) as store:
        before = worked(folder.events())
        budget = charged_budget(config.budget, store, elapsed=before)
        async with AsyncExitStack() as stack:
            index, embedder = await open_for_search(config.index, config.embedder, store, settings)
            stack.push_async_callback(index.close)
            bench = RagBench(config, store, settings, embedder=embedder)
            stack.push_async_callback(bench.close)
            tell({"event": "run_started", "run_id": folder.id, "questions": len(config.questions), "resumed": resume})
            ports = bench.ports(index, budget, tell)
            tell({"event": "models", "models": bench.models()})
            checkpoints = await stack.enter_async_context(Checkpoints(folder.checkpoints_path))
            gate = asyncio.Semaphore(config.in_flight)

            async def one(place: int, question: str) -> RagTask:
                async with gate:
                    return await _task(f"q{place}", question, ports, checkpoints)

            tasks = await gather([one(place, question) for place, question in enumerate(config.questions, start=1)])
            outcome = RagOutcome(
                run_id=folder.id, created=folder.created, seconds=round(before + time.monotonic() - begun, 3),
                config=config.model_dump(mode="json"), models=bench.models(), index=index.url, tasks=tuple(tasks),
                cost=store.ledger.spent(), notes=tuple(dict.fromkeys([*bench.notes(), *budget.notes])),
                calls=calls_of(store),
            )  # fmt: skip
    folder.write_result(outcome)
    tell({"event": "run_done", "seconds": outcome.seconds})
    return outcome


def check_question(question: str, place: int = 1, of: int = 1) -> None:
    """Raise `BadInput` for a question that nothing can be done with."""
    name = "the question" if of == 1 else f"question {place} of {of}"
    if not any(sign.isalnum() for sign in question):
        raise BadInput(f"{name} has no word in it ({question[:60]!r}): write what you want to know.")
    if len(question) > _LONGEST:
        raise BadInput(f"{name} has {len(question)} characters, {question[:60]!r}...: give at most {_LONGEST}.")


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


async def _task(id: str, question: str, ports: RagPorts, checkpoints: Checkpoints) -> RagTask:
    begun = time.monotonic()
    runner = Runner(build(), context=ports, checkpoints=checkpoints, thread_id=id, max_steps=max_steps(ports))
    finish = await runner.start_or_resume(dict(first_state(id, " ".join(question.split()))))
    if not finish.finished:
        raise Interrupted(f"stopped by {finish.stopped}; nothing that was finished is lost")
    ports.tell({"event": "task_done", "task": id})
    return RagTask(id=id, seconds=round(time.monotonic() - begun, 3), **task_record(ports, finish.state))
