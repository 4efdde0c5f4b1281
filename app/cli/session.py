"""A run from where its command stands: when it stops, it says how to go on with it."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ...runtime.errors import InloopError, Interrupted
from ...runtime.folder import RunFolder
from .interrupts import left_by

if TYPE_CHECKING:
    from ...runtime.settings import Settings

__all__ = ["kept", "log_to_stderr"]


@contextmanager
def kept(folder: RunFolder, *, begun: Callable[[], bool], quiet: bool, again: str = "") -> Iterator[None]:
    """Carry a run; at the end its folder is closed. `again`: what goes on with it, by default `inloop resume`.

    Interrupted, it raises `Interrupted` with the command that goes on as its remedy. A run that has `begun` and fails names that
    command on the standard error, unless `quiet`.
    """
    again = again or folder.resume_command
    try:
        with left_by(again):
            yield
    except (KeyboardInterrupt, asyncio.CancelledError, Interrupted):
        raise Interrupted("interrupted: what is done is kept.", remedy=again) from None
    except InloopError:
        if begun() and not quiet:
            print(f"inloop: the run stopped; to go on with it: {again}", file=sys.stderr)
        raise
    finally:
        folder.close()


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what the standard error is at the time: while a table is drawn there, its lines go above that."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def log_to_stderr(settings: Settings) -> None:
    """Show inloop's own log lines of `log_level` and above; those of libraries stay theirs."""
    logger = logging.getLogger("inloop")
    if not logger.handlers:
        handler = _StandardError()
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(settings.log_level.upper())
