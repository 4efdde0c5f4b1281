"""Realising and judging side by side: each text is realised by itself, and judged while the next one is realised.

Where a search does not work ahead (`SearchContext.ahead`), all texts of a round are realised and then judged together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from ...runtime.records import BlobRef
from ...runtime.session import settled
from .ahead import Ahead
from .assessment import judge
from .contract import check_realised
from .result import TrialImage
from .search import Realiser, SearchContext

__all__ = ["as_written", "begin", "begin_first", "judged", "realised"]

Row = list[BlobRef | None]


def begin(search: SearchContext, text: str, seeds: Sequence[int]) -> None:
    """Have a text realised, and judged as soon as it is, where the search works ahead."""
    if search.ahead is not None:
        _begin_realising(search, search.ahead, text, seeds)
        search.ahead.begin(("judged", text, tuple(seeds)), partial(_judged_alone, search, search.ahead, text, seeds))


def as_written(search: SearchContext, seeds: Sequence[int]) -> Callable[[str], None]:
    """Begins texts as they are written: as soon as there are enough for a whole batch of the realiser, which would fill up a smaller one."""
    waiting: list[str] = []
    batch = getattr(search.realiser, "batch", 1)

    def written(text: str) -> None:
        waiting.append(text)
        if len(waiting) * len(seeds) >= batch:
            for each in waiting:
                begin(search, each, seeds)
            waiting.clear()

    return written


def begin_first(ahead: Ahead, realiser: Realiser, text: str, seeds: Sequence[int]) -> None:
    """Have the user's own text realised before there is a search: what it is judged by is still being made."""

    async def alone() -> Row:
        [row] = check_realised(realiser, await realiser.realise([text], seeds), [text], seeds)
        return row

    ahead.begin(("realised", text, tuple(seeds)), alone)


async def realised(search: SearchContext, texts: Sequence[str], seeds: Sequence[int]) -> list[Row]:
    """The artefacts of each text; what was begun is taken up."""
    if search.ahead is None:
        return await search.artefacts(texts, seeds)
    for text in texts:
        begin(search, text, seeds)
    return await settled([asyncio.shield(_begin_realising(search, search.ahead, text, seeds)) for text in texts])


async def judged(
    search: SearchContext, texts: Sequence[str], images: Sequence[Sequence[BlobRef | None]], seeds: Sequence[int]
) -> list[tuple[TrialImage, ...]]:
    """For each text what could be made of it, with its scores; judging that was begun is taken up."""
    ahead = search.ahead
    keys = {text: ("judged", text, tuple(seeds)) for text in texts}
    if ahead is None or not all(ahead.has(key) for key in keys.values()):
        return await judge(search, texts, images, seeds)  # as a resumed run does, from the artefacts that are there
    shots: list[tuple[TrialImage, ...]] = await settled(
        [ahead.take(key, partial(_judged_alone, search, ahead, text, seeds)) for text, key in keys.items()]
    )
    for text in texts:
        ahead.forget(("realised", text, tuple(seeds)))
    return shots


def _begin_realising(search: SearchContext, ahead: Ahead, text: str, seeds: Sequence[int]) -> asyncio.Task[Row]:
    async def alone() -> Row:
        [row] = await search.artefacts([text], seeds)
        return row

    return ahead.begin(("realised", text, tuple(seeds)), alone)


async def _judged_alone(search: SearchContext, ahead: Ahead, text: str, seeds: Sequence[int]) -> tuple[TrialImage, ...]:
    row = await asyncio.shield(_begin_realising(search, ahead, text, seeds))
    [shots] = await judge(search, [text], [row], seeds)
    return shots
