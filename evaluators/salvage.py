"""Batches that keep what worked: one item that fails must not cost the scores of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ..runtime.errors import BadInput, CallFailed
from ..runtime.records import Sample, Score

__all__ = ["each", "unscored"]

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741


async def each(
    call: Callable[[Sequence[I]], Awaitable[Sequence[O]]], items: Sequence[I]
) -> list[O | CallFailed | BadInput]:
    """What `call` makes of each item, or why it made nothing of it; same length and order.

    The batch is tried whole; where it fails, each item by itself. What was answered the first time comes from the
    ledger then. A `PrerequisiteError` is raised: it would be that of every item.
    """
    if not items:
        return []
    try:
        return list(await call(items))
    except (CallFailed, BadInput) as error:
        if len(items) == 1:
            return [error]

    async def alone(item: I) -> O | CallFailed | BadInput:
        try:
            return (await call([item]))[0]
        except (CallFailed, BadInput) as error:
            return error

    return list(await asyncio.gather(*(alone(item) for item in items)))


def unscored(sample: Sample, error: Exception | None = None) -> Score:
    """The score of what could not be scored: no picture, or the reason that `error` gives."""
    return Score(value=None, explanation=f"sample {sample.id!r} has no picture" if error is None else str(error))
