"""What the workers of one run share, in the store's database: what was asked, what became of each task, what happened, and the result.

Invariants: of a task the first outcome counts, and it is on the disk (synced) before `end` gives it; the event that tells of it is written with
it or not at all; events have numbers that grow, and what was read up to one number is never added to below it.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from typing import Any, Literal, NamedTuple

from ..errors import RunnerError
from ..storage import Connection, Tables, database_at
from ..store import StoreLocation

__all__ = ["SHARED_TABLES", "Ended", "SharedRun", "Told"]

SHARED_TABLES = Tables(
    name="shared",
    what="the shared runs",
    statements="""
CREATE TABLE IF NOT EXISTS shared_runs (
    run TEXT PRIMARY KEY, head TEXT NOT NULL, inputs TEXT NOT NULL, models TEXT, result TEXT);
CREATE TABLE IF NOT EXISTS outcomes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, task TEXT NOT NULL, outcome TEXT NOT NULL, value TEXT NOT NULL,
    notes TEXT NOT NULL, worker TEXT NOT NULL, at REAL NOT NULL, UNIQUE (run, task));
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, event TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS outcomes_run ON outcomes (run, seq);
CREATE INDEX IF NOT EXISTS events_run ON events (run, seq)
""",
    version=1,
    lost="what workers had finished is then worked on again, from the call ledger",
)
_MANY = 1000


class Ended(NamedTuple):
    """What became of a task: its record as JSON ("done"), the kind and words of an error ("failed"), or nothing ("left_out": no room for it)."""

    task: str
    outcome: Literal["done", "failed", "left_out"]
    value: str = ""
    notes: tuple[str, ...] = ()


class Told(NamedTuple):
    """An event with its number."""

    seq: int
    event: dict[str, Any]


class SharedRun:
    """A run in a store. Writing goes through a thread of its own; `close` ends that.

    Raises:
        PrerequisiteError: the store cannot be used.
    """

    def __init__(self, store: StoreLocation, id: str, *, worker: str = "") -> None:
        self.id, self.worker = id, worker
        self._database = database_at(store.tables(SHARED_TABLES.name), SHARED_TABLES)
        self._reader = self._database.opened()
        self._reading = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[dict[str, Any] | None, Ended | None, Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def quick(self) -> bool:
        """Whether a question takes less time than a thread for it would."""
        return self._database.quick

    def begin(self, head: Mapping[str, Any], inputs: Mapping[str, str]) -> None:
        """Let workers find the run: `head` is its config.json, `inputs` by name what tells the bytes of each file that it reads.

        Once: later ones change nothing.
        """
        values = (self.id, json.dumps(head), json.dumps(inputs, sort_keys=True))
        self._write("INSERT INTO shared_runs (run, head, inputs) VALUES (?, ?, ?) ON CONFLICT (run) DO NOTHING", values)

    @staticmethod
    def known(store: StoreLocation, id: str) -> bool:
        """Whether a run was begun as a shared one; looking makes no file."""
        if not database_at(store.tables(SHARED_TABLES.name), SHARED_TABLES).there():
            return False
        with closing(SharedRun(store, id)) as run:
            return run.head() is not None

    @staticmethod
    def listed(store: StoreLocation) -> dict[str, bool]:
        """The ids of all shared runs, and whether they have a result; looking makes no file."""
        database = database_at(store.tables(SHARED_TABLES.name), SHARED_TABLES)
        if not database.there():
            return {}
        with database.work() as connection:
            rows = connection.execute("SELECT run, result IS NOT NULL FROM shared_runs").fetchall()
        return {run: bool(finished) for run, finished in rows}

    def head(self) -> dict[str, Any] | None:
        """Its config.json; None where there is no such run."""
        rows = self._select("SELECT head FROM shared_runs WHERE run = ?", self.id)
        return json.loads(rows[0][0]) if rows else None

    def inputs(self) -> dict[str, str]:
        """What tells the bytes of each file that it reads."""
        return dict(json.loads(self._select("SELECT inputs FROM shared_runs WHERE run = ?", self.id)[0][0]))

    def models(self, mine: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """The models of the run, which are those of the first worker that tells its own; and whether that is this one."""
        text = json.dumps(mine, sort_keys=True)
        first = self._write("UPDATE shared_runs SET models = ? WHERE run = ? AND models IS NULL", (text, self.id))
        (theirs,) = self._select("SELECT models FROM shared_runs WHERE run = ?", self.id)[0]
        return dict(json.loads(theirs)), bool(first)

    def result(self) -> str | None:
        """The result as JSON, once it is there."""
        rows = self._select("SELECT result FROM shared_runs WHERE run = ?", self.id)
        return rows[0][0] if rows else None

    def write_result(self, text: str) -> None:
        """Keep the result; the first one stays."""
        self._write("UPDATE shared_runs SET result = ? WHERE run = ? AND result IS NULL", (text, self.id))

    def ended(self, since: int) -> list[tuple[int, str]]:
        """The tasks that came to an end after the number `since`, each with its own."""
        rows = self._select("SELECT seq, task FROM outcomes WHERE run = ? AND seq > ? ORDER BY seq", self.id, since)
        return [(seq, task) for seq, task in rows]

    def has_ended(self, task: str) -> bool:
        """Whether somebody brought a task to its end."""
        return bool(self._select("SELECT 1 FROM outcomes WHERE run = ? AND task = ?", self.id, task))

    def outcomes(self) -> list[Ended]:
        """What became of all tasks that ended, in that order."""
        rows = self._select("SELECT task, outcome, value, notes FROM outcomes WHERE run = ? ORDER BY seq", self.id)
        return [Ended(task, outcome, value, tuple(json.loads(notes))) for task, outcome, value, notes in rows]

    def forget_failures(self) -> None:
        """Let the tasks that failed or were left out be tried again."""
        self._write("DELETE FROM outcomes WHERE run = ? AND outcome <> 'done'", (self.id,))

    def events(self, since: int) -> list[Told]:
        """The events after the number `since`, the first thousand of them."""
        rows = self._select(
            f"SELECT seq, event FROM events WHERE run = ? AND seq > ? ORDER BY seq LIMIT {_MANY}", self.id, since
        )
        return [Told(seq, json.loads(event)) for seq, event in rows]

    def told(self) -> int:
        """How many events there are."""
        return int(self._select("SELECT COUNT(*) FROM events WHERE run = ?", self.id)[0][0])

    def number_of(self, place: int) -> int:
        """The number of the event at a place among them, the first at 1; 0 for place 0."""
        if place == 0:
            return 0
        rows = self._select(f"SELECT seq FROM events WHERE run = ? ORDER BY seq LIMIT 1 OFFSET {place - 1}", self.id)
        return int(rows[0][0]) if rows else 0

    def tell(self, event: Mapping[str, Any]) -> Future[None]:
        """Write an event, soon; from any thread."""
        return self._send(event, None)

    def end(self, ended: Ended, event: Mapping[str, Any] | None) -> Future[None]:
        """Write what became of a task, and the event that tells of it; done when it is on the disk. Where somebody was first nothing is written."""
        return self._send(event, ended)

    def close(self) -> None:
        """Write what waits and let go of the database; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        with self._reading:
            self._reader.close()

    def _select(self, sql: str, *values: Any) -> list[Any]:
        with self._reading, self._database.explained():
            return self._reader.execute(sql, values).fetchall()

    def _write(self, sql: str, values: tuple[Any, ...]) -> int:
        """Carry out a statement, synced; how many rows it wrote."""
        with self._reading:
            return self._database.write(self._reader, lambda connection: connection.execute(sql, values).rowcount)

    def _send(self, event: Mapping[str, Any] | None, ended: Ended | None) -> Future[None]:
        if self._closed:
            raise RunnerError(f"the shared run {self.id} is closed.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="shared-run", daemon=True)
            self._thread.start()
        told = None if event is None else {"at": round(time.time(), 3), "worker": self.worker, **event}
        done: Future[None] = Future()
        self._queue.put((told, ended, done))
        return done

    def _work(self) -> None:
        """The writing thread: what waits is one transaction, synced where an outcome is among it."""
        synced: Connection | None = None
        loose: Connection | None = None
        going = True
        while going:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            going = None not in batch
            writes = [each for each in batch if each is not None]
            if not writes:
                break
            try:
                if any(ended for _, ended, _ in writes):
                    connection = synced = synced or self._database.connect()
                else:
                    connection = loose = loose or self._database.connect(durable=False)
                self._database.write(connection, partial(self._apply, writes))
            except BaseException as error:
                for _, _, done in writes:
                    if done.set_running_or_notify_cancel():
                        done.set_exception(error)
            else:
                for _, _, done in writes:
                    if done.set_running_or_notify_cancel():
                        done.set_result(None)
        for each in (synced, loose):
            if each is not None:
                each.close()

    def _apply(
        self, writes: list[tuple[dict[str, Any] | None, Ended | None, Future[None]]], connection: Connection
    ) -> None:
        for told, ended, _ in writes:
            if ended is not None:
                first = connection.execute(
                    "INSERT INTO outcomes (run, task, outcome, value, notes, worker, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (run, task) DO NOTHING",
                    (
                        self.id,
                        ended.task,
                        ended.outcome,
                        ended.value,
                        json.dumps(ended.notes),
                        self.worker,
                        time.time(),
                    ),
                )
                if not first.rowcount:
                    continue
            if told is not None:
                connection.execute(
                    "INSERT INTO events (run, event) VALUES (?, ?)", (self.id, json.dumps(told, allow_nan=False))
                )
