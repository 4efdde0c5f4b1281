"""What OPT2I plugs into the search: a painter that realises texts, and a proposer that rewrites them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from ...agents.opt2i import Rewriter, Shown
from ...evaluators.stats import mean
from ...runtime.errors import CallFailed
from ...runtime.protocols import ImageGenerator
from ...runtime.records import BlobRef, ImageRequest
from .result import Trial

__all__ = ["Painter", "PromptProposer", "complements", "farthest"]

_PARALLEL, _CROSSING = 1_000_000_007, 500_000_003  # apart from the seeds of rounds and of repeated attempts

Warn = Callable[[str], None]
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
See = Callable[[Sequence[BlobRef]], None]


class Painter:
    """The `Realiser` of this loop: pictures of texts. One that cannot be painted is a warning and no picture; `see` is shown the others.

    `batch`: so many pictures cost what one does.
    """

    def __init__(self, images: ImageGenerator, warn: Warn, see: See) -> None:
        self.images, self.warn, self.see = images, warn, see
        self.batch = int(getattr(images, "batch", 1))

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
    """The `Proposer` of this loop: shows the rewriter the trials with integer scores and their parts.

    Args:
        objective: the score whose parts are shown.
        parallel: so many proposals at once; each but the first does without one more of the best trials, so that it starts elsewhere.
        crossover: one of the proposals joins the best trial with the one that does best where it fails.
        pictures: of each trial so many are shown, those that scored least; the model must see.
        diverse: so many times the texts are asked for, of which those are kept that lie farthest from each other and from what was tried.
        embed: unit vectors of texts, for `diverse`.
    """

    def __init__(
        self,
        rewriter: Rewriter,
        objective: str,
        warn: Warn,
        *,
        parallel: int = 1,
        crossover: bool = False,
        pictures: int = 0,
        diverse: int = 1,
        embed: Embed | None = None,
    ) -> None:
        self.rewriter, self.objective, self.warn = rewriter, objective, warn
        self.parallel, self.crossover, self.pictures = parallel, crossover, pictures
        self.diverse, self.embed = diverse, embed

    async def propose(self, text: str, history: Sequence[Trial], *, n: int, seed: int) -> list[str]:
        """New prompts; a reply that cannot be had or used is a warning and no prompt."""
        return await self.propose_streaming(text, history, n=n, seed=seed, on_text=None)

    async def propose_streaming(
        self, text: str, history: Sequence[Trial], *, n: int, seed: int, on_text: Callable[[str], None] | None
    ) -> list[str]:
        """As `propose`; `on_text` hears of each as soon as it is written, where all that is written is proposed.

        Of several replies, or of more texts than are wanted, only the last one tells which ones are.
        """
        shown = [self._shown(trial) for trial in history]
        wanted = n * self.diverse
        calls = min(self.parallel, wanted)
        if calls > 1 or self.diverse > 1 or self.crossover:
            on_text = None
        shares = [wanted // calls + (place < wanted % calls) for place in range(calls)]
        asks = [
            self._ask(text, shown[: max(1, len(shown) - place)], share, seed + _PARALLEL * place, on_text=on_text)
            for place, share in enumerate(shares)
        ]
        rows = await asyncio.gather(*asks, *self._crossing(text, shown, wanted, seed))
        # those of a crossing, which are at the end, take the places of the last ones
        texts = [each for row in [*rows[len(asks) :], *rows[: len(asks)]] for each in row]
        fresh = list({each.casefold(): each for each in reversed(texts)}.values())[::-1]
        if self.embed is None or len(fresh) <= n:
            return fresh[:n]
        vectors = await self.embed([*fresh, *(trial.text for trial in history)])
        return [fresh[place] for place in farthest(vectors[: len(fresh)], vectors[len(fresh) :], n)]

    def _crossing(self, text: str, shown: Sequence[Shown], wanted: int, seed: int) -> list[Awaitable[list[str]]]:
        """A proposal that joins two tries, where that is asked for and two of them complement each other."""
        pair = complements(shown) if self.crossover else None
        return [] if pair is None else [self._ask(text, shown, max(1, wanted // 2), seed + _CROSSING, pair)]

    def _shown(self, trial: Trial) -> Shown:
        names = ("dsg", "dcs") if self.objective == "both" else (self.objective,)
        parts = tuple(
            (part.name, _percent(part.value))
            for name in names
            for part in trial.parts.get(name, ())
            if part.value is not None
        )
        worst = sorted(trial.images, key=lambda shot: mean([shot.scores[name].value for name in names]) or 0.0)
        return Shown(
            text=trial.text,
            score=_percent(trial.objective),
            parts=parts,
            pictures=tuple(shot.image for shot in worst[: self.pictures]),
        )

    async def _ask(
        self,
        text: str,
        shown: Sequence[Shown],
        n: int,
        seed: int,
        pair: tuple[Shown, Shown] | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> list[str]:
        try:
            proposals = (
                await self.rewriter.propose(
                    text=text, history=shown, n=n, seed=seed, objective=self.objective, on_text=on_text
                )
                if pair is None
                else await self.rewriter.cross(text=text, pair=pair, n=n, seed=seed, objective=self.objective)
            )
        except CallFailed as error:
            if error.retryable:
                raise
            self.warn(f"no candidates for {text!r}: {error}")
            return []
        if why := proposals.why_none:
            self.warn(f"no candidates for {text!r}: {why}")
        return list(proposals.texts)


def complements(shown: Sequence[Shown]) -> tuple[Shown, Shown] | None:
    """The best try and the one that gains most where it fails; None where no other one is better at anything."""
    if len(shown) < 2:
        return None
    best = dict(shown[-1].parts)

    def adds(other: Shown) -> int:
        return sum(max(0, value - best.get(name, value)) for name, value in other.parts)

    partner = max(shown[:-1], key=adds)
    return (partner, shown[-1]) if adds(partner) else None


def farthest(vectors: Sequence[Sequence[float]], known: Sequence[Sequence[float]], n: int) -> list[int]:
    """The places of `n` of the unit vectors, each the farthest from all that are chosen or `known` (greedy k-center), in ascending order."""
    space = np.asarray(vectors, dtype=np.float64)
    nearest = (space @ np.asarray(known, dtype=np.float64).T).max(axis=1) if len(known) else np.full(len(space), -1.0)
    chosen: list[int] = []
    while len(chosen) < min(n, len(space)):
        place = int(np.argmin(nearest))
        chosen.append(place)
        nearest = np.maximum(nearest, space @ space[place])
        nearest[place] = np.inf
    return sorted(chosen)


def _percent(value: float | None) -> int:
    return max(0, min(100, round(100 * (value or 0.0))))
