"""How much memory LanceDB takes in this process.

To tidy an index it reads the whole table, and glibc keeps what was freed for the threads that freed it: an index of 60,000 passages took 260
MB more than an empty one. It is read in smaller batches, there are two heaps for all threads, and free pages are given back after each
tidying.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

__all__ = ["give_back", "take_little"]

_ROWS = "512"  # of a batch; 8192 by itself
_ARENA_MAX = -8  # of <malloc.h>


def take_little() -> None:
    """To be called before LanceDB is imported; what the environment says (`LANCE_DEFAULT_BATCH_SIZE`, `MALLOC_ARENA_MAX`) holds."""
    os.environ.setdefault("LANCE_DEFAULT_BATCH_SIZE", _ROWS)
    if (mallopt := _glibc("mallopt")) is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_ARENA_MAX, 2)


def give_back() -> None:
    """Give free memory back to the system, where the C library can."""
    if (trim := _glibc("malloc_trim")) is not None:
        trim(0)


def _glibc(name: str) -> Any:
    """A function of glibc; None on other systems."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
