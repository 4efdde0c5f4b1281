"""A run and a voter, each in a process of its own that ends itself by SIGKILL at a write boundary; imported by these processes, so it is no test module.

A boundary is the moment before or after something reaches the disk: a transaction of SQLite (ledger, checkpoints, votes), an fsync or a rename
of a blob or of the result, a line of the events.
"""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from killed import go

from inloop.runtime.store import Vote, Votes

__all__ = ["cast", "run"]


def run(runs_dir: str, run_id: str, boundary: int) -> None:
    """Start or resume a run; at the `boundary`-th write boundary the process dies (0: never)."""
    _doom(boundary)
    go(runs_dir, run_id, 0.0)


def cast(path: str, votes: list[str], acknowledged: str, boundary: int) -> None:
    """Cast the votes (as JSON) that are not acknowledged yet, and note each one that is, as the page does that got an answer."""
    _doom(boundary)
    noted = Path(acknowledged)
    known = set(noted.read_text(encoding="utf-8").split()) if noted.exists() else set()
    kept = Votes(Path(path))
    for each in map(Vote.model_validate_json, votes):
        if each.id not in known:
            kept.add([each])
            with noted.open("a", encoding="utf-8") as file:
                file.write(f"{each.id}\n")


def _doom(boundary: int) -> None:
    """Have this process die at a boundary."""
    if not boundary:
        return
    count = itertools.count(1)

    def passed() -> None:
        if next(count) == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def doomed(*given: Any, **named: Any) -> Any:
            passed()
            result = work(*given, **named)
            passed()
            return result

        return doomed

    class Doomed(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> Any:
            return (around(super().execute) if sql.strip().upper() == "COMMIT" else super().execute)(sql, *given)

        def commit(self) -> None:
            around(super().commit)()

    connect = sqlite3.connect
    sqlite3.connect = lambda *given, **named: connect(*given, **{**named, "factory": Doomed})  # type: ignore[assignment]
    for name in ("fsync", "replace", "write"):
        setattr(os, name, around(getattr(os, name)))
