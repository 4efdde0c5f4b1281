"""`inloop eval-rag`: how well an index finds what is relevant, with intervals.

Give a test set in BEIR's layout (corpus.jsonl, queries.jsonl, qrels.tsv), or an index that `inloop index` made with
queries and judgements of its documents (COLLECTION/path). A document is as good as its best passage.

With --claims, answers are measured: annotated claims go through the loop of `inloop ask`, and through it without its check.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...graphs import retrieval_eval as room
from ..cli import LoopCommand, RunView, amount, seconds

if TYPE_CHECKING:
    from ...graphs.retrieval_eval import RetrievalEvalResult

__all__ = ["add_arguments", "eval_rag", "retrieval"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop eval-rag`: those of the retrieval, and those of the answers."""
    from . import eval_answers

    retrieval.describe(command)
    eval_answers.add_arguments(command)


def eval_rag(args: argparse.Namespace) -> int:
    """The command: retrieval, or with --claims answers and their citations."""
    if args.claims:
        from .eval_answers import eval_claims

        return eval_claims(args)
    return retrieval.run(args)


def _words(result: RetrievalEvalResult, bold: bool) -> list[str]:
    if result.report is None:
        return ["  no query was searched"]
    lines = [
        f"  {result.config['mode']}: {amount(len(result.tasks))} queries, {amount(result.documents)} documents"
        + (f", {result.report.without_results} queries found nothing" if result.report.without_results else "")
        + (
            f", {result.relevant_not_indexed} of {result.relevant_documents} relevant documents are not there"
            if result.relevant_not_indexed
            else ""
        )
    ]
    for name, measure in result.report.measures.items():
        interval = "" if measure.ci is None else f"  [{measure.ci[0]:.4f}, {measure.ci[1]:.4f}]"
        value = "-" if measure.value is None else f"{measure.value:.4f}"
        lines.append(
            f"    {name:<12} {value}{interval}" + (f"  {measure.unscored} unscored" if measure.unscored else "")
        )
    return [
        *lines,
        f"  indexed in {seconds(result.index_seconds)}; a query took {result.quantile(0.5):.1f} ms (95 %:"
        f" {result.quantile(0.95):.1f} ms), its embedding included unless it was in the ledger.",
    ]


def _data(result: RetrievalEvalResult) -> Mapping[str, Any]:
    measures = result.report.measures if result.report is not None else {}
    return {
        "mode": result.config["mode"],
        "measures": {name: measure.model_dump(mode="json") for name, measure in measures.items()},
        "queries": len(result.tasks),
        "judged_queries_not_asked": result.not_asked,
        "documents": result.documents,
        "relevant_documents": result.relevant_documents,
        "relevant_documents_not_indexed": result.relevant_not_indexed,
        "without_results": result.report.without_results if result.report is not None else 0,
        "embedder": result.space.model_dump() if result.space else None,
        "reranker": result.models.get("reranker", {}).get("id"),
        "index": result.index,
        "index_seconds": result.index_seconds,
        "query_ms": {"p50": result.quantile(0.5), "p95": result.quantile(0.95)},
    }


retrieval = LoopCommand(
    config=room.RetrievalEvalConfig,
    loop=lambda: room.retrieval_eval,
    about=__doc__,
    words=_words,
    data=_data,
    view=lambda config: RunView("queries"),
)
