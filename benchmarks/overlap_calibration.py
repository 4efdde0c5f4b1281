"""Calibrates `tools.entailment.overlap` on SciFact's training claims and prints what goes into it: python -m benchmarks.overlap_calibration

The candidates of a claim are the sentences of its three best documents by BM25 and of its annotated ones; evidence is what is
annotated. Two-fold cross-validation over claims gives the AUC that is printed; the weights are fitted to all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from inloop.runtime.passages import Passage
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.data import Claim, locate, read_claims, read_corpus, read_sentences
from inloop.tools.encoders import open_text_embedder
from inloop.tools.entailment import evidence_features, passage_features, sentences
from inloop.tools.index import open_index

from .rag_answers import scifact

Rows = list[tuple[int, list[float], bool]]  # fold, features, label


async def candidates(claims: Sequence[Claim]) -> list[list[Passage]]:
    """The documents of each claim."""
    index = await open_index("memory:")
    corpus = {passage.id: passage for passage in read_corpus(scifact() / "corpus.jsonl")}
    await index.upsert([*corpus.values()])
    found = await index.search([claim.text for claim in claims], k=3, mode="bm25")
    return [
        [
            *{
                p.id: p for p in [*(h.passage for h in hits), *(corpus[d] for d, _ in claim.evidence if d in corpus)]
            }.values()
        ]
        for claim, hits in zip(claims, found, strict=True)
    ]


async def rows(
    claims: Sequence[Claim], store: Store, settings: Settings
) -> tuple[Rows, list[tuple[int, str, str, bool, list[int]]]]:
    """Features of every sentence; and of every passage its claim, text, label and the places of its sentences."""
    known = read_sentences(scifact() / "cited_docs_sentences.json")
    documents = await candidates(claims)
    made: Rows = []
    passages: list[tuple[int, str, str, bool, list[int]]] = []
    embedder: Any = open_text_embedder("minilm", store, settings)
    try:
        for number, (claim, found) in enumerate(zip(claims, documents, strict=True)):
            for passage in found:
                spans = [" ".join(span.text.split()) for span in sentences(passage.text)]
                vectors = np.array(await embedder.texts([claim.text, *spans]))
                gold = {n for d, n in claim.evidence if d == passage.document}
                places = []
                for text, vector in zip(spans, vectors[1:], strict=True):
                    label = bool(gold.intersection(locate(text, known.get(passage.document, []))))
                    places.append(len(made))
                    cosine = float(vector @ vectors[0])
                    made.append((number % 2, evidence_features(f"{passage.title}\n{text}", claim.text, cosine), label))
                passages.append((number % 2, passage.indexed, claim.text, bool(gold), places))
    finally:
        await embedder.aclose()
    return made, passages


def fit(features: Any, labels: Any, l2: float = 1.0) -> tuple[list[tuple[float, float, float]], float]:
    """Logistic regression on standardised features by Newton's method: (mean, scale, weight) of each, and the intercept."""
    mean, scale = features.mean(0), features.std(0) + 1e-9
    columns = np.c_[(features - mean) / scale, np.ones(len(features))]
    weights = np.zeros(columns.shape[1])
    ridge = np.r_[np.full(len(weights) - 1, l2), 0.0]
    for _ in range(30):
        p = 1 / (1 + np.exp(-columns @ weights))
        hessian = (columns * (p * (1 - p))[:, None]).T @ columns + np.diag(ridge)
        weights -= np.linalg.solve(hessian, columns.T @ (p - labels) + ridge * weights)
    each = [
        (round(float(m), 4), round(float(s), 4), round(float(w), 4))
        for m, s, w in zip(mean, scale, weights, strict=False)
    ]
    return each, round(float(weights[-1]), 4)


def predict(features: Any, fitted: tuple[list[tuple[float, float, float]], float]) -> Any:
    """The probabilities of a fit."""
    each, intercept = fitted
    total = sum(w * (features[:, i] - m) / s for i, (m, s, w) in enumerate(each)) + intercept
    return 1 / (1 + np.exp(-total))


def auc(scores: Any, labels: Any) -> float:
    """The area under the ROC curve (Mann-Whitney, no correction for ties)."""
    ranks = np.argsort(np.argsort(scores))
    positives = labels.sum()
    return float((ranks[labels == 1].sum() - positives * (positives - 1) / 2) / (positives * (len(labels) - positives)))


def crossed(name: str, folds: Any, features: Any, labels: Any) -> Any:
    """Print the AUC of both folds and the weights; give the held-out probabilities."""
    held = np.zeros(len(labels))
    for fold in (0, 1):
        held[folds == fold] = predict(features[folds == fold], fit(features[folds != fold], labels[folds != fold]))
    told = ", ".join(f"{auc(held[folds == fold], labels[folds == fold]):.3f}" for fold in (0, 1))
    print(f"{name}: AUC {told}, {int(labels.sum())} of {len(labels)}\n    {fit(features, labels)}")
    return held


async def main() -> None:
    """Fit the three heads and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=320, metavar="N", help="training claims, drawn with seed 0")
    claims = sorted(read_claims(scifact() / "claims_evidence.json", split="train"), key=lambda claim: claim.id)
    random.Random(0).shuffle(claims)
    settings = Settings.load()
    with Store.open(settings) as store:
        made, passages = await rows(claims[: parser.parse_args().claims], store, settings)
    folds, features, labels = (np.array(column) for column in zip(*made, strict=True))
    held = crossed("evidence", folds, features, labels.astype(float))
    crossed("evidence without vectors", folds, features[:, :-1], labels.astype(float))
    wide = [
        (fold, passage_features(text, claim, float(held[places].max())), gold)
        for fold, text, claim, gold, places in passages
    ]
    folds, features, labels = (np.array(column) for column in zip(*wide, strict=True))
    crossed("passage", folds, features, labels.astype(float))


if __name__ == "__main__":
    asyncio.run(main())
