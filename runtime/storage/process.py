"""A process by what names it alone, so that another one can tell whether it still runs."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process"]


@dataclass(frozen=True)
class Process:
    """Where a process runs.

    `machine` and its namespace of process numbers; `born`: when it was begun, so that its number, which the next one may get, names it alone.
    """

    machine: str
    host: str
    pid: int
    born: int

    @classmethod
    def mine(cls) -> Process:
        """This one."""
        pid = os.getpid()
        return cls(_machine(), socket.gethostname(), pid, _born(pid))

    @property
    def gone(self) -> bool:
        """Whether it ran on this machine and runs no more; False where that cannot be known from here."""
        return self.machine == _machine() and not _runs(self.pid, self.born)


@functools.cache
def _machine() -> str:
    """What tells whether a process number of another process means one that this process can see."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def _born(pid: int) -> int:
    """When a process began, in ticks since the machine did (Linux; elsewhere 0); -1 for one that is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except FileNotFoundError:
        return -1 if Path("/proc/self/stat").exists() else 0
    except OSError:
        return -1
    return -1 if fields[0] in (b"Z", b"X") else int(fields[19])


def _runs(pid: int, born: int) -> bool:
    now = _born(pid)
    if now or os.name != "posix":
        return now == born
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
