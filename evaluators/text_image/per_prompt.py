"""An evaluator for many prompts out of evaluators for one prompt each (DSG, dCS, TIFA)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Evaluator
from ...runtime.records import Sample, Score
from ...runtime.session import settled
from ..stats import unscored

__all__ = ["PerPrompt"]


class PerPrompt:
    """Scores each sample with the evaluator of its text.

    `make` is called once a text: the questions of a prompt are written once, however many pictures it has. Where it
    raises `CallFailed` or `BadInput`, the samples of that text have no score, and the next call tries again. Texts are worked on
    at the same time, so their questions share batches.
    """

    def __init__(self, name: str, make: Callable[[str], Awaitable[Evaluator]]) -> None:
        self.name = name
        self._make = make
        self._made: dict[str, asyncio.Future[Evaluator]] = {}

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One score a sample, in order."""
        groups: dict[str, list[int]] = {}
        for place, sample in enumerate(samples):
            groups.setdefault(sample.text, []).append(place)
        scores: dict[int, Score] = {}

        async def one(text: str, places: list[int]) -> None:
            rows = [samples[place] for place in places]
            try:
                made = await (await self.evaluator(text)).score(rows)
            except (BadInput, CallFailed) as error:
                made = [unscored(row, error) for row in rows]
            scores.update(zip(places, made, strict=True))

        await settled([one(text, places) for text, places in groups.items()])
        return [scores[place] for place in range(len(samples))]

    async def evaluator(self, text: str) -> Evaluator:
        """The evaluator of one text, made at most once unless that failed."""
        if text not in self._made:
            self._made[text] = asyncio.ensure_future(self._make(text))
        try:
            return await asyncio.shield(self._made[text])
        except BaseException:
            self._made.pop(text, None)
            raise
