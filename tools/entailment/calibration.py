"""Logistic regressions over features that a person can check, and the embedder whose vectors they were fitted with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ...runtime.protocols import TextEmbedder

__all__ = ["Regression", "calibrated", "dot", "log_odds"]

_CALIBRATED_WITH = "all-minilm-l6-v2"
_FARTHEST = 30.0  # log odds


class Regression(NamedTuple):
    """`features`: the mean, the scale and the weight of each; then the intercept."""

    features: tuple[tuple[float, float, float], ...]
    intercept: float

    def probability(self, values: Sequence[float]) -> float:
        """The probability for one row of features."""
        odds = self.intercept
        for value, (center, scale, weight) in zip(values, self.features, strict=True):
            odds += weight * (value - center) / scale
        return 1 / (1 + math.exp(-min(max(odds, -_FARTHEST), _FARTHEST)))


def calibrated(embedder: TextEmbedder | None) -> TextEmbedder | None:
    """The embedder, where it is the model that the regressions were fitted with; else None."""
    known = embedder is not None and _CALIBRATED_WITH in embedder.model.lower().replace("_", "-")
    return embedder if known else None


def log_odds(probability: float) -> float:
    """The logarithm of the odds, between -9.2 and 9.2."""
    kept = min(max(probability, 1e-4), 1 - 1e-4)
    return math.log(kept / (1 - kept))


def dot(first: Sequence[float], second: Sequence[float]) -> float:
    """The dot product of two vectors; the cosine where their length is one."""
    return float(sum(a * b for a, b in zip(first, second, strict=True)))
