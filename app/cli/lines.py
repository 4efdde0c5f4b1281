"""Text files with one entry a line."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import BadInput
from ...runtime.text import decoded, is_blank, lines_of

__all__ = ["read_lines"]


def read_lines(path: Path, what: str) -> list[str]:
    """The entries of a text file, one a line: prompts, questions; empty lines and lines that start with # are passed over.

    Raises:
        BadInput: the file is not there, is no text in UTF-8 or UTF-16, or holds no entry.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"the {what}s cannot be read from {str(path)!r}: {why}.") from None
    lines = [line.strip() for line in lines_of(decoded(data, repr(str(path))))]
    entries = [line for line in lines if not is_blank(line) and not line.startswith("#")]
    if not entries:
        raise BadInput(f"there is no {what} in {str(path)!r}: write one a line.")
    return entries
