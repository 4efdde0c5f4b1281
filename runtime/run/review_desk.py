"""Where a person answers what the workers of a shared run ask: one question at a time, the oldest first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import BadInput
from ..records import Record
from ..session import Pending, Questions

__all__ = ["ReviewDesk"]


class ReviewDesk:
    """Puts questions to `reviewer`, an async function, and its answers into the store, where the worker that asked takes them up."""

    def __init__(self, questions: Questions, reviewer: Callable[[Any], Awaitable[Any]]) -> None:
        self._questions, self._reviewer = questions, reviewer
        self._asked: tuple[str, asyncio.Task[None]] | None = None

    async def look(self) -> None:
        """Take up the next question, and let go of one that somebody else has answered; raises what the reviewer raised."""
        waiting = [each for each in await self._questions.aside(self._questions.waiting) if not each.answered]
        if self._asked is not None:
            key, asking = self._asked
            if not asking.done() and key in {each.key for each in waiting}:
                return
            await self.close()
        if waiting:
            self._asked = waiting[0].key, asyncio.create_task(self._ask(waiting[0]))

    async def close(self) -> None:
        """Ask no more; raises what the reviewer raised."""
        if self._asked is not None:
            (_, asking), self._asked = self._asked, None
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    async def _ask(self, pending: Pending) -> None:
        answer = await self._reviewer(pending.question)
        content = answer.model_dump(mode="json") if isinstance(answer, Record) else answer
        with contextlib.suppress(BadInput):  # somebody else was first
            await self._questions.aside(lambda: self._questions.answer(pending.key, content))
