"""What a person types while a run works: the answer to what it asks, line by line."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Protocol, TextIO, TypeVar

from ...runtime.errors import BadInput, Interrupted
from .streams import printable

__all__ = ["TypedAnswers"]


class _Review(Protocol):
    @property
    def stop(self) -> bool: ...


R = TypeVar("R", bound=_Review)


class TypedAnswers:
    """Asks on `told` and reads from `typed`: the standard error and input by default.

    Lines are read in a thread that nobody waits for, so that Ctrl-C ends at once.
    """

    def __init__(self, typed: TextIO | None = None, told: TextIO | None = None) -> None:
        self._stream, self._told = typed or sys.stdin, told or sys.stderr
        self._reading: asyncio.Future[str] | None = None

    async def review(self, offered: str, empty: R, more: Callable[[str, R], R], usage: str) -> R:
        """What the person answers: an empty line ends it, and so does a review that stops.

        Args:
            offered: what it is about, in words.
            empty: the answer of nobody who typed anything.
            more: the review with what a line says; it raises `BadInput` for one that says nothing, which is told.
            usage: what can be typed.

        Raises:
            Interrupted: the input is at its end.
        """
        self._say(f"{offered}\n{usage}")
        try:
            return await self._typed(empty, more, usage)
        except asyncio.CancelledError:
            self._say("  answered elsewhere, or stopped")
            raise

    async def _typed(self, review: R, more: Callable[[str, R], R], usage: str) -> R:
        while not review.stop:
            self._say("review> ", end="")
            line = await self._line()
            if not line:
                raise Interrupted("the run waits for a person's answer, and the input is at its end")
            if not line.strip():
                break
            try:
                review = more(line, review)
            except BadInput as error:
                self._say(f"  {printable(str(error))}\n{usage}")
        return review

    def _say(self, text: str, end: str = "\n") -> None:
        print(text, file=self._told, end=end, flush=True)

    async def _line(self) -> str:
        """The next line, "" at the end. One that a question did not wait for, since it was answered elsewhere, is the next question's."""
        if self._reading is None:
            self._reading = self._started()
        line = await asyncio.shield(self._reading)
        self._reading = None
        return line

    def _started(self) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[str] = loop.create_future()

        def arrived(line: str) -> None:
            if not found.done():
                found.set_result(line)

        def read() -> None:
            line = self._stream.readline()
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived, line)

        threading.Thread(target=read, daemon=True).start()
        return found
