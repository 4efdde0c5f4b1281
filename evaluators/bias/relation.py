"""Whether a bias goes with what a model can do elsewhere, over the models at hand, and how to read that.

No single bias explains generalisation (Gavrikov and Keuper 2024, https://arxiv.org/abs/2404.01509: 48 networks of one architecture), so a bias
is reported beside the accuracy on shifted pictures, and never taken for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ..stats import spearman

__all__ = ["FEWEST_MODELS", "READING", "Relation", "relation"]

FEWEST_MODELS = 6
"""Models that a correlation is told of: of five, even a perfect one is no proof of any."""
READING = (
    "No single bias explains how well a model generalises (Gavrikov and Keuper 2024): read each one beside the accuracy on shifted pictures,"
    " and do not choose or train a model by one of them."
)


class Relation(Record):
    """Spearman's rank correlation of a bias with the shifted accuracy over `models`, with its 95 % interval; None, with `why`, where it is not told."""

    bias: str
    models: int
    rho: float | None = None
    ci: tuple[float, float] | None = None
    why: str = ""


def relation(bias: str, values: Sequence[float | None], accuracies: Sequence[float | None]) -> Relation:
    """The rank correlation of one bias with the shifted accuracy, a value of each a model; models that lack one are left out.

    The interval is Fisher's with the variance of Bonett and Wright 2000 (https://doi.org/10.1007/BF02294183).

    Raises:
        BadInput: the two differ in length.
    """
    if len(values) != len(accuracies):
        raise BadInput(f"{len(values)} biases and {len(accuracies)} accuracies are no pairs: give one of each a model.")
    known = [
        (value, accuracy)
        for value, accuracy in zip(values, accuracies, strict=True)
        if value is not None and accuracy is not None
    ]
    count = len(known)
    if count < FEWEST_MODELS:
        return Relation(
            bias=bias, models=count, why=f"{count} models are too few: {FEWEST_MODELS} or more tell a correlation"
        )
    rho = spearman([value for value, _ in known], [accuracy for _, accuracy in known])
    if rho is None:
        return Relation(bias=bias, models=count, why="all models are alike in one of the two")
    held = max(-0.999999, min(0.999999, rho))
    half = 1.959964 * math.sqrt((1 + held**2 / 2) / (count - 3))
    ends = math.tanh(math.atanh(held) - half), math.tanh(math.atanh(held) + half)
    return Relation(bias=bias, models=count, rho=rho, ci=ends)
