"""Lines that a person types while a run works."""

from __future__ import annotations

import asyncio
import threading
from typing import TextIO

__all__ = ["TypedLines"]


class TypedLines:
    """The lines of a stream, one at a time, read in a thread that nobody waits for, so that Ctrl-C ends at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._reading: asyncio.Future[str] | None = None

    async def next(self) -> str:
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
