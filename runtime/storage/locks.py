"""A lock on an open file that belongs to the operating system: that of a killed process is free at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["open_locked", "take"]


def take(descriptor: int, patience: float = 0.0, *, shared: bool = False) -> bool:
    """Lock an open file; the lock goes when the file is closed or the process dies.

    `patience`, in seconds, outlasts somebody who only looks whether the lock is taken. `shared`: beside others who lock it so (not on
    Windows, where there is one holder at a time).
    """
    deadline = time.monotonic() + patience
    while not _take_now(descriptor, shared):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def open_locked(path: Path, patience: float = 0.0) -> int | None:
    """The descriptor of the file `path`, locked; None where another thread or process held it for `patience` seconds.

    Its folder is made. Whoever holds the lock may delete the file, and its folder too: those who waited for it make both anew,
    so that never two hold the lock of one path.

    Raises:
        OSError: the file cannot be made.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except (FileNotFoundError, FileExistsError):  # the folder was deleted just now, or a file is in its place
            if path.parent.is_file() or time.monotonic() > deadline + 1.0:
                raise
            continue
        if not take(descriptor, deadline - time.monotonic()):
            os.close(descriptor)
            return None
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _take_now(descriptor: int, shared: bool) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
