"""The standard streams as a command finds them: closed, full, or of an encoding that has few letters."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

__all__ = ["dropped", "flushed", "json_text", "opened", "printable"]


def opened() -> None:
    """Give the process three streams that take any text.

    A closed one goes nowhere: without that the next file that is opened, perhaps a data base, would be the standard error of some library.
    What a stream's encoding does not have is written as its escape.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def flushed() -> None:
    """Write out what waits; what nobody reads any more is dropped.

    Raises:
        OSError: the standard output cannot be written, such as a file on a full disk.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        dropped()
    except OSError:
        dropped()
        raise


def dropped() -> None:
    """Let the standard output go nowhere, so that Python does not fail on it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def json_text(value: Any) -> str:
    """A value as JSON for the standard output, with escapes for letters that its encoding does not have."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def printable(text: str) -> str:
    """`text` on one line without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)
