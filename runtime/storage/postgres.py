"""PostgreSQL as the database of a store: `postgresql://user@host:5432/db?schema=NAME`, by the driver psycopg.

All tables stand in one schema (default: `inloop`), which is made where it is not there, so that several stores can share a database. The password
comes from PGPASSWORD or ~/.pgpass, as everywhere with PostgreSQL. A connection that is lost, as by a restart of the server, is made anew for a
minute; whether a transaction that was under way was committed is asked of the server then. PostgreSQL 13 or newer.
"""

from __future__ import annotations

import contextlib
import re
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

from ..errors import BadInput, PrerequisiteError
from ..urls import check_no_secret, without_secret
from .database import Connection, Cursor, Tables

__all__ = ["PostgresAddress", "PostgresDatabase", "explained"]

T = TypeVar("T")
_PATIENCE = 60.0  # seconds for which a lost connection is made anew, and for which a lock is waited for
_PASSWORD = "give it in PGPASSWORD or in ~/.pgpass"
_KINDS = {
    "INTEGER PRIMARY KEY AUTOINCREMENT": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "INTEGER": "BIGINT",
    "REAL": "DOUBLE PRECISION",
}
_VERSIONS = "CREATE TABLE IF NOT EXISTS store_tables (name TEXT PRIMARY KEY, version BIGINT NOT NULL)"


class PostgresAddress:
    """What a URL says: where the server is, and which schema.

    Raises:
        BadInput: a password in it, or a name of a schema that is none.
    """

    def __init__(self, url: str) -> None:
        try:
            check_no_secret(url, _PASSWORD)
        except ValueError as error:
            raise BadInput(f"{without_secret(url)!r} cannot be used: {error}.") from None
        parts = urllib.parse.urlsplit(url)
        options = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.url = url
        self.schema = options.pop("schema", "inloop")
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,60}", self.schema) or self.schema.startswith("pg_"):
            raise BadInput(f"schema={self.schema!r} in {url!r}: give small letters, digits and _, as in schema=team.")
        self.dsn = parts._replace(query=urllib.parse.urlencode(options)).geturl()

    def settings(self, *, durable: bool) -> list[str]:
        """The statements that a new connection begins with."""
        return [
            f'SET search_path TO "{self.schema}"',
            f"SET lock_timeout = {int(_PATIENCE * 1000)}",
            # an administrator's stricter choice stays
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
            if durable
            else "SET synchronous_commit = off",
        ]


class PostgresDatabase:
    """`Tables` in the schema of a server."""

    quick = False

    def __init__(self, url: str, tables: Tables) -> None:
        self.address, self._tables = PostgresAddress(url), tables
        self._lock = zlib.crc32(f"{self.address.schema}.{tables.name}".encode())

    @property
    def place(self) -> str:
        """The URL, which holds no password."""
        return self.address.url

    def there(self) -> bool:
        """Always: to know better a connection is needed."""
        return True

    def connect(self, *, durable: bool = True) -> Connection:
        """A connection; the caller closes it."""
        with self.explained():
            return PostgresConnection(self.address, durable=durable, repeatable=self._tables.repeatable)

    def opened(self, *, durable: bool = True) -> Connection:
        """A connection, with the schema and the tables made where they are not there."""
        connection = self.connect(durable=durable)
        try:
            with self.explained():
                self._make(cast("PostgresConnection", connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def server(self) -> str:
        """What the server calls itself, as in "PostgreSQL 17.2"."""
        connection = self.connect()
        try:
            with self.explained():
                return str(connection.execute("SELECT version()").fetchone()[0]).split(" (")[0].split(" on ")[0]
        finally:
            connection.close()

    @contextlib.contextmanager
    def work(self) -> Iterator[Connection]:
        """A connection for one piece of work, closed after it."""
        connection = self.opened()
        try:
            with self.explained():
                yield connection
        finally:
            connection.close()

    def write(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        """What `work` gives, in one transaction under an advisory lock.

        The lock makes what is numbered visible in the order of its numbers, as in SQLite; the ledger's proof that nothing is paid twice needs that.
        """
        given = cast("PostgresConnection", connection)
        while True:
            done: list[T] = []
            id = ""
            with self.explained():
                try:
                    with given.transaction():
                        id = given.execute(
                            "SELECT CAST(pg_current_xact_id() AS TEXT), pg_advisory_xact_lock(?)", (self._lock,)
                        ).fetchone()[0]
                        done.append(work(given))
                    return done[0]
                except _operational():
                    if not given.lost:
                        raise
                    given.again()
                    if done and given.committed(id):
                        return done[0]

    def _make(self, connection: PostgresConnection) -> None:
        import psycopg

        def version() -> int | None:
            row = connection.execute("SELECT version FROM store_tables WHERE name = ?", (self._tables.name,)).fetchone()
            return None if row is None else int(row[0])

        try:
            found = version()
        except psycopg.errors.UndefinedTable:
            found = None
        if found is None:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(?)", (zlib.crc32(self.address.schema.encode()),))
                if connection.execute("SELECT to_regnamespace(?)", (self.address.schema,)).fetchone()[0] is None:
                    connection.execute(f'CREATE SCHEMA "{self.address.schema}"')
                connection.execute(_VERSIONS)
                found = version()
                if found is None:
                    for statement in filter(str.strip, self._tables.statements.split(";")):
                        connection.execute(_in_its_types(statement))
                    connection.execute(
                        "INSERT INTO store_tables (name, version) VALUES (?, ?)",
                        (self._tables.name, self._tables.version),
                    )
                    return
        if found != self._tables.version:
            raise PrerequisiteError(
                f"{self._tables.what} in {self.place} has schema version {found}; this inloop reads {self._tables.version}",
                remedy="use the inloop that wrote it, or name another store (INLOOP_STORE=postgresql://...?schema=NAME).",
            )

    def explained(self) -> contextlib.AbstractContextManager[None]:
        """PostgreSQL's errors, told with their remedy."""
        return explained(self._tables.what, self.place)


class PostgresConnection:
    """A connection that takes the SQL of `database`, and is made anew where it was lost outside of a transaction."""

    def __init__(self, address: PostgresAddress, *, durable: bool, repeatable: bool = False) -> None:
        self._address, self._durable, self._repeatable = address, durable, repeatable
        self._inside = False
        self._raw = self._new()

    @property
    def lost(self) -> bool:
        """Whether the server or the way to it is gone."""
        return bool(self._raw.closed)

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        """Carry out a statement; what only reads, or may be done twice, is asked again on a new connection where the old one was lost."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            if self._raw.closed and not self._inside:
                self.again()
            try:
                return cast("Cursor", self._raw.execute(_translated(sql), values))
            except _operational():
                again = self._repeatable or sql.lstrip().upper().startswith("SELECT")
                if not self.lost or self._inside or not again or time.monotonic() > deadline:
                    raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction: committed at its end, rolled back by an exception."""
        if self._raw.closed:
            self.again()
        self._inside = True
        try:
            with self._raw.transaction():
                yield
        finally:
            self._inside = False

    def committed(self, id: str) -> bool:
        """Whether the transaction of that id was committed; waits for one that the server has not given up yet."""
        while True:
            (status,) = self.execute("SELECT pg_xact_status(CAST(CAST(? AS TEXT) AS xid8))", (id,)).fetchone()
            if status != "in progress":
                return bool(status == "committed")
            time.sleep(0.05)

    def again(self) -> None:
        """A new connection in the place of a lost one."""
        self._raw.close()
        deadline, pause = time.monotonic() + _PATIENCE, 0.05
        while True:
            try:
                self._raw = self._new()
                return
            except _operational():
                if time.monotonic() > deadline:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, 2.0)

    def close(self) -> None:
        """Close it; may be called twice."""
        self._raw.close()

    def _new(self) -> Any:
        psycopg = _driver(self._address.url)
        raw = psycopg.connect(self._address.dsn, autocommit=True, connect_timeout=15, application_name="inloop")
        try:
            for statement in self._address.settings(durable=self._durable):
                raw.execute(statement)
        except BaseException:
            raw.close()
            raise
        return raw


@contextlib.contextmanager
def explained(what: str, place: str) -> Iterator[None]:
    """PostgreSQL's errors about `what` at `place`, told with their remedy.

    Raises:
        PrerequisiteError: the server, the rights, the disk.
        BadInput: a value that PostgreSQL cannot hold.
    """
    psycopg = _driver(place)
    try:
        yield
    except psycopg.DataError as error:
        raise BadInput(f"{what} in {place} cannot hold a value: {_first(error)}.") from error
    except psycopg.Error as error:
        text = str(error)
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            problem, remedy = (
                "cannot be written for want of rights",
                "ask who runs the server for CREATE on the database, or for a schema of your own:"
                " CREATE SCHEMA inloop AUTHORIZATION you.",
            )
        elif isinstance(error, psycopg.errors.DiskFull):
            problem, remedy = "cannot be written: the server's disk is full", "free some space there, then resume the run."  # fmt: skip
        elif isinstance(error, psycopg.errors.LockNotAvailable):
            problem, remedy = (
                "was locked for a minute",
                "see in pg_stat_activity who holds it, end that, and resume the run.",
            )
        elif isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            problem, remedy = "is read-only", "name the primary server, not a standby."
        elif isinstance(error, psycopg.errors.UndefinedFunction):
            problem, remedy = "is in too old a server", "use PostgreSQL 13 or newer."
        elif "too many" in text or "remaining connection slots" in text:
            problem, remedy = (
                "is out of connections",
                "raise max_connections, or work with fewer processes: one holds about four.",
            )
        elif "password" in text or "authentication" in text or "pg_hba" in text:
            problem, remedy = "does not let you in", f"check the user in the URL and the password: {_PASSWORD}."
        elif "does not exist" in text and isinstance(error, psycopg.OperationalError):
            problem, remedy = "is not there", "make the database (createdb NAME) or the user, or mend the URL."
        elif isinstance(error, psycopg.OperationalError):
            problem, remedy = "cannot be reached", "start the server, or mend the host and the port of the URL; then resume the run."  # fmt: skip
        else:
            problem, remedy = "cannot be used", "check the server, its log and its version (13 or newer)."
        raise PrerequisiteError(f"{what} in {place} {problem} (PostgreSQL: {_first(error)})", remedy=remedy) from error


def _first(error: Exception) -> str:
    """What was said, on one line, without the statement."""
    return " ".join(str(error).split("\nLINE")[0].split())[:400]


def _driver(place: str) -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise PrerequisiteError(
            f"{place} needs the package psycopg: {error}", remedy="pip install 'inloop[postgres]'"
        ) from None
    return psycopg


def _operational() -> type[Exception]:
    import psycopg

    return cast("type[Exception]", psycopg.OperationalError)


@lru_cache(maxsize=512)
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def _in_its_types(statement: str) -> str:
    return re.sub("|".join(rf"\b{kind}\b" for kind in _KINDS), lambda found: _KINDS[found[0]], statement)
