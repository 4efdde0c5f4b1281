"""What is in a picture set: clusters of pictures by meaning, the words that mark each, and how well a name tells its pictures from the others."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clusters import Clusters, cluster

__all__ = ["distinctive_words", "tells", "theme_count", "themes"]

_MOST, _EACH = 24, 12
_TRIED = 5
_WORD = re.compile(r"[^\W\d_]{2,}")


def theme_count(rows: int) -> int:
    """How many themes are looked for: about the root of a third of the pictures, 2 to 24; one of fewer than 24 pictures."""
    return max(1, min(_MOST, rows // _EACH, round(math.sqrt(rows / 3))))


def themes(vectors: Any, *, seed: int = 0) -> Clusters:
    """Spherical k-means of (n, size) unit vectors; of five tries the one whose rows are nearest to their centroids."""
    tries = [cluster(vectors, theme_count(len(vectors)), seed=seed + 1_000 * number) for number in range(_TRIED)]

    def near(parts: Clusters) -> float:
        return float(np.einsum("ij,ij->", np.asarray(vectors, dtype=np.float32), parts.centroids[parts.assigned]))

    return max(tries, key=near)


def distinctive_words(
    texts: Sequence[Iterable[str]], *, most: int = 4, without: Iterable[str] = ()
) -> list[tuple[str, ...]]:
    """Of each group of texts the words that mark it: class-based tf-idf (Grootendorst 2022, arXiv 2203.05794).

    `without`: words that carry nothing, such as articles.
    """
    left_out = set(without)
    counts = [
        Counter(word for text in group for word in _WORD.findall(text.casefold()) if word not in left_out)
        for group in texts
    ]
    total = sum(counts, Counter[str]())
    average = sum(total.values()) / max(1, len(counts))
    found = []
    for group in counts:
        size = max(1, sum(group.values()))
        weights = {word: count / size * np.log1p(average / total[word]) for word, count in group.items()}
        found.append(tuple(sorted(weights, key=lambda word: (-weights[word], word))[:most]))
    return found


def tells(name: NDArray[Any], vectors: NDArray[Any], members: NDArray[np.bool_]) -> float:
    """How well the vector (size,) of a name parts its pictures from the others: the AUROC of cosines; .5 is no better than chance."""
    cosines = np.asarray(vectors, dtype=np.float64) @ np.asarray(name, dtype=np.float64)
    mine, others = cosines[members], np.sort(cosines[~members])
    if not len(mine) or not len(others):
        return 0.5
    lower = np.searchsorted(others, mine, side="left") + np.searchsorted(others, mine, side="right")
    return float(lower.mean() / (2 * len(others)))
