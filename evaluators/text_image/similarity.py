"""How near a rewritten text is to the text that it was made of: their cosine in the space of CLIP's text encoder.

It looks at the texts alone: what moved between them is meaning drift, as far as the encoder sees it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.errors import CallFailed
from ...runtime.protocols import Embedder
from ...runtime.records import Sample, Score
from ..stats import unscored

__all__ = ["TextSimilarity", "cosine"]


class TextSimilarity:
    """An `Evaluator` of texts against `text`: 1 for the same, a negative cosine is 0."""

    name = "similarity"

    def __init__(self, embedder: Embedder, text: str) -> None:
        self.embedder, self.text = embedder, text

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """The similarity of each sample's text, whatever its picture; None for all where one of the texts cannot be embedded."""
        texts = list(dict.fromkeys([self.text, *(sample.text for sample in samples)]))
        try:
            vectors = dict(zip(texts, await self.embedder.texts(texts), strict=True))
        except CallFailed as error:
            if error.retryable:
                raise
            return [unscored(sample, error) for sample in samples]
        own = vectors[self.text]
        return [Score(value=round(max(0.0, cosine(vectors[sample.text], own)), 6)) for sample in samples]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two unit vectors, from -1 to 1."""
    # the product of a unit vector with itself may be more than 1 by a rounding
    return max(-1.0, min(1.0, sum(a * b for a, b in zip(one, other, strict=True))))
