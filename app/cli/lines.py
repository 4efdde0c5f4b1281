"""Text files with one entry a line."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import BadInput
from ...runtime.text import is_blank, lines_of, read_text

__all__ = ["read_lines"]


def read_lines(path: Path, what: str) -> list[str]:
    """The entries of a text file, one a line: prompts, questions; empty lines and lines that start with # are passed over.

    Raises:
        BadInput: the file is not there, is no text in UTF-8 or UTF-16, or holds no entry.
    """
    lines = [line.strip() for line in lines_of(read_text(path))]
    entries = [line for line in lines if not is_blank(line) and not line.startswith("#")]
    if not entries:
        raise BadInput(f"there is no {what} in {str(path)!r}: write one a line.")
    return entries
