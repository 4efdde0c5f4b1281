"""A plain function as an evaluator: `score(image: PIL.Image.Image, text: str) -> float`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

from ...runtime.errors import BadInput, CallFailed
from ...runtime.records import BlobRef, Cost, Sample, Score
from ...tools.models import FunctionModel
from ..stats import unscored

__all__ = ["FunctionEvaluator"]


class FunctionEvaluator(FunctionModel):
    """An `Evaluator` of pictures for their texts.

    The function gives a number, higher is better; None where it cannot tell; or a `Score` with its reasons. See
    `tools.models.function` for when a score is kept.
    """

    kind = "score"

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """The score of each sample; None where it has no picture, or where the function raised or gave no number."""
        return list(await asyncio.gather(*(self._score(sample, sample.image) for sample in samples)))

    async def _score(self, sample: Sample, image: BlobRef | None) -> Score:
        if image is None:
            return unscored(sample)

        def arguments() -> tuple[Any, ...]:
            return self.store.blobs.get_image(image).convert("RGB"), sample.text

        inputs = {"image": image.sha256, "text": sample.text}
        try:
            return Score.model_validate(await self.once(arguments, inputs, _keep, cost=Cost(calls=1)))
        except (CallFailed, BadInput) as error:
            return unscored(sample, error)


def _keep(given: Any) -> dict[str, Any]:
    if isinstance(given, Score):
        return given.model_dump(mode="json")
    if given is None or math.isnan(float(given)):
        return Score(value=None, explanation=f"the function gave {given}").model_dump(mode="json")
    return Score(value=float(given)).model_dump(mode="json")
