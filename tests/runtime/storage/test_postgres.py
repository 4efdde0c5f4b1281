"""PostgreSQL as a store's database, on a real server: lost connections, a server that is not there, rights, secrets, versions."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.records import Cost
from inloop.runtime.storage import Connection, Tables, database_at
from inloop.runtime.storage.postgres import PostgresConnection, PostgresDatabase
from inloop.runtime.store import Claims, Ledger
from inloop.runtime.store.ledger import Call

NUMBERS = Tables(
    name="numbers",
    what="the numbers",
    version=1,
    lost="nothing",
    statements="CREATE TABLE IF NOT EXISTS numbers (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL, part REAL)",
)


def opened(url: str, tables: Tables = NUMBERS) -> tuple[PostgresDatabase, PostgresConnection]:
    database = database_at(url, tables)
    assert isinstance(database, PostgresDatabase)
    connection = database.opened()
    assert isinstance(connection, PostgresConnection)
    return database, connection


def kill(url: str, victim: PostgresConnection) -> None:
    """End the connection as a restart of the server does."""
    killer = database_at(url, NUMBERS).connect()
    killer.execute("SELECT pg_terminate_backend(?)", (victim._raw.info.backend_pid,))
    killer.close()


def numbers(connection: Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY id").fetchall()]


def put(n: int) -> Callable[[Connection], None]:
    def work(inside: Connection) -> None:
        inside.execute("INSERT INTO numbers (n, part) VALUES (?, ?)", (n, n / 3))

    return work


def test_types_are_64_bits_and_double_precision(postgres_store: str) -> None:
    database, connection = opened(postgres_store)
    database.write(connection, put(1 << 62))
    assert connection.execute("SELECT n, part FROM numbers").fetchall() == [(1 << 62, (1 << 62) / 3)]
    assert connection.execute("SELECT COUNT(*) FROM numbers WHERE CAST(n AS TEXT) LIKE '4%'").fetchone() == (1,)
    connection.close()
    connection.close()


def test_a_lost_connection_is_made_anew(postgres_store: str) -> None:
    database, connection = opened(postgres_store)
    database.write(connection, put(1))
    kill(postgres_store, connection)
    assert numbers(connection) == [1]
    kill(postgres_store, connection)
    database.write(connection, put(2))
    assert numbers(connection) == [1, 2]
    connection.close()


def test_lost_within_a_transaction_it_is_done_once_more(postgres_store: str) -> None:
    database, connection = opened(postgres_store)
    tries: list[int] = []

    def work(inside: Connection) -> int:
        tries.append(len(tries))
        put(len(tries))(inside)
        if len(tries) == 1:
            kill(postgres_store, connection)
            numbers(inside)
        return len(tries)

    assert database.write(connection, work) == 2
    assert numbers(connection) == [2]  # the first try was rolled back
    connection.close()


@pytest.mark.parametrize("arrived", [True, False])
def test_lost_at_the_commit_it_is_done_once_whether_that_arrived_or_not(
    postgres_store: str, arrived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection dies right after, or right before, the server has committed: the client sees the same in both."""
    import psycopg

    database, connection = opened(postgres_store)
    raw, tries = connection._raw, list[int]()
    enter = raw.transaction

    class Cut:
        def __init__(self) -> None:
            self.inner = enter()

        def __enter__(self) -> Any:
            return self.inner.__enter__()

        def __exit__(self, *error: Any) -> Any:
            if arrived:
                self.inner.__exit__(*error)
            kill(postgres_store, connection)
            with pytest.raises(psycopg.OperationalError):
                raw.execute("SELECT 1")
            raise psycopg.OperationalError("the connection was cut")

    monkeypatch.setattr(raw, "transaction", Cut)

    def work(inside: Connection) -> int:
        tries.append(1)
        put(7)(inside)
        return 7

    assert database.write(connection, work) == 7
    assert numbers(connection) == [7]
    assert len(tries) == (1 if arrived else 2)
    connection.close()


@contextlib.contextmanager
def cutting(url: str) -> Iterator[None]:
    """Meanwhile the server ends all connections, every 20 ms."""
    stop = threading.Event()

    def cut() -> None:
        killer = database_at(url, NUMBERS).connect()
        while not stop.wait(0.02):
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'inloop' AND pid <> pg_backend_pid()"
            )
        killer.close()

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def test_claims_stay_with_their_owner_when_connections_are_cut(postgres_store: str) -> None:
    """Each is of one of the two, who knows so, and what was given back is free."""
    with Claims(postgres_store, name="one") as one, Claims(postgres_store, name="other") as other:
        with cutting(postgres_store):
            for number in range(60):
                name = f"task {number}"
                first, second = await asyncio.gather(one.take(name), other.take(name))
                assert first != second
                await (one if first else other).join(f"run {number}")
                await (one if first else other).release(name)
        assert all([await one.take(f"task {number}") for number in range(60)])
        assert not one.lost and not other.lost


async def test_a_ledger_goes_on_when_its_connections_are_cut(postgres_store: str) -> None:
    """Every call is paid once and booked once, whatever was on its way when the server ended the connections."""
    ledger, paid = Ledger(postgres_store, run_id="r"), list[int]()

    async def one(n: int) -> None:
        async def compute() -> tuple[int, Cost]:
            paid.append(n)
            await asyncio.sleep(0.001)
            return n, Cost(calls=1, images=1)

        call = Call(kind="image", model="painter", revision="r", params={}, inputs=n)
        assert (await ledger.once(call, compute))[0] == n

    with cutting(postgres_store):
        for start in range(0, 200, 10):
            await asyncio.gather(*(one(n) for n in range(start, start + 10)))
    assert sorted(paid) == list(range(200))
    assert ledger.spent() == Cost(calls=200, images=200)
    assert ledger._rows.select("SELECT COUNT(*), COUNT(DISTINCT key) FROM uses") == [(200, 200)]
    assert ledger.paid_twice() == []
    ledger.close()


def test_many_at_once_make_the_tables_once(postgres_store: str) -> None:
    def one(n: int) -> None:
        database, connection = opened(postgres_store)
        database.write(connection, put(n))
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    _, connection = opened(postgres_store)
    assert sorted(numbers(connection)) == list(range(24))
    connection.close()


def test_what_is_wrong_is_told_with_its_remedy(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = urlsplit(postgres_store)
    away = url._replace(netloc=f"{url.username}@127.0.0.1:1").geturl()
    with pytest.raises(
        PrerequisiteError, match=r"call ledger in postgresql://.*cannot be reached[\s\S]*start the server"
    ):
        Ledger(away)
    with pytest.raises(PrerequisiteError, match=r"is not there[\s\S]*createdb"):
        Ledger(url._replace(path="/nowhere").geturl())
    _, connection = opened(postgres_store)
    connection.execute("UPDATE store_tables SET version = 7")
    with pytest.raises(PrerequisiteError, match=r"schema version 7; this inloop reads 1[\s\S]*schema=NAME"):
        opened(postgres_store)
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(PrerequisiteError, match=r"does not let you in[\s\S]*PGPASSWORD") as told:
        Ledger(postgres_store)
    assert "wrong" not in str(told.value)
    connection.close()


def test_without_rights(postgres_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, connection = opened(postgres_store)
    user = f"guest_{os.getpid()}"
    connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'guest'")
    try:
        url = urlsplit(postgres_store)
        host = url.netloc.rpartition("@")[2]
        with monkeypatch.context() as guest:
            guest.setenv("PGPASSWORD", "guest")
            with pytest.raises(PrerequisiteError, match=r"want of rights[\s\S]*CREATE"):
                Ledger(url._replace(netloc=f"{user}@{host}", query="schema=of_nobody").geturl())
    finally:
        connection.execute(f"DROP ROLE {user}")
        connection.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:geheim@host/db",
        "postgres://ada:geheim@host:5432/db?schema=team",
        "postgresql://host/db?user=ada&password=geheim",
        "postgresql://host/db?sslpassword=geheim",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInput, match="PGPASSWORD") as told:
        Ledger(url)
    assert "geheim" not in str(told.value) and "host" in str(told.value)


@pytest.mark.parametrize("name", ["Team", "a b", "pg_mine", "x;drop", ""])
def test_a_schema_has_a_plain_name(name: str) -> None:
    with pytest.raises(BadInput, match="schema="):
        database_at(f"postgresql://host/db?schema={name}&connect_timeout=1", NUMBERS)
