"""The files that a run's config names by relative paths, found again from another working folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..registry import is_object

__all__ = ["found_from"]

_WRITTEN = ("out",)
"""Fields that name what may not be there yet."""


def found_from(begun_in: Path, config: Mapping[str, Any], *, subject: str = "") -> dict[str, Any]:
    """A config whose relative paths are from `begun_in`, with those that lead to something there made absolute.

    `subject`: the field of the tasks; where it is a list, as of prompts, it holds words and no paths.
    """
    return {
        name: value
        if name == subject and isinstance(value, list)
        else str(begun_in / value)
        if name in _WRITTEN and isinstance(value, str) and value
        else _found(begun_in, value)
        for name, value in config.items()
    }


def _found(begun_in: Path, value: Any) -> Any:
    if isinstance(value, list):
        return [_found(begun_in, entry) for entry in value]
    if not isinstance(value, str):
        return value
    if is_object(value) and any(
        (begun_in / value.partition(":")[0].partition(".")[0]).with_suffix(end).exists() for end in ("", ".py")
    ):
        if str(begun_in) not in sys.path:
            sys.path.append(str(begun_in))  # at the end, as `import_object` does for the working folder
        return value
    scheme, colon, rest = value.partition(":")
    for prefix, path in (("", value), (scheme + colon, rest)):
        place, mark, options = path.partition("?")
        if place and not Path(place).is_absolute() and _exists(begun_in / place):
            return f"{prefix}{begun_in / place}{mark}{options}"
    return value


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a text that is no path: too long, or with a zero in it
        return False
