"""Rankings joined to one list of hits: reciprocal rank fusion (Cormack et al. 2009, k = 60), and a reranker after it.

Hits of equal score are in the order of their ids, so that every store gives the same list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...runtime.errors import BadInput
from ...runtime.passages import Hit, Passage
from ...runtime.protocols import Reranker

__all__ = ["DEPTH", "Ranking", "fuse", "reranked"]

DEPTH = 100
"""How many of each ranking are joined, and how many a reranker is shown at most."""
_RRF = 60
_BM25_HALF = 10.0  # the BM25 score whose similarity is 0.5

Ranking = list[tuple[Passage, float]]
"""Passages with their raw scores, best first."""


def fuse(
    rankings: Mapping[str, Ranking], *, weights: Mapping[str, float] | None = None, limit: int | None = None
) -> list[Hit]:
    """The best `limit` hits (default: all) from the rankings of one query; a single ranking keeps order and similarity.

    `weights` by ranking; default 1. Reciprocal rank fusion needs no scores that can be compared (Cormack et al. 2009).
    """
    passages: dict[str, Passage] = {}
    scores: dict[str, dict[str, float]] = {}
    ranks: dict[str, dict[str, int]] = {}
    for name, ranking in rankings.items():
        ordered = sorted(ranking, key=lambda item: (-item[1], item[0].id))
        for rank, (passage, score) in enumerate(ordered, start=1):
            passages[passage.id] = passage
            scores.setdefault(passage.id, {})[name] = float(score)
            ranks.setdefault(passage.id, {})[name] = rank
    given = {name: (weights or {}).get(name, 1.0) for name in rankings}
    most = sum(given.values()) / (_RRF + 1)
    similarities: dict[str, float] = {}
    for key in passages:
        if len(rankings) == 1:
            [(name, score)] = scores[key].items()
            similarity = score / (score + _BM25_HALF) if name == "bm25" else (1 + score) / 2
        else:
            similarity = math.fsum(given[name] / (_RRF + rank) for name, rank in ranks[key].items()) / most
        similarities[key] = min(1.0, max(0.0, similarity))
    best = sorted(passages, key=lambda key: (-similarities[key], key))[:limit]
    return [
        Hit(passage=passages[key], similarity=similarities[key], scores=scores[key], ranks=ranks[key]) for key in best
    ]


async def reranked(reranker: Reranker, query: str, hits: list[Hit], k: int) -> list[Hit]:
    """The best `DEPTH` sorted by the reranker; one that it could not score keeps its place."""
    if not query.strip():
        raise BadInput("a reranker reads words: give the query a text, or leave the reranker out.")
    head = [hit for hit in hits[:DEPTH] if hit.passage.indexed]
    given = await reranker.rerank(query, [hit.passage.indexed for hit in head])
    if len(given) != len(head):
        raise BadInput(f"the reranker {reranker.model} gave {len(given)} scores for {len(head)} passages.")
    scored = {hit.passage.id: score for hit, score in zip(head, given, strict=True) if score is not None}
    best = sorted(
        (hit for hit in hits if hit.passage.id in scored), key=lambda h: (-scored[h.passage.id], h.passage.id)
    )
    turn = iter(
        hit.model_copy(
            update={
                "similarity": min(1.0, max(0.0, scored[hit.passage.id])),
                "scores": {**hit.scores, "rerank": scored[hit.passage.id]},
                "ranks": {**hit.ranks, "rerank": rank},
            }
        )
        for rank, hit in enumerate(best, start=1)
    )
    return [next(turn) if hit.passage.id in scored else hit for hit in hits][:k]
