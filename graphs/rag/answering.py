"""One index that is asked question after question, also several at once; what was opened for the first stays open.

The loop runs in a thread of its own: whoever asks may be a terminal, a server with an event loop of its own, or a notebook, and gets
Ctrl-C itself. There is no run folder; what was paid is in the call ledger like that of any run.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from ...runtime.errors import CallFailed
from ...runtime.session import Event, Session
from ...runtime.settings import Settings
from .config import RagConfig
from .context import RagContext, open_context
from .loop import checked, finish
from .result import RagTask

__all__ = ["Answering"]

Listener = Callable[[Event], None]


class Answering:
    """A context manager; `ask` gives the future of an answer.

    `config.questions` are not asked; `config.in_flight` is how many are worked on at once. `parts`: models and agents by role, as
    the loop `ask` takes them.

    Raises on entry what `graphs.rag.ask` raises when it opens its models: `BadInput`, `PrerequisiteError`.
    """

    def __init__(self, config: RagConfig, settings: Settings, *, parts: Mapping[str, Any] | None = None) -> None:
        self.config, self.settings, self.parts = config, settings, dict(parts or {})
        self.notes: tuple[str, ...] = ()
        self._listeners: dict[str, Listener] = {}
        self._numbers = itertools.count(1)
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="answering", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._closing: asyncio.Event
        self._context: RagContext
        self._gate: asyncio.Semaphore

    def __enter__(self) -> Self:
        self._thread.start()
        self._opened.result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def ask(self, question: str, *, on_event: Listener | None = None) -> Future[RagTask]:
        """The answer to a question or the check of a statement; `on_event` hears of its steps, in the other thread.

        Cancelling the future ends the work on it. Raises `BadInput` for what is no question; the future raises `CallFailed` and
        `PrerequisiteError`.
        """
        words, id = checked(question), f"q{next(self._numbers)}"
        if on_event is not None:
            self._listeners[id] = on_event
        return asyncio.run_coroutine_threadsafe(self._answer(id, words), self._loop)

    async def _answer(self, id: str, question: str) -> RagTask:
        try:
            async with self._gate:
                return await finish(self._context, id, question)
        except asyncio.CancelledError:
            if self._closing.is_set():
                raise CallFailed("it was closed before the answer was there.") from None
            raise
        finally:
            self._listeners.pop(id, None)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # whoever entered must hear of it
            if not self._opened.done():
                self._opened.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        self._gate = asyncio.Semaphore(self.config.in_flight)
        id = f"answering-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        limits = self.config.budget
        async with Session.aside(self.settings, id, parts=self.parts, listen=self._hear, limits=limits) as session:
            self._context = await open_context(self.config, session)
            self.notes = session.all_notes()
            self._opened.set_result(None)
            await self._closing.wait()
            under_way = asyncio.all_tasks() - {asyncio.current_task()}
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def _hear(self, event: Event) -> None:
        if (listener := self._listeners.get(getattr(event, "task", ""))) is not None:
            listener(event)
