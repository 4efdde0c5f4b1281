"""A lock on an open file that belongs to the operating system: that of a killed process is free at once."""

from __future__ import annotations

import os
import time

__all__ = ["take"]


def take(descriptor: int, patience: float = 0.0) -> bool:
    """Lock an open file; the lock goes when the file is closed or the process dies.

    `patience`, in seconds, outlasts somebody who only looks whether the lock is taken.
    """
    deadline = time.monotonic() + patience
    while not _take_now(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _take_now(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
