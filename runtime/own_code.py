"""Whose code an error comes from: that of inloop, or the user's own, which parts of one's own bring in."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

__all__ = ["at_line", "users_line"]

_INLOOP = Path(__file__).resolve().parent.parent
_INSTALLED = tuple(Path(place).resolve() for place in {*sysconfig.get_paths().values()} if place)


def users_line(error: BaseException) -> str | None:
    """The file and the line of the user's own code that an error was raised in, or that called what raised it; None where there is none.

    The innermost frame that is neither of Python nor of an installed package counts; one of inloop's means that it is inloop's fault.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        if path.is_relative_to(_INLOOP):
            return None
        if path.is_file() and not any(path.is_relative_to(place) for place in _INSTALLED):
            return f"{frame.filename}, line {frame.lineno}"
    return None


def at_line(error: BaseException) -> str:
    """`users_line` as the end of a message; empty where there is none."""
    line = users_line(error)
    return f" ({line})" if line else ""
