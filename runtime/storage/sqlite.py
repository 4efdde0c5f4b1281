"""An SQLite file of the store: opened with full durability, made once, of one schema version, its errors told with their remedy."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ..errors import PrerequisiteError
from .database import Connection, Tables
from .disk import disk_problem

__all__ = ["SqliteDatabase"]

T = TypeVar("T")
_PATIENCE = 60.0  # seconds


class SqliteDatabase:
    """`Tables` in the file `path` (WAL); a connection is sqlite3's own, for the sake of speed."""

    quick = True

    def __init__(self, path: Path, tables: Tables) -> None:
        self.path, self._tables = path, tables

    @property
    def place(self) -> str:
        """The path."""
        return str(self.path)

    def there(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    def connect(self, *, durable: bool = True) -> sqlite3.Connection:
        """A connection to the file as it is; the caller closes it."""
        with self.explained():
            connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")  # NORMAL: no fsync a commit
            return connection

    def opened(self, *, durable: bool = True) -> sqlite3.Connection:
        """A connection to the file, which is made where it is not there, with its folder."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_problem(error, self.path) from error
        connection = self.connect(durable=durable)
        try:
            with self.explained():
                self._make(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def work(self) -> Iterator[sqlite3.Connection]:
        """A connection for one piece of work, closed after it."""
        connection = self.opened()
        try:
            with self.explained():
                yield connection
        finally:
            connection.close()

    def write(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        """What `work` gives, in one transaction."""
        with self.explained():
            connection.execute("BEGIN IMMEDIATE")
            try:
                value = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    connection.execute("ROLLBACK")
                raise
            return value

    def _make(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, self._tables.version):
            raise PrerequisiteError(
                f"{self._tables.what} {self.path} has schema version {version}; this inloop reads {self._tables.version}",
                remedy="use the inloop that wrote it, or name another store (INLOOP_STORE=...).",
            )
        deadline = time.monotonic() + _PATIENCE
        while True:  # several processes opening a new file at once: WAL mode is not covered by SQLite's own waiting
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                if version == 0:
                    connection.execute("BEGIN IMMEDIATE")
                    for statement in self._tables.statements.split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {self._tables.version}")
                    connection.execute("COMMIT")
                return
            except sqlite3.OperationalError as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """SQLite's errors, told with their remedy."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            if "full" in text or "disk I/O" in text:
                problem, remedy = (
                    "cannot be written: the disk is full or broken",
                    "free some space, then resume the run.",
                )
            elif "readonly" in text or "unable to open" in text:
                problem, remedy = (
                    "cannot be opened for writing",
                    "give yourself the rights on its folder, or set INLOOP_STORE.",
                )
            elif "locked" in text:
                problem, remedy = (
                    "was locked for a minute",
                    "see which program holds it open, end that, and resume the run.",
                )
            elif "malformed" in text or "not a database" in text:
                problem, remedy = "is damaged", f"restore it from a backup, or move it away: {self._tables.lost}."
            else:
                problem, remedy = "cannot be used", "check the file and its folder."
            raise PrerequisiteError(
                f"{self._tables.what} {self.path} {problem} (SQLite: {text})", remedy=remedy
            ) from error
