"""Text files with one entry a line."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import BadInput

__all__ = ["read_lines"]


def read_lines(path: Path, what: str) -> list[str]:
    """The entries of a text file (UTF-8), one a line: prompts, questions; empty lines and lines that start with # are passed over.

    Raises:
        BadInput: the file is not there, is not UTF-8 text, or holds no entry.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{str(path)!r} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from None
    except OSError as error:
        raise BadInput(f"the {what}s cannot be read from {str(path)!r}: {error.strerror}.") from None
    lines = [line.strip() for line in text.splitlines()]
    entries = [line for line in lines if line and not line.startswith("#")]
    if not entries:
        raise BadInput(f"there is no {what} in {str(path)!r}: write one a line.")
    return entries
