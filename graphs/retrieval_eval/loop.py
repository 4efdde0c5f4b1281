"""`retrieval_eval`: every query of a test set searched in an index, and the rankings scored against judgements.

Give a test set in BEIR's layout, or an index that `index` made with queries and judgements of its documents (`COLLECTION/path`). A
document is as good as its best passage.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...evaluators.rag import evaluate_run
from ...runtime.errors import BadInput
from ...runtime.protocols import Index, Reranker, TextEmbedder
from ...runtime.run import Loop
from ...runtime.session import Mapped, Progressed, Session
from ...runtime.storage import write_whole
from ...tools.data import read_corpus, read_qrels, read_queries
from ...tools.encoders import open_text_embedder
from ...tools.index import fill, open_index, open_reranker
from .config import RetrievalEvalConfig
from .result import RankedQuery, RetrievalEvalResult

__all__ = ["retrieval_eval"]

_DOCUMENTS = 100


@dataclass(frozen=True)
class _TestSet:
    """What is asked, and what is right: of the queries that have judgements, the first `limit`."""

    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    not_asked: int
    documents: set[str]
    """Those of the corpus, where there is one."""

    @classmethod
    def read(cls, config: RetrievalEvalConfig) -> _TestSet:
        """Every line of every file, so that what is wrong is said before a model is loaded."""
        if not config.qrels or not config.queries or not (config.corpus or config.index):
            raise BadInput("give --queries and --qrels, and --corpus or --index (or both).")
        queries, qrels = read_queries(Path(config.queries)), read_qrels(Path(config.qrels))
        asked = [key for key in qrels if key in queries][: config.limit]
        if not asked:
            raise BadInput(
                f"no query of {config.queries!r} has a judgement in {config.qrels!r}: do the ids belong together?"
            )
        evaluate_run({}, {asked[0]: qrels[asked[0]]}, config.measures)  # for a wrong name
        if config.ranking and not Path(config.ranking).parent.is_dir():
            folder = str(Path(config.ranking).parent)
            raise BadInput(f"--run {config.ranking!r}: there is no folder {folder!r} to write it to.")
        return cls(
            queries={key: queries[key] for key in asked},
            qrels={key: qrels[key] for key in asked},
            not_asked=len(qrels) - len(asked),
            documents={passage.document for passage in read_corpus(Path(config.corpus))} if config.corpus else set(),
        )

    @property
    def relevant(self) -> set[str]:
        return {document for judged in self.qrels.values() for document, grade in judged.items() if grade > 0}


@dataclass(frozen=True)
class _Search:
    """The index, filled, and what it is searched with."""

    config: RetrievalEvalConfig
    session: Session
    tests: _TestSet
    index: Index
    reranker: Reranker | None
    held: set[str]
    index_seconds: float

    @classmethod
    async def open(cls, config: RetrievalEvalConfig, session: Session) -> _Search:
        tests = _TestSet.read(config)
        models = session.brought("models", ("embedder", "reranker"))
        embedder: TextEmbedder | None = None
        if config.mode != "bm25" and (config.embedder != "none" or "embedder" in models):
            embedder = session.open("embedder", open_text_embedder, config.embedder)
        reranker: Reranker | None = None
        if config.reranker or "reranker" in models:
            reranker = session.open("reranker", open_reranker, config.reranker)
        index = await open_index(config.index or "memory:", text=embedder, create=bool(config.corpus))
        session.close_later(index)
        held = tests.documents | {passage.document async for passage in index.iterate()}
        if tests.relevant and not tests.relevant & held:
            raise BadInput(
                f"none of the {len(tests.relevant)} documents that {config.qrels!r} calls relevant is there (the first is"
                f" {min(tests.relevant)!r}): do the ids belong together? A document of `inloop index` is COLLECTION/path."
            )
        started = time.perf_counter()
        if config.corpus:
            total = len(tests.documents)
            await fill(
                index, Path(config.corpus),
                progress=lambda documents: session.emit(Progressed(text="documents indexed", done=min(documents, total), of=total)),
                stop=lambda: session.budget.exhausted() is not None,
            )  # fmt: skip
        indexed = time.perf_counter() - started
        if embedder is not None and not session.budget.exhausted():
            await embedder.texts(list(tests.queries.values()), role="query")  # in full batches; kept in the ledger
        return cls(config, session, tests, index, reranker, held, indexed)

    async def rank(self, id: str, query: str) -> RankedQuery | None:
        if self.session.budget.exhausted():
            return None
        same = self.config.ignore_identical_ids
        started = time.perf_counter()
        documents = await self._documents(query, self.depth + same)
        milliseconds = (time.perf_counter() - started) * 1000
        ranking = tuple(document for document in documents if not (same and document == id))
        return RankedQuery(id=id, documents=ranking, milliseconds=round(milliseconds, 3))

    @property
    def depth(self) -> int:
        """How many documents a query needs."""
        return max(_DOCUMENTS, *(int(name.partition("@")[2]) for name in self.config.measures))

    async def _documents(self, query: str, wanted: int) -> list[str]:
        """The first `wanted` documents, each in the place of its best passage."""
        k = wanted
        while True:
            [hits] = await self.index.search([query], k=k, mode=self.config.mode, reranker=self.reranker)
            documents = list(dict.fromkeys(hit.passage.document for hit in hits))
            if len(documents) >= wanted or len(hits) < k:
                return documents[:wanted]
            k *= 2  # of documents in several passages, more are needed


def _queries(config: RetrievalEvalConfig) -> Mapping[str, str]:
    return _TestSet.read(config).queries


def _summary(search: _Search, mapped: Mapped[RankedQuery]) -> Mapping[str, Any]:
    tests, config = search.tests, search.config
    # scores by place, so that equal similarities keep the order in which they are shown
    run = {
        id: {document: float(len(task.documents) - place) for place, document in enumerate(task.documents)}
        for id, task in mapped.results.items()
    }
    if config.ranking:
        write_whole(Path(config.ranking), _trec(run, config.mode).encode("utf-8"))
    manifest = search.index.manifest
    return {
        "report": evaluate_run(run, {id: tests.qrels[id] for id in run}, config.measures) if run else None,
        "not_asked": tests.not_asked,
        "documents": len(search.held),
        "relevant_documents": len(tests.relevant),
        "relevant_not_indexed": len(tests.relevant - search.held),
        "space": manifest.text if manifest else None,
        "index": search.index.url,
        "index_seconds": round(search.index_seconds, 3),
    }


def _trec(run: Mapping[str, Mapping[str, float]], tag: str) -> str:
    return "".join(
        f"{query} Q0 {document} {place} {score:g} inloop-{tag}\n"
        for query, scores in run.items()
        for place, (document, score) in enumerate(scores.items(), start=1)
    )


retrieval_eval = Loop(
    name="retrieval_eval",
    config=RetrievalEvalConfig,
    result=RetrievalEvalResult,
    inputs=_queries,
    open=_Search.open,
    work=_Search.rank,
    summary=_summary,
    brings={"models": "by role: embedder (TextEmbedder), reranker (Reranker)"},
    checkpoints=False,
    brief="how well an index finds what is relevant, with intervals",
)
