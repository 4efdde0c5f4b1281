"""How the processes at work on runs are doing, for whoever looks: one row each, written every second and never synced.

Who is gone is told as `claims` tells it; but nothing depends on it here, and a process that could not write for a while is only not seen for as long.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from ..errors import PrerequisiteError
from ..storage import Connection, Process, Tables, database_at
from ..telemetry import Pulse

__all__ = ["Pulses", "Seen", "pulses_in"]

TABLES = Tables(
    name="pulses",
    what="the pulses",
    statements="""
CREATE TABLE IF NOT EXISTS pulses (
    id TEXT PRIMARY KEY, run TEXT NOT NULL, name TEXT NOT NULL, machine TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
    born INTEGER NOT NULL, at REAL NOT NULL, pulse TEXT NOT NULL)
""",
    version=1,
    lost="they are written anew",
)
_EVERY = 1.0  # seconds
_PATIENCE = 2.0  # seconds
_STALE = 30.0
"""Seconds without a sign after which a process of another machine is not shown any more."""


@dataclass(frozen=True)
class Seen:
    """A process at work: the run, what it calls itself, where it runs, and how it is doing. `id` is its own."""

    id: str
    run: str
    name: str
    process: Process
    pulse: Pulse


class Pulses:
    """Writes how this process is doing; used as a context manager, at whose end its row goes.

    Args:
        place: an SQLite file or a PostgreSQL (see `database_at`).
        run: what it works on; `name`: what it calls itself.
        pulse: how it is doing now; called from a thread of its own.
    """

    def __init__(self, place: Path | str, *, run: str, name: str, pulse: Callable[[], Pulse]) -> None:
        self._database = database_at(place, TABLES)
        self._row = (secrets.token_hex(8), run, name, *astuple(Process.mine()))
        self._pulse, self._ended = pulse, threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulses", daemon=True)

    def __enter__(self) -> Pulses:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(_PATIENCE)  # nor must it wait: a row that stays is of a process that is gone

    def _beat(self) -> None:
        connection: Connection | None = None
        while True:
            # a run must not fail for being looked at: what cannot be written now is written later
            with contextlib.suppress(PrerequisiteError):
                connection = connection or self._database.opened(durable=False)
                with self._database.explained():
                    self._write(connection)
            if self._ended.wait(_EVERY):
                break
        if connection is not None:
            with contextlib.suppress(PrerequisiteError), self._database.explained():
                connection.execute("DELETE FROM pulses WHERE id = ?", self._row[:1])
            connection.close()

    def _write(self, connection: Connection) -> None:
        connection.execute(
            "INSERT INTO pulses (id, run, name, machine, host, pid, born, at, pulse) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET at = excluded.at, pulse = excluded.pulse",
            (*self._row, time.time(), self._pulse().model_dump_json(exclude_defaults=True)),
        )


def pulses_in(place: Path | str) -> list[Seen]:
    """The processes at work, by run and name; those that are gone are left out, and their rows deleted.

    Raises:
        PrerequisiteError: the place cannot be read.
    """
    database = database_at(place, TABLES)
    if not database.there():
        return []
    seen, now = [], time.time()
    with database.work() as connection:
        rows = connection.execute(
            "SELECT id, run, name, machine, host, pid, born, at, pulse FROM pulses ORDER BY run, name, id"
        ).fetchall()
        for id, run, name, machine, host, pid, born, at, text in rows:
            process = Process(machine, host, pid, born)
            if process.gone:
                connection.execute("DELETE FROM pulses WHERE id = ?", (id,))
            elif abs(now - at) < _STALE:
                with contextlib.suppress(ValidationError):  # of another version of inloop
                    seen.append(Seen(id, run, name, process, Pulse.model_validate_json(text)))
    return seen
