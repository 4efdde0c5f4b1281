"""`inloop eval-rag`: how well an index finds what is relevant, with intervals.

Give a test set in BEIR's layout (corpus.jsonl, queries.jsonl, qrels.tsv), or an index that `inloop index` made with
queries and judgements of its documents (COLLECTION/path). A document is as good as its best passage.

With --claims, answers are measured: annotated claims go through the loop of `inloop ask`, and through it without its check.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.roles import close
from ...runtime.settings import Settings
from ..cli import amount, seconds
from .index import open_embedder

if TYPE_CHECKING:
    from ...evaluators.rag import RetrievalReport
    from ...runtime.passages import Mode
    from ...runtime.protocols import Index, Reranker
from .fill import fill

__all__ = ["add_arguments", "eval_rag"]

_DOCUMENTS = 100


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop eval-rag`."""
    from . import eval_answers

    command.add_argument("--corpus", metavar="FILE", help="corpus.jsonl: _id, title, text a line")
    command.add_argument("--queries", metavar="FILE", help="queries.jsonl: _id, text a line")
    command.add_argument("--qrels", metavar="FILE", help="judgements: query id, document id, grade, with tabs")
    command.add_argument(
        "--index", metavar="URL", help="an index: with --corpus it is filled where it is empty, else taken as it is"
    )
    command.add_argument("--mode", choices=("bm25", "dense", "hybrid"), default="hybrid", help="default: hybrid")
    command.add_argument("--embedder", metavar="ID", help="as in inloop index (default: minilm)")
    command.add_argument("--reranker", metavar="ID", help="a cross-encoder's folder or hub id, or llm:LLM")
    command.add_argument("--measures", metavar="NAMES", help="default: ndcg@10,recall@10,recall@100,mrr@10")
    command.add_argument("--limit", type=int, metavar="N", help="the first N queries with judgements only")
    command.add_argument("--ignore-identical-ids", action="store_true", help="as BEIR does for ArguAna")
    command.add_argument("--run", metavar="FILE", help="write the ranking as a TREC run")
    command.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...")
    eval_answers.add_arguments(command)


def eval_rag(args: argparse.Namespace) -> int:
    """The command: retrieval, or with --claims answers and their citations."""
    if args.claims:
        from .eval_answers import eval_claims

        return eval_claims(args)
    if not args.qrels or not args.queries or not (args.corpus or args.index):
        raise BadInput("give --queries and --qrels, and --corpus or --index (or both).")
    if args.limit is not None and args.limit < 1:
        raise BadInput(f"--limit {args.limit} must be 1 or more.")
    settings = Settings.load(device=args.device)
    told, report = asyncio.run(_evaluate(args, settings))
    if args.json:
        print(json.dumps(told, ensure_ascii=False))
        return 0
    print(
        f"{args.mode}: {amount(told['queries'])} queries, {amount(told['documents'])} documents"
        + (f", {told['without_results']} queries found nothing" if told["without_results"] else "")
        + (
            f", {told['relevant_documents_not_indexed']} of {told['relevant_documents']} relevant documents are not there"
            if told["relevant_documents_not_indexed"]
            else ""
        )
    )
    for name, one in report.measures.items():
        low, high = one.ci or (None, None)
        interval = f"  [{low:.4f}, {high:.4f}]" if low is not None else ""
        shown = "-" if one.value is None else f"{one.value:.4f}"
        print(f"  {name:<12} {shown}{interval}" + (f"  {one.unscored} unscored" if one.unscored else ""))
    print(
        f"indexed in {seconds(told['index_seconds'])}; a query took {told['query_ms']['p50']:.1f} ms (95 %:"
        f" {told['query_ms']['p95']:.1f} ms), its embedding included unless it was in the ledger."
    )
    return 0


@dataclass(frozen=True)
class _TestSet:
    """What is asked, and what is right: of the queries that have judgements, the first `--limit`."""

    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    not_asked: int
    """Queries that have judgements, and are not there or beyond the limit."""
    measures: list[str]
    documents: set[str]
    """Those of the corpus, where there is one."""

    @classmethod
    def read(cls, args: argparse.Namespace) -> _TestSet:
        """Every line of every file, so that what is wrong is said before a model is loaded."""
        from ...evaluators.rag import MEASURES, evaluate_run
        from ...tools.data import read_corpus, read_qrels, read_queries

        queries, qrels = read_queries(Path(args.queries)), read_qrels(Path(args.qrels))
        asked = [key for key in qrels if key in queries][: args.limit]
        if not asked:
            raise BadInput(
                f"no query of {args.queries!r} has a judgement in {args.qrels!r}: do the ids belong together?"
            )
        measures = [name.strip() for name in args.measures.split(",")] if args.measures else list(MEASURES)
        evaluate_run({}, {asked[0]: qrels[asked[0]]}, measures)  # for a wrong name
        if args.run and not Path(args.run).parent.is_dir():
            raise BadInput(f"--run {args.run!r}: there is no folder {str(Path(args.run).parent)!r} to write it to.")
        return cls(
            queries={key: queries[key] for key in asked},
            qrels={key: qrels[key] for key in asked},
            not_asked=len(qrels) - len(asked),
            measures=measures,
            documents={passage.document for passage in read_corpus(Path(args.corpus))} if args.corpus else set(),
        )

    @property
    def relevant(self) -> set[str]:
        return {document for judged in self.qrels.values() for document, grade in judged.items() if grade > 0}

    @property
    def depth(self) -> int:
        """How many documents a query needs."""
        return max(_DOCUMENTS, *(int(name.partition("@")[2]) for name in self.measures))


async def _evaluate(args: argparse.Namespace, settings: Settings) -> tuple[dict[str, Any], RetrievalReport]:
    from ...evaluators.rag import evaluate_run
    from ...runtime.store import Store
    from ...tools.index import open_index, open_reranker

    given = _TestSet.read(args)
    with Store.open(settings) as store:
        async with contextlib.AsyncExitStack() as stack:
            text = None if args.mode == "bm25" else open_embedder(args.embedder, store, settings)
            if text is not None:
                stack.push_async_callback(text.aclose)
            reranker = open_reranker(args.reranker, store, settings) if args.reranker else None
            if reranker is not None:
                stack.push_async_callback(close, reranker)
            index = await open_index(args.index or "memory:", text=text, create=bool(args.corpus))
            stack.push_async_callback(index.close)
            held = given.documents | {passage.document async for passage in index.iterate()}
            if given.relevant and not given.relevant & held:
                raise BadInput(
                    f"none of the {len(given.relevant)} documents that {args.qrels!r} calls relevant is there (the first is"
                    f" {min(given.relevant)!r}): do the ids belong together? A document of `inloop index` is COLLECTION/path."
                )
            started = time.perf_counter()
            if args.corpus:
                await fill(index, Path(args.corpus))
            indexed = time.perf_counter() - started
            if text is not None:
                await text.texts(list(given.queries.values()), role="query")  # in full batches; kept in the ledger
            run, took = await _asked(index, given, args, reranker)
            report = evaluate_run(run, given.qrels, given.measures)
            if args.run:
                _write_run(Path(args.run), run, args.mode)
            manifest = index.manifest
            told = {
                "mode": args.mode,
                "measures": {name: one.model_dump(mode="json") for name, one in report.measures.items()},
                "queries": len(given.queries),
                "judged_queries_not_asked": given.not_asked,
                "documents": len(held),
                "relevant_documents": len(given.relevant),
                "relevant_documents_not_indexed": len(given.relevant - held),
                "without_results": report.without_results,
                "embedder": manifest.text.model_dump() if manifest and manifest.text else None,
                "reranker": reranker.model if reranker is not None else None,
                "index": index.url,
                "index_seconds": round(indexed, 3),
                "query_ms": {"p50": _quantile(took, 0.5), "p95": _quantile(took, 0.95)},
            }
            return told, report


async def _asked(
    index: Index, given: _TestSet, args: argparse.Namespace, reranker: Reranker | None
) -> tuple[dict[str, dict[str, float]], list[float]]:
    """By query, its documents with scores by place, so that equal similarities keep the order shown; and the milliseconds."""
    run: dict[str, dict[str, float]] = {}
    took: list[float] = []
    same = bool(args.ignore_identical_ids)
    for key, query in given.queries.items():
        started = time.perf_counter()
        found = await _documents(index, query, given.depth + same, args.mode, reranker)
        took.append((time.perf_counter() - started) * 1000)
        found = [name for name in found if not (same and name == key)]
        run[key] = {document: float(len(found) - place) for place, document in enumerate(found)}
    return run, took


async def _documents(index: Index, query: str, wanted: int, mode: Mode, reranker: Reranker | None) -> list[str]:
    """The first `wanted` documents, each in the place of its best passage."""
    k = wanted
    while True:
        [hits] = await index.search([query], k=k, mode=mode, reranker=reranker)
        found = list(dict.fromkeys(hit.passage.document for hit in hits))
        if len(found) >= wanted or len(hits) < k:
            return found[:wanted]
        k *= 2  # of documents in several passages, more are needed


def _write_run(path: Path, run: dict[str, dict[str, float]], tag: str) -> None:
    lines = [
        f"{query} Q0 {document} {place} {score:g} inloop-{tag}\n"
        for query, scores in run.items()
        for place, (document, score) in enumerate(scores.items(), start=1)
    ]
    path.write_text("".join(lines), encoding="utf-8")


def _quantile(values: Sequence[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 3)
