"""Votes that are cast in a process of its own, which ends itself by SIGKILL at a write boundary; imported by that process, so it is no test module.

    python votes_killed.py FILE BOUNDARY FIRST COUNT

casts COUNT votes from number FIRST on and prints the id of each that was acknowledged. At the BOUNDARY-th statement that SQLite is given or
has carried out the process kills itself, as a power cut would; 0: never.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from inloop.runtime.storage.sqlite import SqliteDatabase
from inloop.runtime.store import Shown, Vote, Votes

__all__ = ["vote"]


def vote(number: int) -> Vote:
    """Vote `number`: always the same one."""
    left = Shown(picture=f"{number:064x}", candidate="p1.0.0", seed=number)
    right = Shown(picture=f"{number + 10_000:064x}", candidate="p1.1.0", seed=number)
    return Vote(
        id=f"vote-{number:06d}", text="two cats", left=left, right=right, winner="left", who="Ada", at=float(number)
    )


class _Doomed:
    """A connection of which the process dies before or after one of its statements."""

    def __init__(self, connection: sqlite3.Connection, boundary: int) -> None:
        self._connection, self._boundary = connection, boundary

    def execute(self, *given: Any) -> Any:
        self._passed()
        found = self._connection.execute(*given)
        self._passed()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _passed(self) -> None:
        global passed
        passed += 1
        if passed == self._boundary:
            os.kill(os.getpid(), signal.SIGKILL)


passed = 0


def main() -> None:
    path, boundary, first, count = sys.argv[1], *map(int, sys.argv[2:])
    connect = SqliteDatabase.connect
    if boundary:
        SqliteDatabase.connect = lambda self, **given: _Doomed(connect(self, **given), boundary)  # type: ignore[method-assign, assignment, return-value]
    votes = Votes(Path(path))
    for number in range(first, first + count):
        votes.add([vote(number)])
        print(vote(number).id, flush=True)


if __name__ == "__main__":
    main()
