"""Vectors whose truth is drawn: what a removal of near copies does to the shares of groups and to a probe, and what retrieval finds."""

from __future__ import annotations

from typing import Any

import numpy as np

from inloop.tools.curation import (
    Mixture,
    by_clusters,
    by_samples,
    components,
    fair_removal,
    folds_of,
    group_similarities,
    likely,
    probed,
    remove_copies,
    unit_rows,
)

from .figures import Figure

__all__ = ["retrieval", "shares"]

_DRAWS = 10


def shares() -> list[Figure]:
    figures = []
    for apart in (0.02, 0.05, 0.1, 0.15, 0.2):
        minorities: dict[str, list[float]] = {"before": [], "SemDeDup": [], "FairDeDup": [], "matched": [], "known": []}
        right: dict[tuple[str, str], list[float]] = {}
        for seed in range(_DRAWS):
            vectors, minority, words, kinds = _mixed(seed, apart)
            labels, near = components(vectors, 0.88), group_similarities(vectors, words)
            ways = {
                "SemDeDup": remove_copies(vectors, 0.88, rule="components").kept,
                "FairDeDup": fair_removal(vectors, labels, near, "fairdedup").kept,
                "matched": fair_removal(vectors, labels, near, "matched").kept,
                "known": fair_removal(
                    vectors, labels, near, "matched", members=_known(vectors, minority, words, labels)
                ).kept,
            }
            minorities["before"].append(100 * float(minority.mean()))
            for way, kept in ways.items():
                minorities[way].append(100 * float(minority[kept].mean()))
            folds = folds_of(kinds.tolist(), labels.tolist(), seed=seed)
            for way, kept in {"before": np.ones(len(kinds), dtype=bool), **ways}.items():
                found = probed(vectors, kinds.tolist(), folds, 10, fitted_on=kept).argmax(axis=1) == kinds
                for who, rows in (("all", minority | True), ("the minority", minority)):
                    right.setdefault((way, who), []).append(100 * float(found[rows].mean()))
        figures += [
            Figure.of(f"probe of ten kinds, apart {apart}, {who}: {way}", values, "%", "range of 10 draws")
            for (way, who), values in right.items()
            if way != "known"
        ]
        away = {way: np.abs(np.array(values) - minorities["before"]) for way, values in minorities.items()}
        for way, values in minorities.items():
            nearer = (
                ""
                if way in ("before", "SemDeDup")
                else f"nearer to before than SemDeDup in {int((away[way] < away['SemDeDup']).sum())} of {_DRAWS}"
            )
            figures.append(
                Figure(
                    name=f"minority, apart {apart}: {way}",
                    value=float(np.mean(values)),
                    unit="%",
                    low=min(values),
                    high=max(values),
                    note=nearer,
                )
            )
    return figures


def _mixed(seed: int, apart: float) -> tuple[Any, Any, Any, Any]:
    """Vectors in 400 neighbourhoods, which of them are of the minority, the words of both groups, and the kind of each, of 10."""
    rng = np.random.default_rng([seed, 5])
    axis, topics = _unit(rng.standard_normal(64)), _unit(rng.standard_normal((20, 64)))
    noise = np.random.default_rng([seed, 7])
    kind_of = _unit(noise.standard_normal((10, 64)))  # kinds that a line parts, but for their noise
    rows, minority, kinds = [], [], []
    for _ in range(400):
        centre = _unit(topics[rng.integers(20)] + 0.8 * _unit(rng.standard_normal(64)))
        mine = rng.random(int(rng.integers(2, 8))) < 0.15
        rows.append(
            centre + 0.15 * _unit(rng.standard_normal((len(mine), 64))) + apart * np.where(mine, 1, -1)[:, None] * axis
        )
        minority.append(mine)
        kinds += [int((kind_of @ centre + 0.1 * noise.standard_normal(10)).argmax())] * len(mine)
    words = _unit(np.stack([axis + 0.3 * _unit(rng.standard_normal(64)), -axis + 0.3 * _unit(rng.standard_normal(64))]))
    return unit_rows(np.concatenate(rows)), np.concatenate(minority), words, np.array(kinds)


def _known(vectors: Any, minority: Any, words: Any, labels: Any) -> Any:
    """How likely each row is of the minority by a mixture whose numbers are taken from the truth: all that the encoder says of a row."""
    lead, of, places = (
        vectors.astype(float) @ (words[0] - words[1]),
        minority.astype(float),
        np.unique(labels, return_inverse=True)[1],
    )
    sizes = np.bincount(places)

    def within(values: Any) -> Any:
        return values - (np.bincount(places, weights=values) / sizes)[places]

    step = float((within(lead) * within(of)).sum() / np.square(within(of)).sum())
    noise = float(np.sqrt(np.square(within(lead) - step * within(of)).sum() / (len(lead) - len(sizes))))
    levels = np.bincount(places, weights=lead - step * of) / sizes
    mixture = Mixture(float(of.mean()), max(step, 1e-9), noise, float(levels.mean()), float(levels.std()))
    first = likely(lead, labels, mixture)
    return np.stack([first, 1 - first], axis=1)


def retrieval() -> list[Figure]:
    found: dict[str, list[tuple[float, float]]] = {"samples": [], "clusters": []}
    for seed in range(_DRAWS):
        rng = np.random.default_rng([seed, 6])
        topics = _unit(rng.standard_normal((40, 64)))

        def drawn(topic: Any, topics: Any = topics, rng: Any = rng) -> Any:
            return unit_rows(topics[topic] + 0.14 * rng.standard_normal((len(topic), 64)))

        pool = drawn(np.concatenate([rng.integers(4, size=300), 4 + rng.integers(36, size=2700)]))
        examples = drawn(rng.integers(4, size=60))
        for way, rows in (
            ("samples", by_samples(pool, examples)),
            ("clusters", by_clusters(pool, examples, seed=seed)),
        ):
            found[way].append((100 * float((rows < 300).mean()), 100 * float((rows < 300).sum() / 300)))
    return [
        Figure.of(f"retrieval by {way}: {what}", [each[number] for each in pairs], "%", "median of 10 draws")
        for way, pairs in found.items()
        for number, what in enumerate(("purity", "recall"))
    ]


def _unit(values: Any) -> Any:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)
