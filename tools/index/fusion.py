"""Rankings joined to one list of hits: a convex combination of their scores (Bruch et al. 2023, arXiv 2210.11934), and a reranker after it.

Each ranking's scores are brought to [0, 1] first: cosines from the lowest of the ranking to its highest, so that it does not matter how
close to each other an embedder puts everything; BM25 from 0 to its highest. What a ranking lacks has 0 in it.

Hits of equal score are in the order of their ids, so that every store gives the same list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...runtime.errors import BadInput
from ...runtime.passages import Hit, Passage
from ...runtime.protocols import Reranker

__all__ = ["DEPTH", "Ranking", "fuse", "reranked"]

DEPTH = 100
"""How many of each ranking are joined, and how many a reranker is shown at most."""
_BM25_HALF = 10.0  # the BM25 score whose similarity is 0.5

Ranking = list[tuple[Passage, float]]
"""Passages with their raw scores, best first."""


def fuse(
    rankings: Mapping[str, Ranking], *, weights: Mapping[str, float] | None = None, limit: int | None = None
) -> list[Hit]:
    """The best `limit` hits (default: all) from the rankings of one query; a single ranking keeps order and similarity.

    `weights` by ranking; default 1.
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
    ranges = {name: _range(name, [score for _, score in ranking]) for name, ranking in rankings.items()}
    similarities: dict[str, float] = {}
    for key in passages:
        if len(rankings) == 1:
            [(name, score)] = scores[key].items()
            similarity = score / (score + _BM25_HALF) if name == "bm25" else (1 + score) / 2
        else:
            shares = (given[name] * _share(score, *ranges[name]) for name, score in scores[key].items())
            similarity = math.fsum(shares) / sum(given.values())
        similarities[key] = min(1.0, max(0.0, similarity))
    best = sorted(passages, key=lambda key: (-similarities[key], key))[:limit]
    return [
        Hit(passage=passages[key], similarity=similarities[key], scores=scores[key], ranks=ranks[key]) for key in best
    ]


def _range(name: str, scores: Sequence[float]) -> tuple[float, float]:
    """The scores that count as 0 and as 1."""
    highest = max(scores, default=0.0)
    return (0.0 if name == "bm25" else min(scores, default=0.0)), highest


def _share(score: float, lowest: float, highest: float) -> float:
    """Where a score lies between the two; 1 where they are one."""
    return (score - lowest) / (highest - lowest) if highest > lowest else 1.0


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
