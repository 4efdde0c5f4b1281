"""What an evaluation of retrieval leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...evaluators.rag import RetrievalReport
from ...runtime.display import Forest, Interval
from ...runtime.folder import RunResult, Task
from ...runtime.passages import Space

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = ["RankedQuery", "RetrievalEvalResult"]


class RankedQuery(Task):
    """One query, by its id: the documents that were found, the best first, and how long it took.

    The time is that of the search, with the embedding of the query unless the ledger had it.
    """

    documents: tuple[str, ...]
    milliseconds: float


class RetrievalEvalResult(RunResult[RankedQuery]):
    """How good a ranking is, over the queries with judgements.

    `not_asked`: queries with judgements that are not there or beyond the limit. `documents`: how many the index holds; of the
    `relevant_documents` so many are not there: `relevant_not_indexed`. `space`: of the vectors, None for words alone;
    `report`: None where the budget left no query.
    """

    report: RetrievalReport | None = None
    not_asked: int = 0
    documents: int = 0
    relevant_documents: int = 0
    relevant_not_indexed: int = 0
    space: Space | None = None
    index: str = ""
    index_seconds: float = 0.0

    def finding(self) -> str:
        """The first measure, with its interval."""
        if self.report is None:
            return "no query was searched"
        [(name, first), *_] = self.report.measures.items()
        value = "not scored" if first.value is None else f"{first.value:.3f}"
        low, high = first.ci or (None, None)
        interval = "" if low is None else f" ({low:.3f} to {high:.3f})"
        return f"{name} {value}{interval} over {first.n} queries"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a query: its measures, how much was found, and the time."""
        return [
            {
                "query": task.id,
                **(self.report.queries[task.id] if self.report else {}),
                "found": len(task.documents),
                "ms": task.milliseconds,
            }
            for task in self.tasks
        ]

    def forests(self) -> tuple[Forest, ...]:
        """The measures with their intervals."""
        if self.report is None:
            return ()
        measures = self.report.measures
        rows = tuple(Interval.of(name, measure.value, measure.ci) for name, measure in measures.items())
        return (Forest(title="Mean over queries, 95 % intervals", rows=rows, gains=False),)

    def quantile(self, share: float) -> float | None:
        """Milliseconds within which this share (0 to 1) of the queries was answered; None without queries."""
        took = sorted(task.milliseconds for task in self.tasks)
        return took[min(len(took) - 1, int(share * len(took)))] if took else None
