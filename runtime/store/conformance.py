"""What every store must do, wherever its database and its blobs are, as checks that need no test framework.

    from inloop.runtime.store.conformance import CHECKS

    @pytest.mark.parametrize("check", CHECKS)
    async def test_my_place(check, tmp_path):
        await CHECKS[check](StoreLocation.of("postgresql://...", tmp_path / "blobs"))

A check takes the location of an empty store, and raises `AssertionError` with what was wrong. Some start processes, and one kills them.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import BadInput, CallFailed, PrerequisiteError
from ..records import BlobRef, Cost
from ..storage import Connection, Tables, database_at
from .calls import Call
from .location import StoreLocation
from .open import Store
from .votes import Shown, Vote

__all__ = ["CHECKS"]

_NUMBERS = Tables(
    name="numbers", what="the numbers of a check", version=1, lost="nothing",
    statements="CREATE TABLE IF NOT EXISTS numbers (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL UNIQUE, part REAL)",
)  # fmt: skip
_CALLS, _KILLS = 60, 4


def _call(n: Any) -> Call:
    return Call(kind="image", model="conformance", revision="1", params={}, inputs=n)


def _paying(value: Any, paid: list[Any]) -> Callable[[], Awaitable[tuple[Any, Cost]]]:
    async def compute() -> tuple[Any, Cost]:
        paid.append(value)
        await asyncio.sleep(0.001)
        return value, Cost(calls=1, images=1)

    return compute


async def blobs(at: StoreLocation) -> None:
    """Bytes come back from any opening of the store, once stored, checked, and told where they are not there."""
    one, other = at.open_blobs(), at.open_blobs()
    ref = one.put(b"some bytes", "text/plain")
    assert (ref.sha256, ref.bytes) == (hashlib.sha256(b"some bytes").hexdigest(), 10), ref
    assert other.has(ref) and other.has(ref.sha256), "what one has put the other does not have"
    assert other.get(ref) == other.get(ref.sha256) == other.path(ref).read_bytes() == b"some bytes"
    assert one.put(b"some bytes", "text/plain") == ref and one.get(one.put(b"", "text/plain")) == b""
    assert dict(other.listed()) == {ref.sha256: 10, hashlib.sha256(b"").hexdigest(): 0}, dict(other.listed())
    assert not other.has("0" * 64) and not other.has(ref.model_copy(update={"bytes": 11}))
    _raises(PrerequisiteError, lambda: one.get("0" * 64))
    _raises(BadInput, lambda: one.get("../../etc/passwd"))
    one.set_aside(ref.sha256)
    assert dict(other.aside()) == {ref.sha256: 10} and len(dict(other.listed())) == 1, "a blob that is set aside"
    other.bring_back(ref.sha256)
    assert one.get(ref) == b"some bytes" and not dict(one.aside())


async def calls(at: StoreLocation) -> None:
    """A finished call is not paid again, by another run either; what a run paid and used is on its bill alone."""
    paid: list[Any] = []
    with Store(at, "one") as store:
        assert await store.ledger.once(_call(1), _paying({"a": [1, 2.5, None, "\N{SNOWMAN}"]}, paid)) == (
            {"a": [1, 2.5, None, "\N{SNOWMAN}"]}, False,
        )  # fmt: skip
        assert (await store.ledger.once(_call(1), _paying("b", paid)))[1], "a finished call was paid again"
        both = await asyncio.gather(*(store.ledger.once(_call(2), _paying("c", paid)) for _ in range(8)))
        assert [value for value, _ in both] == ["c"] * 8 and len(paid) == 2, (
            "callers in flight did not share one payment"
        )
    with Store(at, "two") as store:
        assert (await store.ledger.once(_call(2), _paying("d", paid))) == ("c", True)
        assert (await store.ledger.once(_call(3), _paying("e", paid))) == ("e", False)
    with Store(at, "two") as store:
        assert (store.ledger.spent().images, store.ledger.spent("one").images) == (1, 2)
        assert store.ledger.run_counts() == {"image": {"paid": 1, "reused": 1}}
        assert store.ledger.paid_twice() == []


async def failures(at: StoreLocation) -> None:
    """A failure is no value and is counted; a value that cannot be used is paid for again, which is not paying twice."""

    async def fails() -> tuple[Any, Cost]:
        raise CallFailed("429 \0 too many requests", retryable=True)

    paid: list[Any] = []
    with Store(at, "one") as store:
        for _ in range(2):
            try:
                await store.ledger.once(_call(1), fails)
            except CallFailed:
                continue
            raise AssertionError("a failed call gave a value")
        (failure,) = store.ledger.failures()
        assert (failure.key, failure.attempts, store.ledger.spent()) == (_call(1).key, 2, Cost()), failure
        assert await store.ledger.once(_call(1), _paying("a", paid)) == ("a", False) and store.ledger.failures() == []
        again = await store.ledger.once(_call(1), _paying("b", paid), usable=lambda value: value != "a")
        assert again == ("b", False) and (await store.ledger.once(_call(1), _paying("c", paid))) == ("b", True)
        assert store.ledger.paid_twice() == [] and store.ledger.spent().images == 2


async def votes(at: StoreLocation) -> None:
    """A vote is kept once however often it is sent, all of a batch or none, in the order in which they came."""
    made = [
        Vote(
            id=f"vote-{n:06}", text="two cats", left=Shown(picture=f"{n:064x}", candidate="a", seed=1),
            right=Shown(picture=f"{n + 99:064x}", candidate="b", seed=1), winner="left", who="Ada", at=float(n),
        )
        for n in range(4)
    ]  # fmt: skip
    one, other = at.votes(), at.votes()
    assert one.add(made[:2]) == 2 and other.add(made[1:3]) == 1
    _raises(BadInput, lambda: one.add([made[3], made[0].model_copy(update={"winner": "right"})]))
    assert other.of(text="two cats") == made[:3] == one.of() and one.of(text="a dog") == [], (
        "a refused batch left something"
    )


async def database(at: StoreLocation) -> None:
    """Whole transactions, 64 bits, double precision, and numbers that become visible in their order."""
    tables = database_at(at.tables(_NUMBERS.name), _NUMBERS)
    connection = tables.opened()

    def put(n: int) -> Callable[[Connection], Any]:
        return lambda inside: inside.execute(
            "INSERT INTO numbers (n, part) VALUES (?, ?) RETURNING id", (n, n / 3)
        ).fetchone()[0]

    def torn(inside: Connection) -> None:
        put(7)(inside)
        raise ZeroDivisionError

    try:
        tables.write(connection, put((1 << 62) + 1))
        _raises(ZeroDivisionError, lambda: tables.write(connection, torn))
        assert connection.execute("SELECT n, part FROM numbers").fetchall() == [((1 << 62) + 1, ((1 << 62) + 1) / 3)]

        def many(first: int) -> list[tuple[int, int]]:
            own, seen = tables.opened(), []
            try:
                for n in range(first, first + 20):
                    id = tables.write(own, put(n))
                    seen.append((id, own.execute("SELECT COUNT(*) FROM numbers WHERE id <= ?", (id,)).fetchone()[0]))
            finally:
                own.close()
            return seen

        first = connection.execute("SELECT MAX(id) FROM numbers").fetchone()[0]
        found = [*chain(*await asyncio.gather(*(asyncio.to_thread(many, 1000 * k) for k in range(1, 5))))]
        ids = sorted(id for id, _ in found)
        ranks = {id: rank for rank, id in enumerate(ids, start=2)}
        assert all(count == ranks[id] for id, count in found), "a row became visible before one with a smaller number"
        assert len(ids) == 80 and ids[0] > first
    finally:
        connection.close()


async def processes(at: StoreLocation) -> None:
    """Killed at any time, what a process was given is there and is not paid again; all processes have the same value of a call."""
    printed: list[str] = []
    for number in range(_KILLS):
        child = await asyncio.create_subprocess_exec(*_command(at, f"killed-{number}"), stdout=subprocess.PIPE)
        assert child.stdout is not None
        lines = [await child.stdout.readline() for _ in range((number + 1) * _CALLS // (_KILLS + 2))]
        child.send_signal(signal.SIGKILL)
        printed += [line.decode() for line in [*lines, *(await child.stdout.read()).splitlines(keepends=True)]]
        await child.wait()
    children = [await asyncio.create_subprocess_exec(*_command(at, name), stdout=subprocess.PIPE) for name in "ab"]
    outputs = [(await child.communicate())[0].decode().splitlines(keepends=True) for child in children]
    assert [child.returncode for child in children] == [0, 0], "a process that was not killed failed"
    given: dict[str, set[str]] = {}
    for line in filter(lambda line: line.endswith("\n"), [*printed, *chain(*outputs)]):
        n, sha = line.split()
        given.setdefault(n, set()).add(sha)
    assert len(given) == _CALLS and all(len(shas) == 1 for shas in given.values()), "a call has two values"
    with Store(at) as store:
        assert store.ledger.paid_twice() == [], "a finished call was paid again"
        there = dict(store.blobs.listed())
        lost = [sha for (sha,) in given.values() if sha not in there or len(store.blobs.get(sha)) != there[sha]]
        assert not lost, f"the ledger names blobs that are not there: {lost[:3]}"


CHECKS: dict[str, Callable[[StoreLocation], Awaitable[None]]] = {
    check.__name__: check for check in (blobs, calls, failures, votes, database, processes)
}
"""The checks by name."""


def _raises(kind: type[Exception], work: Callable[[], Any]) -> None:
    try:
        work()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__} was raised")


def _command(at: StoreLocation, run: str) -> list[str]:
    places = [str(each) for each in (at.database, at.blobs, at.local, at.cache)]
    return [sys.executable, "-m", __name__, *places, run]


async def _work(at: StoreLocation, run: str) -> None:
    """Pay for calls, each with a blob of its own that names the process, and print what was given."""
    with Store(at, run) as store:
        for n in range(_CALLS):

            async def compute(n: int = n) -> tuple[Any, Cost]:
                ref = await asyncio.to_thread(store.blobs.put, f"{n} by {run}".encode() * 5000, "image/png")
                return ref.model_dump(), Cost(calls=1, images=1)

            value, _ = await store.ledger.once(
                _call(n), compute, usable=lambda value: store.blobs.has(BlobRef(**value))
            )
            print(n, value["sha256"], flush=True)


if __name__ == "__main__":
    _database, _blobs, _local, _cache, _run = sys.argv[1:]
    _at = StoreLocation.of(_database, _blobs, local=Path(_local))
    asyncio.run(_work(StoreLocation(database=_at.database, blobs=_at.blobs, local=_at.local, cache=Path(_cache)), _run))
