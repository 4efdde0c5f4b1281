"""What a check of the machine found."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """What a check found; `remedy` says what to do where it is not "ok"."""

    name: str
    state: Literal["ok", "note", "missing"]
    text: str
    remedy: str = ""
