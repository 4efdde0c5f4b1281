"""What a better score may have cost: how far a text moved from the user's, and whether its pictures became alike.

OPT2I's pictures gain recall and lose precision (table 2 of the paper); with a handful of pictures of one prompt there is no recall to measure,
but that they all look the same is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from ...evaluators.stats import mean
from ...evaluators.text_image import cosine
from ...runtime.errors import CallFailed
from ...runtime.protocols import Embedder
from .result import Drift, HeldOut

__all__ = ["drift_of"]


async def drift_of(clip: Embedder, held: Mapping[str, HeldOut]) -> Drift | None:
    """The drift of `held["best"]` from `held["user"]`, in the space of `clip`; None where they are one text or it cannot be told."""
    user, best = held["user"], held["best"]
    if user.text == best.text:
        return None
    try:
        texts = await clip.texts([user.text, best.text])
        diversity = {name: await _diversity(clip, text) for name, text in held.items()}
    except CallFailed as error:
        if error.retryable:
            raise
        return None
    return Drift(similarity=cosine(*texts), diversity=diversity, encoder=clip.model)


async def _diversity(clip: Embedder, held: HeldOut) -> float | None:
    """The mean of 1 - cosine over pairs of pictures, 0 for pictures that are all alike; None of fewer than two."""
    vectors = await clip.images([image.image for image in held.images])
    return mean([1 - cosine(one, other) for one, other in combinations(vectors, 2)])
