"""How far a download is, on the standard error: a moving line on a terminal, a line for each quarter elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable

__all__ = ["Progress", "download_bar"]

Progress = Callable[[str, int, int], None]
"""Is told what is done, how many bytes of it are, and of how many (0 or less: not known)."""


def download_bar(name: str, *, silent: bool = False) -> Progress:
    """Shows the download of `name`; `silent` shows nothing."""
    return _Bar(name, silent=silent)


class _Bar:
    def __init__(self, name: str, *, silent: bool) -> None:
        self._name = name
        self._silent = silent
        self._last = ("", -1)

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._silent or total <= 0:
            return
        moving = sys.stderr.isatty()
        share = min(done * (100 if moving else 4) // total, 100 if moving else 4)
        if (what, share) == self._last:
            return
        self._last = (what, share)
        percent = share if moving else share * 25
        text = f"{self._name}: {what} {percent:3d} % of {total / 1e6:.0f} MB"
        end = "\n" if not moving or done >= total else ""
        print(f"\r{text}" if moving else text, end=end, file=sys.stderr, flush=True)
