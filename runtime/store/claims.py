"""Who is at work on what: a claim belongs to one process, and to nobody any more when that process is dead.

Every process that claims has one row with a heartbeat, and any number of claims by name. Invariants:

- A name is claimed by at most one owner at a time.
- The claims of an owner that is dead are free: at once where it ran on this machine (the operating system knows), else when its
  heartbeat has not moved for `LEASE` seconds of the watcher's own clock. No clocks of two machines are compared.
- An owner that was away for so long (a stopped process, a broken network) has lost all its claims, can take no more, and is told.

A claim is not synced to the disk: after a power cut there is nobody left who could hold one. That is why claims can be taken for single model calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ..errors import PrerequisiteError
from ..storage import Process, Tables, database_at

__all__ = ["LEASE", "Claims", "Owner"]

T = TypeVar("T")

LEASE = 30.0
"""Seconds without a heartbeat after which an owner on another machine counts as dead."""

TABLES = Tables(
    name="claims",
    what="the claims",
    statements="""
CREATE TABLE IF NOT EXISTS owners (
    owner TEXT PRIMARY KEY, name TEXT NOT NULL, work TEXT NOT NULL, machine TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
    born INTEGER NOT NULL, beat INTEGER NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS owners_work ON owners (work);
CREATE TABLE IF NOT EXISTS claims (name TEXT PRIMARY KEY, owner TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS claims_owner ON claims (owner)
""",
    version=1,
    lost="work that is under way may then be done twice",
    repeatable=True,
)
_OWNER = "owner, name, work, machine, host, pid, born, beat"


@dataclass(frozen=True)
class Owner:
    """A process that claims: what it calls itself, what it works on, and where it runs."""

    owner: str
    name: str
    work: str
    process: Process
    beat: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> Owner:
        """From a row of `owners`."""
        owner, name, work, *process, beat = row
        return cls(owner, name, work, Process(*process), beat)

    def __str__(self) -> str:
        return f"{self.name} (process {self.process.pid} on {self.process.host})"


class Claims:
    """The claims of this process in a store; used as a context manager, at whose end they are all free.

    Args:
        place: an SQLite file or a PostgreSQL (see `database_at`).
        name: what it calls itself.
        lease: see `LEASE`; the same for all that share the claims.
        lost: called, from a thread, when this process was taken for dead.

    Raises:
        PrerequisiteError: on entering: the place cannot be used.
    """

    def __init__(
        self,
        place: Path | str,
        *,
        name: str = "",
        lease: float = LEASE,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database_at(place, TABLES)
        process = Process.mine()
        self.owner = Owner(secrets.token_hex(8), name or f"process {process.pid}", "", process, 0)
        self.lost = False
        """Whether others took this process for dead and its claims for free."""
        self._lease, self._tell = lease, lost
        self._guard, self._ended = threading.Lock(), threading.Event()
        self._beats: dict[str, tuple[int, float]] = {}
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Claims:
        self._connection = self._database.opened(durable=False)
        mine = self.owner
        with self._database.explained():
            self._connection.execute(
                f"INSERT INTO owners ({_OWNER}, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner) DO NOTHING",
                (mine.owner, mine.name, mine.work, *astuple(mine.process), 0, time.time()),
            )
        self._thread = threading.Thread(target=self._beat, name="claims", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        with self._guard, contextlib.suppress(PrerequisiteError), self._database.explained():
            self._connection.execute("DELETE FROM claims WHERE owner = ?", (self.owner.owner,))
            self._connection.execute("DELETE FROM owners WHERE owner = ?", (self.owner.owner,))
        self._connection.close()

    async def take(self, name: str) -> bool:
        """Claim a name; False where somebody living has it. Claimed again by its owner it stays claimed.

        Raises:
            PrerequisiteError: this process was taken for dead.
        """
        return await self._done(functools.partial(self._take, name))

    async def release(self, name: str) -> None:
        """Give a claim back; nothing where it was lost."""
        await self._done(functools.partial(self._free, name))

    async def join(self, work: str) -> None:
        """Tell what this process is at work on, such as the id of a run; `at_work` finds it by that."""
        await self._done(functools.partial(self._join, work))

    async def at_work(self, work: str) -> list[Owner]:
        """The living owners that are at work on it, by name."""
        return await self._done(functools.partial(self._at_work, work))

    @staticmethod
    def seen(place: Path | str) -> list[Owner]:
        """The owners that gave a sign lately by their own clocks, for lists; no file is made, and nobody is taken for dead."""
        database = database_at(place, TABLES)
        if not database.there():
            return []
        with database.work() as connection:
            rows = connection.execute(
                f"SELECT {_OWNER} FROM owners WHERE at > ?", (time.time() - 2 * LEASE,)
            ).fetchall()
        return [owner for owner in map(Owner.of, rows) if not owner.process.gone]

    async def _done(self, work: Callable[[], T]) -> T:
        return work() if self._database.quick else await asyncio.to_thread(work)

    def _take(self, name: str) -> bool:
        with self._guard, self._database.explained():
            execute, mine = self._connection.execute, self.owner.owner
            while True:
                # from its own row: whoever was taken for dead gets nothing
                taken = execute(
                    "INSERT INTO claims (name, owner) SELECT CAST(? AS TEXT), owner FROM owners WHERE owner = ?"
                    " ON CONFLICT (name) DO NOTHING",
                    (name, mine),
                )
                if taken.rowcount:
                    return True
                held = execute("SELECT owner FROM claims WHERE name = ?", (name,)).fetchone()
                if held is None:
                    self._check()
                    continue
                if held[0] == mine:
                    self._check()
                    return True
                if self._lives(held[0]):
                    return False
                execute("DELETE FROM claims WHERE owner = ?", (held[0],))

    def _free(self, name: str) -> None:
        with self._guard, self._database.explained():
            self._connection.execute("DELETE FROM claims WHERE name = ? AND owner = ?", (name, self.owner.owner))

    def _join(self, work: str) -> None:
        with self._guard, self._database.explained():
            self._connection.execute("UPDATE owners SET work = ? WHERE owner = ?", (work, self.owner.owner))

    def _at_work(self, work: str) -> list[Owner]:
        with self._guard, self._database.explained():
            rows = self._connection.execute(
                f"SELECT {_OWNER} FROM owners WHERE work = ? ORDER BY name, owner", (work,)
            ).fetchall()
            owners = [Owner.of(row) for row in rows]
            return [owner for owner in owners if owner.owner == self.owner.owner or self._lives(owner.owner)]

    def _lives(self, id: str) -> bool:
        """Whether an owner is not known to be dead; the row of one that is goes, so that it can claim nothing more."""
        row = self._connection.execute(f"SELECT {_OWNER} FROM owners WHERE owner = ?", (id,)).fetchone()
        if row is None:
            return False
        owner, now = Owner.of(row), time.monotonic()
        beat, since = self._beats.get(id, (-1, now))
        if beat != owner.beat:
            beat, since = self._beats[id] = owner.beat, now
        if not owner.process.gone and now - since < self._lease:
            return True
        buried = self._connection.execute("DELETE FROM owners WHERE owner = ? AND beat = ?", (id, beat))
        return not buried.rowcount and self._lives(id)  # it beat just now, or somebody else was faster

    def _check(self) -> None:
        there = self._connection.execute("SELECT 1 FROM owners WHERE owner = ?", (self.owner.owner,)).fetchone()
        if there is None:
            self.lost = True
            raise PrerequisiteError(
                f"this process gave no sign for {self._lease:g} seconds, and what it had claimed was given to others",
                remedy="start it again; nothing that was finished is lost.",
            )

    def _beat(self) -> None:
        """The heartbeat, from a thread of its own; what the database says of it in between counts only when it lasts."""
        sent = time.monotonic()
        while not self._ended.wait(self._lease / 6):
            try:
                with self._guard, self._database.explained():
                    row = self._connection.execute(
                        "UPDATE owners SET beat = beat + 1, at = ? WHERE owner = ?", (time.time(), self.owner.owner)
                    )
                alive = bool(row.rowcount)
                sent = time.monotonic()
            except PrerequisiteError:
                alive = time.monotonic() - sent < self._lease
            if not alive:
                self.lost = True
                self._tell()
                return
