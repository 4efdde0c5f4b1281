"""The threshold: a person's, the config's, the one that a share asks for, or the one that parts planted copies from look-alikes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...runtime.errors import BadInput
from ...tools.curation import CurvePoint, Pairs, Planted, proposed, recall_curve
from .config import CurateConfig

__all__ = ["MEANING", "PIXELS", "curve_of", "planted_of", "proposal", "proposed_threshold", "threshold_of_share"]

PIXELS, MEANING = 0.7, 0.95
"""What is taken where nothing could be planted, since there is one picture alone."""


def planted_of(told: Sequence[Sequence[Any]]) -> list[Planted]:
    """What was planted, as it is in the blob store."""
    return [Planted(int(source), change, float(score)) for source, change, score in told]


def proposal(config: CurateConfig, planted: Sequence[Planted]) -> float:
    """The threshold of the config, or the one that parts planted copies from look-alikes best."""
    if config.threshold is not None:
        return config.threshold
    return proposed_threshold(curve_of(planted, config.copies), config.copies)


def curve_of(planted: Sequence[Planted], copies: str) -> tuple[CurvePoint, ...]:
    """What each threshold does to what was planted; none where nothing was."""
    steps = np.arange(0.3, 0.991, 0.01) if copies == "pixels" else np.arange(0.5, 0.9991, 0.005)
    try:
        return tuple(recall_curve(planted, [round(float(step), 4) for step in steps]))
    except BadInput:
        return ()


def proposed_threshold(curve: Sequence[CurvePoint], copies: str) -> float:
    """The threshold that parts copies from look-alikes best."""
    if not curve:
        return PIXELS if copies == "pixels" else MEANING
    return proposed(curve).threshold


def threshold_of_share(pairs: Pairs, share: float, of: int, removed: Callable[[float], int]) -> float:
    """The lowest threshold at which no more than `share` of `of` pictures go, by bisection over the scores of pairs.

    Raises:
        BadInput: all pairs together do not take so many.
    """
    scores = np.unique(pairs.scores)
    low, high = 0, len(scores)
    if removed(-1.0) < round(share * of):
        raise BadInput(
            f"--remove {share:.0%}: near copies are {removed(-1.0) / of:.1%} of the pictures at most, by the pairs that were compared: give less."
        )
    while (
        low < high
    ):  # a lower threshold never removes fewer by much; the bisection ends at one that does not remove too many
        middle = (low + high) // 2
        if removed(float(scores[middle])) <= share * of:
            high = middle
        else:
            low = middle + 1
    return float(scores[min(low, len(scores) - 1)])
