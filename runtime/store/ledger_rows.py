"""The rows of the call ledger in its database: one reading connection, and one thread that writes.

Invariants: a write is on the disk when its future is done; all writes that came in while the last transaction was synced share the
next one. Any number of processes may use them.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import RunnerError
from ..records import Cost
from ..storage import Connection, Tables, database_at
from .calls import Call, Failure

__all__ = ["NEVER", "TABLES", "LedgerRows", "Write"]

TABLES = Tables(
    name="ledger",
    what="the call ledger",
    version=1,
    lost="calls are then paid anew",
    statements="""
CREATE TABLE IF NOT EXISTS results (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, model TEXT NOT NULL,
    revision TEXT NOT NULL, call TEXT NOT NULL, value TEXT NOT NULL, cost TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS failures (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, model TEXT NOT NULL, call TEXT NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS uses (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL,
    paid INTEGER NOT NULL, seen INTEGER NOT NULL, result INTEGER NOT NULL, cost TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS uses_key ON uses (key);
CREATE INDEX IF NOT EXISTS uses_run ON uses (run_id);
""",
)
NEVER = 1 << 62
"""In the place of the number of a result that is gone."""


@dataclass
class Write:
    """One row on its way to the writer thread; `done` gets the stored value as JSON text."""

    call: Call
    outcome: Literal["paid", "reused", "failed", "void"]
    text: str = ""
    cost: str = "{}"
    seen: int = 0
    done: Future[str] = field(default_factory=Future)


class LedgerRows:
    """The open tables; they are made at once: a full disk, a folder without rights or a server that is down shows before anything is paid."""

    def __init__(self, place: Path | str, run_id: str) -> None:
        self.run_id = run_id
        self._database = database_at(place, TABLES)
        self.quick = self._database.quick
        self._reader = self._database.opened()
        self._reading = threading.Lock()
        self._guard = threading.Lock()
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def close(self) -> None:
        """Write what waits and close the connections; may be called twice."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        with self._reading:
            self._reader.close()

    def find(self, key: str) -> tuple[tuple[str, str] | None, int]:
        """The stored (value, cost) of `key` as JSON texts, and the newest result seen, in one snapshot."""
        newest, seq, value, cost = self.select(
            "SELECT newest.seq, found.seq, found.value, found.cost FROM (SELECT MAX(seq) AS seq FROM results) AS newest"
            " LEFT JOIN results AS found ON found.key = ?",
            (key,),
        )[0]
        return (None if seq is None else (value, cost)), newest or 0

    def used(self, run_id: str, since: int) -> list[tuple[int, str, Cost]]:
        """The uses of a run after the number `since`: their numbers, keys, and what each cost when it was paid."""
        rows = self.select("SELECT id, key, cost FROM uses WHERE run_id = ? AND id > ? ORDER BY id", (run_id, since))
        return [(id, key, Cost.model_validate_json(text)) for id, key, text in rows]

    def paid(self, run_id: str) -> list[Cost]:
        """What each payment of a run was."""
        return _costs(self.select("SELECT cost FROM uses WHERE paid = 1 AND run_id = ?", (run_id,)))

    def counts(self, run_id: str) -> dict[str, dict[str, int]]:
        """By kind of call, how many were paid and how many reused in a run."""
        rows = self.select(
            "SELECT kind, SUM(paid), SUM(1 - paid) FROM uses WHERE run_id = ? GROUP BY kind ORDER BY kind", (run_id,)
        )
        return {kind: {"paid": int(paid), "reused": int(reused)} for kind, paid, reused in rows}

    def failures(self) -> list[Failure]:
        """The calls that failed and have no value, oldest first."""
        rows = self.select(
            "SELECT key, kind, model, call, reason, attempts, at FROM failures"
            " WHERE key NOT IN (SELECT key FROM results) ORDER BY at"
        )
        return [
            Failure(key=key, kind=kind, model=model, call=json.loads(call), reason=reason, attempts=attempts, at=at)
            for key, kind, model, call, reason, attempts, at in rows
        ]

    def paid_twice(self) -> list[str]:
        """The keys that were paid for although a finished value was there when the payer looked."""
        rows = self.select(
            "SELECT DISTINCT later.key FROM uses AS later JOIN uses AS earlier ON later.key = earlier.key"
            " WHERE later.paid = 1 AND earlier.paid = 1 AND earlier.id < later.id AND earlier.result <= later.seen"
            " ORDER BY later.key"
        )
        return [key for (key,) in rows]

    def select(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query gives now."""
        with self._reading, self._database.explained():
            if self._closed:
                raise RunnerError(f"the call ledger {self._database.place} is closed.")
            return self._reader.execute(query, values).fetchall()

    def send(self, write: Write) -> Future[str]:
        """Queue a write; the future gives the stored value as JSON text once it is on the disk."""
        with self._guard:
            if self._closed:
                raise RunnerError(f"the call ledger {self._database.place} is closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
                self._thread.start()
            self._queue.put(write)
        return write.done

    def _work(self) -> None:
        """The writer thread: whatever came in while the last transaction was synced shares the next one."""
        connection: Connection | None = None
        going = True
        while going:
            batch: list[Write] = []
            entry = self._queue.get()
            while True:
                if entry is None:
                    going = False
                    break
                batch.append(entry)
                try:
                    entry = self._queue.get_nowait()
                except queue.Empty:
                    break
            if not batch:
                continue
            try:
                connection = connection or self._database.connect()
                kept = self._commit(connection, batch)
            except BaseException as error:
                for write in batch:
                    if write.done.set_running_or_notify_cancel():
                        write.done.set_exception(error)
            else:
                for write, text in zip(batch, kept, strict=True):
                    if write.done.set_running_or_notify_cancel():
                        write.done.set_result(text)
        if connection is not None:
            connection.close()

    def _commit(self, connection: Connection, batch: list[Write]) -> list[str]:
        return self._database.write(connection, lambda inside: [self._apply(inside, write) for write in batch])

    def _apply(self, connection: Connection, write: Write) -> str:
        call, now = write.call, time.time()
        if write.outcome == "failed":
            connection.execute(
                "INSERT INTO failures (key, kind, model, call, reason, attempts, at) VALUES (?, ?, ?, ?, ?, 1, ?)"
                " ON CONFLICT (key) DO UPDATE SET reason = excluded.reason, attempts = failures.attempts + 1, at = excluded.at",
                (call.key, call.kind, call.model, call.canonical, write.text.replace("\0", " "), now),
            )
            return ""
        if write.outcome == "void":
            connection.execute("DELETE FROM results WHERE key = ?", (call.key,))
            # the earlier payment stays on the bill, but what it bought is gone: paying again is not paying twice
            connection.execute("UPDATE uses SET result = ? WHERE key = ?", (NEVER, call.key))
            return ""
        if write.outcome == "paid":
            connection.execute(
                "INSERT INTO results (key, kind, model, revision, call, value, cost, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                (call.key, call.kind, call.model, call.revision, call.canonical, write.text, write.cost, now),
            )
        row = connection.execute("SELECT seq, value FROM results WHERE key = ?", (call.key,)).fetchone()
        seq, text = row if row is not None else (0, "")
        connection.execute(
            "INSERT INTO uses (run_id, key, kind, paid, seen, result, cost, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self.run_id, call.key, call.kind, int(write.outcome == "paid"), write.seen, seq, write.cost, now),
        )
        return str(text)


def _costs(rows: list[tuple[Any, ...]]) -> list[Cost]:
    return [Cost.model_validate_json(text) for (text,) in rows]
