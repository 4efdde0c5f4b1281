"""What OPT2I plugs into the machine: a painter that realises, a proposer that rewrites, and what is climbed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

from ...agents.opt2i import Rewriter, Shown
from ...runtime.errors import CallFailed
from ...runtime.protocols import ImageGenerator
from ...runtime.records import BlobRef, ImageRequest
from .result import Trial

__all__ = ["Event", "Painter", "PromptProposer", "objective_of"]

Event = dict[str, Any]


class Painter:
    """The `Realiser` of this loop: pictures of texts. One that cannot be painted is a warning and no picture."""

    def __init__(self, images: ImageGenerator, tell: Callable[[Event], None]) -> None:
        self.images, self.tell = images, tell

    async def realise(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[BlobRef | None]]:
        """One picture for each text and seed, all in one request to the batcher."""
        requests = [ImageRequest(prompt=text, seed=seed) for text in texts for seed in seeds]
        made: Sequence[BlobRef | None]
        try:
            made = await self.images.generate(requests)
        except CallFailed as error:
            if error.retryable:
                raise
            # one by one, to lose no more than what failed; what was painted is in the ledger
            made = await asyncio.gather(*(self._one(request) for request in requests))
        return [list(made[i * len(seeds) : (i + 1) * len(seeds)]) for i in range(len(texts))]

    async def _one(self, request: ImageRequest) -> BlobRef | None:
        try:
            return (await self.images.generate([request]))[0]
        except CallFailed as error:
            if error.retryable:
                raise
            self.tell(
                {"event": "warning", "text": f"no picture of {request.prompt!r} with seed {request.seed}: {error}"}
            )
            return None


class PromptProposer:
    """The `Proposer` of this loop: shows the rewriter the trials with integer scores and their parts."""

    def __init__(
        self, rewriter: Rewriter, objective: Literal["dsg", "dcs", "both"], tell: Callable[[Event], None]
    ) -> None:
        self.rewriter, self.objective, self.tell = rewriter, objective, tell

    async def propose(self, text: str, history: Sequence[Trial], *, n: int, seed: int) -> list[str]:
        """New prompts; a reply that cannot be had or used is a warning and no prompt."""
        names = ("dsg", "dcs") if self.objective == "both" else (self.objective,)
        shown = [
            Shown(
                text=trial.text,
                score=_percent(trial.objective),
                parts=tuple(
                    (part.name, _percent(part.value))
                    for name in names
                    for part in trial.parts.get(name, ())
                    if part.value is not None
                ),
            )
            for trial in history
        ]
        try:
            found = await self.rewriter.propose(text=text, history=shown, n=n, seed=seed, objective=self.objective)
        except CallFailed as error:
            if error.retryable:
                raise
            self.tell({"event": "warning", "text": f"no candidates for {text!r}: {error}"})
            return []
        return list(found.texts)


def _percent(value: float | None) -> int:
    return max(0, min(100, round(100 * (value or 0.0))))


def objective_of(name: str) -> Callable[[Any], float | None]:
    def value(scores: dict[str, float | None]) -> float | None:
        if name != "both":
            return scores[name]
        return None if scores["dsg"] is None or scores["dcs"] is None else (scores["dsg"] + scores["dcs"]) / 2

    return value
