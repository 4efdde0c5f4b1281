"""How good a ranking is against relevance judgements: nDCG@k, recall@k, MRR@k, as trec_eval (and pytrec_eval) have them.

Conventions of trec_eval, all of which change figures: scores are compared as 32-bit floats, equal ones are ordered by
document id *descending*; the gain of nDCG is the judgement itself (Järvelin and Kekäläinen 2002, linear gain) and the
ideal ranking is that of all judged documents; a document is relevant from the judgement 1 on; an unjudged one is not.

Two things differ on purpose. A query that has judgements and no results counts 0 (trec_eval -c), for it was asked; a
query without any relevant document is unscored (trec_eval gives 0), for no system could do better.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ..stats import Estimate, estimate

__all__ = ["MEASURES", "RetrievalReport", "evaluate_run", "ideal_dcg", "mrr", "ndcg", "ranked", "recall"]

MEASURES = ("ndcg@10", "recall@10", "recall@100", "mrr@10")
_MEASURE = re.compile(r"(ndcg|recall|mrr)@([1-9][0-9]{0,5})")

Run = Mapping[str, Mapping[str, float]]
"""By query id, the scores of documents by id."""
Qrels = Mapping[str, Mapping[str, int]]
"""By query id, the judgements of documents by id."""


class RetrievalReport(Record):
    """By measure, the mean over queries with its bootstrap interval, and the value of each query (None: unscored)."""

    measures: dict[str, Estimate]
    queries: dict[str, dict[str, float | None]]
    without_results: int = 0
    """Queries with judgements of which nothing was found; they count 0."""


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Document ids in trec_eval's order: by score as a 32-bit float, equal ones by id, the last in the alphabet first."""
    by_id = sorted(scores, key=lambda key: key.encode("utf-8", "surrogatepass"), reverse=True)
    return sorted(by_id, key=lambda key: -float(np.float32(scores[key])))


def ndcg(ranking: Sequence[str], judged: Mapping[str, int], k: int) -> float | None:
    """Discounted cumulative gain of the first `k` over that of the best ranking there is; None without a relevant one."""
    ideal = ideal_dcg(judged, k)
    gains = (max(0, judged.get(document, 0)) for document in ranking[:k])
    return _dcg(gains) / ideal if ideal else None


def ideal_dcg(judged: Mapping[str, int], k: int) -> float:
    """What the best ranking of the judged documents would gain in its first `k` places."""
    return _dcg(sorted((gain for gain in judged.values() if gain > 0), reverse=True)[:k])


def recall(ranking: Sequence[str], judged: Mapping[str, int], k: int) -> float | None:
    """The share of the relevant documents that are among the first `k`; None where there is none."""
    relevant = {document for document, gain in judged.items() if gain > 0}
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else None


def mrr(ranking: Sequence[str], judged: Mapping[str, int], k: int) -> float | None:
    """One over the place of the first relevant document, 0 where it is not among the first `k`."""
    if not any(gain > 0 for gain in judged.values()):
        return None
    return next((1 / place for place, key in enumerate(ranking[:k], start=1) if judged.get(key, 0) > 0), 0.0)


def evaluate_run(
    run: Run, qrels: Qrels, measures: Sequence[str] = MEASURES, *, ignore_identical_ids: bool = False
) -> RetrievalReport:
    """Score a run: every query with judgements, in their order. Results of queries without judgements are left out.

    `ignore_identical_ids` leaves a document out that has the id of its query, as BEIR does (it matters for ArguAna).

    Raises:
        BadInput: an unknown measure, no query with judgements, or a score that is no number.
    """
    parsed = [_MEASURE.fullmatch(name) for name in measures]
    for name, match in zip(measures, parsed, strict=True):
        if match is None:
            raise BadInput(f"{name!r} is no measure: give ndcg@K, recall@K or mrr@K with a K of 1 or more.")
    if not qrels:
        raise BadInput("there are no relevance judgements to score against.")
    functions = {"ndcg": ndcg, "recall": recall, "mrr": mrr}
    values: dict[str, dict[str, float | None]] = {}
    empty = 0
    for query, judged in qrels.items():
        scores = {
            key: score for key, score in run.get(query, {}).items() if not (ignore_identical_ids and key == query)
        }
        for key, score in scores.items():
            if math.isnan(score):
                raise BadInput(f"the score of the document {key!r} for the query {query!r} is not a number.")
        empty += not scores
        ranking = ranked(scores)
        values[query] = {
            name: functions[match[1]](ranking, judged, int(match[2]))
            for name, match in zip(measures, parsed, strict=True)
            if match is not None
        }
    return RetrievalReport(
        measures={name: estimate([one[name] for one in values.values()]) for name in measures},
        queries=values,
        without_results=empty,
    )


def _dcg(gains: Iterable[int]) -> float:
    return float(sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1)))
