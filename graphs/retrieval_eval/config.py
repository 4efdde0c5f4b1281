"""Which test set, which index, and how it is searched."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ...runtime.passages import Mode
from ...runtime.session import RunConfig, option

__all__ = ["RetrievalEvalConfig"]


class RetrievalEvalConfig(RunConfig):
    """Which test set, which index, and how it is searched.

    A test set is in BEIR's layout. Without `index` the corpus is indexed in memory.
    """

    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    corpus: Annotated[str, option("corpus.jsonl: _id, title, text a line", metavar="FILE")] = ""
    queries: Annotated[str, option("queries.jsonl: _id, text a line", metavar="FILE")] = ""
    qrels: Annotated[str, option("judgements: query id, document id, grade, with tabs", metavar="FILE")] = ""
    index: Annotated[
        str, option("an index: with --corpus it is filled where it is empty, else taken as it is", metavar="URL")
    ] = ""
    mode: Annotated[Mode, option("how to search")] = "hybrid"
    embedder: Annotated[str, option("as in inloop index", metavar="ID")] = "minilm"
    reranker: Annotated[str, option("a cross-encoder's folder or hub id, or llm:LLM", metavar="ID")] = ""
    measures: Annotated[
        tuple[str, ...], option("ndcg@K, recall@K and mrr@K, comma separated", metavar="NAMES", min_length=1)
    ] = ("ndcg@10", "recall@10", "recall@100", "mrr@10")
    limit: Annotated[int | None, option("the first N queries with judgements only", ge=1)] = None
    ignore_identical_ids: Annotated[bool, option("as BEIR does for ArguAna")] = False
    ranking: Annotated[str, option("write the ranking as a TREC run", metavar="FILE", flag="run")] = ""
    in_flight: Annotated[int, option("one query at a time, for each is timed", flag=False, ge=1, le=1)] = 1

    def topics(self) -> list[str]:
        """The file of queries."""
        return [self.queries]
