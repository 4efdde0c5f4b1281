"""What OPT2I plugs into the search: a painter that realises texts, and a proposer that rewrites them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ...agents.opt2i import Rewriter, Shown
from ...runtime.errors import CallFailed
from ...runtime.protocols import ImageGenerator
from ...runtime.records import BlobRef, ImageRequest
from .result import Trial

__all__ = ["Painter", "PromptProposer"]

Warn = Callable[[str], None]
See = Callable[[Sequence[BlobRef]], None]


class Painter:
    """The `Realiser` of this loop: pictures of texts. One that cannot be painted is a warning and no picture; `see` is shown the others."""

    def __init__(self, images: ImageGenerator, warn: Warn, see: See) -> None:
        self.images, self.warn, self.see = images, warn, see

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
        self.see([picture for picture in made if picture is not None])
        return [list(made[i * len(seeds) : (i + 1) * len(seeds)]) for i in range(len(texts))]

    async def _one(self, request: ImageRequest) -> BlobRef | None:
        try:
            return (await self.images.generate([request]))[0]
        except CallFailed as error:
            if error.retryable:
                raise
            self.warn(f"no picture of {request.prompt!r} with seed {request.seed}: {error}")
            return None


class PromptProposer:
    """The `Proposer` of this loop: shows the rewriter the trials with integer scores and their parts."""

    def __init__(self, rewriter: Rewriter, objective: str, warn: Warn) -> None:
        self.rewriter, self.objective, self.warn = rewriter, objective, warn

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
            proposals = await self.rewriter.propose(text=text, history=shown, n=n, seed=seed, objective=self.objective)
        except CallFailed as error:
            if error.retryable:
                raise
            self.warn(f"no candidates for {text!r}: {error}")
            return []
        if why := proposals.why_none:
            self.warn(f"no candidates for {text!r}: {why}")
        return list(proposals.texts)


def _percent(value: float | None) -> int:
    return max(0, min(100, round(100 * (value or 0.0))))
