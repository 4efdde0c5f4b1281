"""Ctrl-C and SIGTERM as a wish to stop after the step under way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any, Protocol

__all__ = ["Drainable", "drained_by_signals"]

_log = logging.getLogger("inloop.runner")


class Drainable(Protocol):
    """What can be asked to stop after its step; LangGraph's `RunControl` is one."""

    def request_drain(self, reason: str) -> None:
        """Stop soon; `reason`: the name of the signal."""


_running: set[Drainable] = set()
_before: dict[signal.Signals, Any] = {}
_stopping: list[str] = []


@contextlib.contextmanager
def drained_by_signals(control: Drainable) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM drain all of this process that is under way; a second one acts as it always does.

    What begins while others are stopping is stopped too. Handlers are set in the main thread only: elsewhere
    Python delivers no signals, and the caller has `Runner.stop`.
    """
    loop = asyncio.get_running_loop()
    if _stopping:
        control.request_drain(_stopping[0])
    elif not _running and threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, _drain, loop, number)
                _before[number] = handler
    _running.add(control)
    try:
        yield
    finally:
        _running.discard(control)
        if not _running:
            _restore(loop)
            _stopping.clear()


def _drain(loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
    _restore(loop)
    _stopping.append(number.name)
    _log.warning("%s: stopping after the step under way; once more stops at once.", number.name)
    for control in list(_running):
        control.request_drain(number.name)


def _restore(loop: asyncio.AbstractEventLoop) -> None:
    while _before:
        number, handler = _before.popitem()
        loop.remove_signal_handler(number)
        signal.signal(number, handler)
