"""Ctrl-C that stops at once: a process whose threads paint on must not make anybody wait for them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .failures import INTERRUPTED

__all__ = ["at_once", "left_by"]

_GRACE = 1.5  # seconds in which Python may end by itself
_remedies: list[str] = []


def at_once() -> None:
    """Make an interruption that reaches Python end the process, soon and whatever its threads do.

    A run catches the first Ctrl-C itself and stops after the step under way; this is for the second, and for one before it. What is
    finished is on the disk, as after `kill -9`.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _interrupt)


@contextmanager
def left_by(remedy: str) -> Iterator[None]:
    """While the body is at work, `remedy` is the command that goes on with what is left."""
    _remedies.append(remedy)
    try:
        yield
    finally:
        _remedies.remove(remedy)


def _interrupt(number: int, frame: FrameType | None) -> None:
    remedy = _remedies[-1] if _remedies else ""
    timer = threading.Timer(_GRACE, _leave, (remedy,))
    timer.daemon = True
    timer.start()
    signal.signal(signal.SIGINT, lambda number, frame: _leave(remedy))
    raise KeyboardInterrupt


def _leave(remedy: str) -> None:
    goes_on = f"\n  to go on:  {remedy}" if remedy else ""
    os.write(2, f"inloop: interrupted at once: what is done is kept.{goes_on}\n".encode())
    sys.stdout.flush()
    os._exit(INTERRUPTED)
