"""Which requests were handed in with which batch: kept in the store before anything is handed in, so that nobody pays for one twice.

Invariants: a batch is written down before it is handed in, under an id of ours that goes with it, and the id that its place gives it as soon as that
is known. Whoever finds one without the latter asks the place for it. A line stands in one batch at a time, until it is forgotten.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ..storage import Connection, Tables, database_at

__all__ = ["TABLES", "Batch", "BatchBook"]

TABLES = Tables(
    name="batches",
    what="the book of batches",
    statements="""
CREATE TABLE IF NOT EXISTS batches (
    id TEXT PRIMARY KEY, place TEXT NOT NULL, handed_in TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS batch_lines (line TEXT PRIMARY KEY, batch TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS batch_lines_batch ON batch_lines (batch);
""",
    version=1,
    lost="what was handed in with a batch is then paid anew",
)
_SENDING = 900.0  # seconds after which nobody is still handing in a batch


class Batch(NamedTuple):
    """A batch by our id, and by its place's (`handed_in`, "" while that is not known); `host` and `pid`: who hands it in, since `at`."""

    id: str
    place: str
    handed_in: str
    host: str
    pid: int
    at: float

    @property
    def is_under_way(self) -> bool:
        """Whether another process may be handing it in right now."""
        if self.handed_in or time.time() - self.at > _SENDING:
            return False
        return self.host != socket.gethostname() or (self.pid != os.getpid() and _runs(self.pid))


class BatchBook:
    """The batches of a store, in an SQLite file or a PostgreSQL (see `database_at`); any number of processes may use it."""

    def __init__(self, place: Path | str) -> None:
        self._database = database_at(place, TABLES)

    def write(self, id: str, place: str, lines: Collection[str]) -> None:
        """Write down a batch that is about to be handed in."""

        def insert(inside: Connection) -> None:
            inside.execute(
                "INSERT INTO batches (id, place, handed_in, host, pid, at) VALUES (?, ?, '', ?, ?, ?)",
                (id, place, socket.gethostname(), os.getpid(), time.time()),
            )
            for line in lines:
                inside.execute(
                    "INSERT INTO batch_lines (line, batch) VALUES (?, ?) ON CONFLICT (line) DO UPDATE SET batch = excluded.batch",
                    (line, id),
                )

        with self._database.work() as connection:
            self._database.write(connection, insert)

    def handed_in(self, id: str, as_: str) -> None:
        """Write down the id that its place gave to a batch."""
        with self._database.work() as connection:
            self._database.write(
                connection, lambda inside: inside.execute("UPDATE batches SET handed_in = ? WHERE id = ?", (as_, id))
            )

    def find(self, line: str) -> Batch | None:
        """The batch that a line stands in."""
        if not self._database.there():
            return None
        with self._database.work() as connection:
            row = connection.execute(
                "SELECT id, place, handed_in, host, pid, at FROM batches WHERE id = (SELECT batch FROM batch_lines WHERE line = ?)",
                (line,),
            ).fetchone()
        return None if row is None else Batch(*row)

    def read(self, id: str) -> Batch | None:
        """The batch of that id."""
        with self._database.work() as connection:
            row = connection.execute(
                "SELECT id, place, handed_in, host, pid, at FROM batches WHERE id = ?", (id,)
            ).fetchone()
        return None if row is None else Batch(*row)

    def forget(self, line: str, batch: str) -> None:
        """The line was not answered in this batch: it may be handed in again."""
        with self._database.work() as connection:
            self._database.write(
                connection,
                lambda inside: inside.execute("DELETE FROM batch_lines WHERE line = ? AND batch = ?", (line, batch)),
            )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, for another user
        return True
    return True
