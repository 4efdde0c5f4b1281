"""What the store asks of a database, whichever it is: an SQLite file, or PostgreSQL by its URL.

SQL is written once, in words that both take: `?` for values, `INSERT ... ON CONFLICT`, `RETURNING`; columns of type TEXT, INTEGER (64 bits) and REAL
(double precision), and `INTEGER PRIMARY KEY AUTOINCREMENT`. What a conflict updates is named with its table (`attempts = failures.attempts + 1`),
and a column that is not grouped by is aggregated. What differs beyond that stands in the class of each database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

__all__ = ["Connection", "Cursor", "Database", "Tables"]

T = TypeVar("T")


class Cursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it wrote."""

    def fetchone(self) -> Any:
        """The next row as a tuple; None after the last."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    def fetchmany(self, size: int, /) -> list[Any]:
        """The next rows, at most `size`; none after the last."""


class Connection(Protocol):
    """A connection in autocommit mode, for any thread, though for one at a time."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        """Carry out a statement with its values."""

    def close(self) -> None:
        """Close it; may be called twice."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Tables that belong together.

    Args:
        name: what a database knows them by, and the name of their SQLite file in a store's folder.
        what: what they are called in errors, as in "the call ledger".
        statements: the SQL that makes them, at `version`.
        lost: what one does without them, for the remedy of a damaged file.
        repeatable: whether each statement on them, carried out twice, comes to the same as once. Then all are asked again where a
            connection was lost on the way, and not only those that read.
    """

    name: str
    what: str
    statements: str
    version: int
    lost: str
    repeatable: bool = False


class Database(Protocol):
    """Tables in a place; what was written is on the disk of whoever keeps it, and any number of processes may use it.

    Its errors are `PrerequisiteError`s that name the place and the remedy.
    """

    quick: bool
    """Whether a look-up takes less time than a thread for it would."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    def there(self) -> bool:
        """Whether there may be anything to read: looking makes nothing."""

    def connect(self, *, durable: bool = True) -> Connection:
        """A connection to tables that are there; the caller closes it. Without `durable` a write is not synced: a power cut may lose the last ones."""

    def opened(self, *, durable: bool = True) -> Connection:
        """As `connect`, and makes the tables where they are not there: what is wrong with the place shows at once.

        Raises:
            PrerequisiteError: they cannot be made, or are of another schema version.
        """

    def work(self) -> AbstractContextManager[Connection]:
        """An opened connection for one piece of work, closed after it."""

    def write(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        """What `work` gives, done in one transaction: all or nothing, on the disk when this returns, one writer of these tables at a time.

        Where the connection is lost on the way `work` may be done once more, though never where it was committed.
        """

    def explained(self) -> AbstractContextManager[None]:
        """Turns the errors of the driver into ours."""
