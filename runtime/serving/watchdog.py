"""A server process that cannot outlive us: it runs under this small guard, whose standard input is its lease.

`python -m inloop.runtime.serving.watchdog` reads one line of JSON, `{"command": [...], "env": {...}, "without": [...], "log": path}`, starts the command
in a process group of its own with its output in the log file, and ends the whole group when the standard input ends, which
it does even after a SIGKILL of the one who holds the other end. When the command ends by itself, so does the guard, with
the same exit code. The group's id is in a file beside the log, for `sweep` to end it where the guard itself was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

__all__ = ["cpu_seconds", "main", "sweep"]

_GRACE_SECONDS = 5.0


def sweep(log: Path) -> None:
    """End what a guard with this log left behind, if it was killed; the guard must be gone."""
    mark = log.with_suffix(".pid")
    try:
        group = int(mark.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    if os.name == "posix" and group > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    mark.unlink(missing_ok=True)


def cpu_seconds(log: Path) -> float:
    """The CPU time that the server with this log has used so far, of all its processes; 0 where it cannot be told (Linux alone)."""
    try:
        group = log.with_suffix(".pid").read_text(encoding="ascii").strip()
        ticks = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return 0.0
    used = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if fields[2] == group:
                used += int(fields[11]) + int(fields[12])
    return used / ticks


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the group to end, then make it."""
    if os.name != "posix":
        child.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGKILL)


def main() -> None:
    """Run the command under the lease."""
    asked = json.loads(sys.stdin.buffer.readline())
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    child = subprocess.Popen(
        asked["command"],
        env={name: value for name, value in os.environ.items() if name not in asked["without"]} | asked["env"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )

    mark = Path(asked["log"]).with_suffix(".pid")
    mark.write_text(str(child.pid), encoding="ascii")
    ended = threading.Event()

    def watch() -> None:
        # os.read: a reader of sys.stdin that is blocked here would hold the interpreter up at its end
        while os.read(0, 1024):
            pass
        ended.set()
        _end(child)
        mark.unlink(missing_ok=True)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    code = child.wait()
    _end(child)  # what it left behind
    mark.unlink(missing_ok=True)
    os._exit(0 if ended.is_set() else code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
