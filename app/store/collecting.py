"""What no run that is kept needs is set aside: calls that none of them used, and the blobs of these calls that nothing else names.

A picture that was read from a file stays, for an index may show it; so does a blob that nothing is known about. What is set aside is out of the way of
runs, and can be brought back until it is confirmed. Killed at any time, nothing is lost: what is in both places is brought back, or set aside, by the
same again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any, NamedTuple

from ...runtime.errors import BadInput
from ...runtime.folder import RunInfo, files_of
from ...runtime.records import Record
from ...runtime.run import SharedRun
from ...runtime.storage import Connection, Tables, is_postgres
from ...runtime.store import LEDGER_TABLES, NEVER, BlobStore, StoreLocation
from .check import AT_ONCE
from .rows import PAGE, addresses, opened, pages, refs, slices

__all__ = ["ASIDE_TABLES", "Collected", "collect", "confirm", "plan", "undo"]

_RECENT = 24 * 3600.0
"""Seconds: what was used within them stays, for a run may be at work elsewhere."""
_AT_WORK = 600.0
ASIDE_TABLES = Tables(
    name="aside",
    what="what is set aside",
    version=1,
    lost="what was set aside cannot be brought back",
    statements="""
CREATE TABLE IF NOT EXISTS aside_results (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, model TEXT NOT NULL,
    revision TEXT NOT NULL, call TEXT NOT NULL, value TEXT NOT NULL, cost TEXT NOT NULL, at REAL NOT NULL);
""",
)
_COLUMNS = "key, kind, model, revision, call, value, cost, at"
_INSERT = f"({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"


class Collected(Record):
    """What goes, went, or came back: calls and blobs with their bytes. `kept` and `dropped`: numbers of runs."""

    kept: int
    dropped: int
    calls: int
    blobs: int
    bytes: int


class _Plan(NamedTuple):
    keys: list[str]
    blobs: dict[str, int]
    kept: int
    dropped: int


def plan(at: StoreLocation, runs: Iterable[RunInfo], keep: int) -> _Plan:
    """What would go, if the `keep` runs that used the store last are kept, with those that are unfinished or that used it within a day.

    Raises:
        BadInput: a run is at work.
    """
    infos = {info.id: info for info in runs}
    if working := [info.id for info in infos.values() if info.state == "running"]:
        raise BadInput(f"the run {working[0]!r} is at work: wait for its end, or stop it and resume it afterwards.")
    now = time.time()
    with opened(at, LEDGER_TABLES) as (_, connection):
        used = dict(connection.execute("SELECT run_id, MAX(at) FROM uses GROUP BY run_id").fetchall())
        recent = sorted(((last, id) for id, last in used.items()), reverse=True)
        if recent and recent[0][0] > now - _AT_WORK:
            raise BadInput(
                f"the run {recent[0][1]!r} used the store within the last ten minutes and may be at work: try again later."
            )
        kept = {id for last, id in recent[:keep]} | {id for last, id in recent if last > now - _RECENT}
        kept |= {id for id, info in infos.items() if info.state not in ("finished", "unreadable")}
        kept |= {id for id, finished in SharedRun.listed(at).items() if id in used and not finished}
        keys = {
            key for id in kept for (key,) in connection.execute("SELECT DISTINCT key FROM uses WHERE run_id = ?", (id,)).fetchall()
        }  # fmt: skip
        go: list[str] = []
        candidates: dict[str, tuple[int, str]] = {}
        needed, pictures = set[str](), set[str]()
        for rows in pages(connection, "key, value", "results", "seq"):
            for _, key, value in rows:
                if key in keys:
                    needed |= addresses(value.encode())
                    pictures |= {sha for sha, (_, media) in refs(value).items() if media.startswith("image/")}
                else:
                    go.append(key)
                    candidates |= refs(value)
    needed |= _named_by_runs(at, [info for info in infos.values() if info.id in kept or info.id not in used])
    blobs = at.open_blobs()
    if candidates.keys() - needed:
        needed = pictures | _reached(blobs, needed - pictures)
    doomed = {sha: size for sha, (size, _) in candidates.items() if sha not in needed}
    return _Plan(go, doomed, len(kept), len(used.keys() - kept))


def collect(at: StoreLocation, found: _Plan) -> Collected:
    """Set aside what was planned."""
    with opened(at, LEDGER_TABLES) as (ledger, from_), opened(at, ASIDE_TABLES) as (aside, to):
        for keys in slices(found.keys):
            rows = _rows(from_, keys)
            aside.write(to, lambda inside, rows=rows: _put(inside, "aside_results", rows))  # type: ignore[misc]
            ledger.write(from_, lambda inside, keys=keys: _forget(inside, keys))  # type: ignore[misc]
    _each(at.open_blobs().set_aside, found.blobs)
    return Collected(
        kept=found.kept, dropped=found.dropped, calls=len(found.keys), blobs=len(found.blobs), bytes=sum(found.blobs.values())
    )  # fmt: skip


def undo(at: StoreLocation) -> Collected:
    """Bring back what is set aside."""
    blobs = at.open_blobs()
    back = dict(blobs.aside())
    _each(blobs.bring_back, back)
    calls = 0
    with opened(at, LEDGER_TABLES) as (ledger, to), opened(at, ASIDE_TABLES) as (aside, from_):
        for page in pages(from_, _COLUMNS, "aside_results", "seq"):
            rows = [row[1:] for row in page]
            ledger.write(to, lambda inside, rows=rows: _put(inside, "results", rows))  # type: ignore[misc]
            calls += len(rows)
        aside.write(from_, lambda inside: inside.execute("DELETE FROM aside_results"))
    return Collected(kept=0, dropped=0, calls=calls, blobs=len(back), bytes=sum(back.values()))


def confirm(at: StoreLocation) -> Collected:
    """Delete what is set aside, for good."""
    blobs = at.open_blobs()
    gone = dict(blobs.aside())
    _each(blobs.drop_aside, gone)
    with opened(at, ASIDE_TABLES) as (aside, connection):
        (calls,) = connection.execute("SELECT COUNT(*) FROM aside_results").fetchone()
        aside.write(connection, lambda inside: inside.execute("DELETE FROM aside_results"))
    return Collected(kept=0, dropped=0, calls=calls, blobs=len(gone), bytes=sum(gone.values()))


def _rows(connection: Connection, keys: list[str]) -> list[tuple[Any, ...]]:
    places = ", ".join("?" * len(keys))
    return connection.execute(f"SELECT {_COLUMNS} FROM results WHERE key IN ({places})", keys).fetchall()


def _put(inside: Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    for row in rows:
        inside.execute(f"INSERT INTO {table} {_INSERT}", row)


def _forget(inside: Connection, keys: list[str]) -> None:
    places = ", ".join("?" * len(keys))
    inside.execute(f"DELETE FROM results WHERE key IN ({places})", keys)
    # as where a value could not be used: what is paid for again is not paid twice
    inside.execute(f"UPDATE uses SET result = ? WHERE key IN ({places})", [NEVER, *keys])


def _each(work: Any, blobs: Iterable[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, blobs))


def _named_by_runs(at: StoreLocation, runs: Iterable[RunInfo]) -> set[str]:
    """Every address in the folders of runs and in their checkpoints."""
    named: set[str] = set()
    for info in runs:
        named |= addresses(*(path.read_bytes() for path in files_of(info.path) if path.suffix in (".json", ".jsonl")))
        path = info.path / "checkpoints.sqlite"
        if path.exists():
            with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as connection:
                named |= _in_checkpoints(connection, ("checkpoints", "checkpoint"), ("writes", "value"))
    if is_postgres(at.database):
        with opened(at, LEDGER_TABLES) as (_, server):
            (there,) = server.execute("SELECT to_regclass('checkpoints') IS NOT NULL").fetchone()
            if there:
                named |= _in_checkpoints(
                    server, ("checkpoints", "CAST(checkpoint AS TEXT)"), ("checkpoint_blobs", "blob"), ("checkpoint_writes", "blob")
                )  # fmt: skip
    return named


def _in_checkpoints(connection: Any, *places: tuple[str, str]) -> set[str]:
    named: set[str] = set()
    for table, column in places:
        cursor = connection.execute(f"SELECT {column} FROM {table}")
        while rows := cursor.fetchmany(PAGE):
            named |= addresses(
                *(value.encode() if isinstance(value, str) else bytes(value) for (value,) in rows if value)
            )
    return named


def _reached(blobs: BlobStore, named: set[str]) -> set[str]:
    """Those, and what they name in their turn: the state of a run is a chain of blobs."""
    reached, waiting = set[str](), named
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while waiting:
            reached |= waiting
            found = list(pool.map(lambda sha: _addresses_in(blobs, sha), waiting))
            waiting = set().union(*found) - reached
    return reached


def _addresses_in(blobs: BlobStore, sha: str) -> set[str]:
    if not blobs.has(sha):
        return set()
    data = blobs.get(sha)
    return set() if data[:1] in (b"\x89", b"\xff") else addresses(data)  # a PNG, a JPEG
