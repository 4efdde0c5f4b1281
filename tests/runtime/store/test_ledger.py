"""The call ledger on real SQLite files: what is paid, what is kept through a SIGKILL, two processes, a full disk."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError, RunnerError
from inloop.runtime.records import BlobRef, Cost
from inloop.runtime.store.ledger import Call, Ledger
from inloop.runtime.store.ledger_rows import LedgerRows


def call(n: Any, kind: Any = "image") -> Call:
    return Call(kind=kind, model="painter", revision="r1", params={"steps": 12}, inputs={"prompt": f"p{n}", "seed": n})


def paying(value: Any, paid: list[Any], cost: Cost | None = None, delay: float = 0.0) -> Any:
    async def compute() -> tuple[Any, Cost]:
        paid.append(value)
        await asyncio.sleep(delay)
        return value, cost or Cost(calls=1, images=1)

    return compute


async def test_a_finished_call_is_not_paid_again(database: Path | str) -> None:
    path, paid = database, list[Any]()
    ledger = Ledger(path, run_id="first")
    assert await ledger.once(call(1), paying({"sha": "a", "n": [1, 2.5, None]}, paid)) == (
        {"sha": "a", "n": [1, 2.5, None]},
        False,
    )
    assert await ledger.once(call(1), paying("other", paid)) == ({"sha": "a", "n": [1, 2.5, None]}, True)
    assert await ledger.once(call(2), paying("b", paid)) == ("b", False)
    assert await ledger.once(call(3, "llm"), paying("c", paid, Cost(calls=1, output_tokens=7))) == ("c", False)
    assert ledger.counts() == {"image": {"paid": 2, "reused": 1}, "llm": {"paid": 1, "reused": 0}}
    assert ledger.cost == Cost(calls=3, images=2, output_tokens=7)
    ledger.close()
    ledger.close()

    again = Ledger(path, run_id="second")
    assert await again.once(call(1), paying("other", paid)) == ({"sha": "a", "n": [1, 2.5, None]}, True)
    assert again.counts() == {"image": {"paid": 0, "reused": 1}} and again.cost == Cost()
    again.close()
    assert len(paid) == 3

    third = Ledger(path, run_id="second")
    assert third.run_counts() == {"image": {"paid": 0, "reused": 1}}
    assert third.run_counts("first") == {"image": {"paid": 2, "reused": 1}, "llm": {"paid": 1, "reused": 0}}
    assert third.spent("first") == Cost(calls=3, images=2, output_tokens=7) and third.spent() == Cost()
    assert third.paid_twice() == []
    third.close()


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)))
def test_the_key_does_not_depend_on_the_order_of_keys(params: dict[str, Any]) -> None:
    turned = dict(reversed(params.items()))
    one = Call(kind="llm", model="m", revision="r", params=params, inputs=["x", params])
    two = Call(kind="llm", model="m", revision="r", params=turned, inputs=("x", turned))
    assert one.key == two.key and len(one.key) == 64


def test_every_field_is_in_the_key() -> None:
    base = {"kind": "llm", "model": "m", "revision": "r", "params": {"n": 1}, "inputs": ["x"]}
    other = {"kind": "vqa", "model": "n", "revision": "s", "params": {"n": 2}, "inputs": ["y"]}
    keys = {Call.model_validate({**base, name: other[name]}).key for name in base} | {Call.model_validate(base).key}
    assert len(keys) == 6
    ref = BlobRef(sha256="0" * 64, media_type="image/png", bytes=3)
    assert (
        Call(kind="vqa", model="m", revision="", params={}, inputs=[ref, "Is it?"]).key
        == Call(kind="vqa", model="m", revision="", params={}, inputs=[ref.model_dump(), "Is it?"]).key
    )


@pytest.mark.parametrize("bad", [float("nan"), object(), b"bytes", {1, 2}, {"deep": [complex(1)]}])
async def test_what_is_no_json_is_refused_by_name(bad: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a call of 'm' is not JSON"):
        _ = Call(kind="llm", model="m", revision="", params={"x": bad}, inputs=None).key
    ledger = Ledger(tmp_path / "l.sqlite")
    with pytest.raises(BadInput, match="the value of a call of 'painter' is not JSON"):
        await ledger.once(call(1), paying(bad, []))
    assert await ledger.once(call(1), paying("good", [])) == ("good", False)
    ledger.close()


async def test_callers_in_flight_share_one_payment(database: Path | str) -> None:
    ledger, paid, heard = Ledger(database, run_id="r"), [], []
    ledger.listen(lambda call, cost, cached: heard.append((call.kind, cost.images, cached)))
    results = await asyncio.gather(*(ledger.once(call(1), paying(["v"], paid, delay=0.02)) for _ in range(10)))
    assert paid == [["v"]]
    assert [cached for _, cached in results] == [False] + [True] * 9
    assert all(value == ["v"] for value, _ in results)
    results[0][0].append("changed by one caller")
    assert results[1][0] == ["v"]
    assert ledger.counts() == {"image": {"paid": 1, "reused": 9}}
    assert heard == [("image", 1, False)] + [("image", 1, True)] * 9
    ledger.close()


async def test_calls_that_finish_together_share_a_transaction(
    database: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, sizes = Ledger(database), list[Any]()
    commit = LedgerRows._commit

    def slow(self: LedgerRows, connection: sqlite3.Connection, batch: list[Any]) -> list[str]:
        sizes.append(len(batch))
        time.sleep(0.02)
        return commit(self, connection, batch)

    monkeypatch.setattr(LedgerRows, "_commit", slow)
    await asyncio.gather(*(ledger.once(call(n), paying(n, [], delay=0.001)) for n in range(200)))
    assert sum(sizes) == 200 and len(sizes) < 10
    ledger.close()


async def test_a_failure_is_never_a_value(database: Path | str) -> None:
    ledger, tries = Ledger(database), list[Any]()

    async def fails() -> tuple[Any, Cost]:
        tries.append(1)
        await asyncio.sleep(0.01)
        raise CallFailed("429 too many requests", retryable=True)

    results = await asyncio.gather(*(ledger.once(call(1), fails) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [CallFailed] * 3 and len(tries) == 1
    with pytest.raises(CallFailed):
        await ledger.once(call(1), fails)
    (failure,) = ledger.failures()
    assert (failure.key, failure.attempts, failure.reason) == (call(1).key, 2, "429 too many requests")
    assert failure.call["inputs"] == {"prompt": "p1", "seed": 1}
    assert ledger.counts() == {} and ledger.cost == Cost()
    assert await ledger.once(call(1), paying("now", [])) == ("now", False)
    assert ledger.failures() == [] and ledger.paid_twice() == []

    async def bug() -> tuple[Any, Cost]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ledger.once(call(2), bug)
    assert ledger.failures() == []  # a bug is no answer of a model
    ledger.close()


async def test_cancelling_one_caller_does_not_stop_the_others(database: Path | str) -> None:
    ledger, paid = Ledger(database), list[Any]()
    first = asyncio.create_task(ledger.once(call(1), paying("v", paid, delay=0.05)))
    second = asyncio.create_task(ledger.once(call(1), paying("w", paid, delay=0.05)))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second == ("v", True)
    assert paid == ["v"]

    alone = asyncio.create_task(ledger.once(call(2), paying("x", paid, delay=5)))
    await asyncio.sleep(0.01)
    alone.cancel()
    await asyncio.sleep(0)
    started = time.monotonic()
    assert await ledger.once(call(2), paying("y", paid)) == ("y", False)  # and joins no cancelled flight
    assert time.monotonic() - started < 2
    ledger.close()


async def test_a_value_that_cannot_be_used_is_computed_again(database: Path | str) -> None:
    ledger, paid = Ledger(database), list[Any]()
    await ledger.once(call(1), paying("blob-1", paid))
    assert await ledger.once(call(1), paying("blob-2", paid), usable=lambda value: True) == ("blob-1", True)
    assert await ledger.once(call(1), paying("blob-2", paid), usable=lambda value: value != "blob-1") == (
        "blob-2",
        False,
    )
    assert await ledger.once(call(1), paying("blob-3", paid)) == ("blob-2", True)
    assert ledger.paid_twice() == []  # what the first payment bought was gone
    assert ledger.counts() == {"image": {"paid": 2, "reused": 2}}
    ledger.close()


async def test_paying_for_a_finished_call_would_show(database: Path | str) -> None:
    ledger = Ledger(database)
    await ledger.once(call(1), paying("v", []))
    await ledger.once(call(2), paying("v", []))
    assert ledger.paid_twice() == []
    blind = Ledger(database)
    find = blind._rows.find
    blind._rows.find = lambda key: (None, find(key)[1])  # type: ignore[method-assign]
    assert await blind.once(call(2), paying("w", [])) == ("v", False)  # the first value stays
    assert ledger.paid_twice() == [call(2).key]
    ledger.close()
    blind.close()


WORKER = """
import asyncio, os, random, sys, time
from pathlib import Path
from inloop.runtime.store.ledger import Call, Ledger
from inloop.runtime.records import Cost

path, log, name, count, slow = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
ledger = Ledger(path, run_id=name)
out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def one(n, gate):
    async def compute():
        os.write(out, f"paid {n}\\n".encode())
        await asyncio.sleep(slow * random.random())
        return {"n": n, "by": name}, Cost(calls=1, images=1)
    async with gate:
        call = Call(kind="image", model="m", revision="r", params={}, inputs=n)
        value, cached = await ledger.once(call, compute)
        os.write(out, f"got {n} {value['by']}\\n".encode())

async def main():
    gate = asyncio.Semaphore(16)
    await asyncio.gather(*(one(n, gate) for n in range(count)))
    print("done", ledger.counts(), ledger.paid_twice())

asyncio.run(main())
ledger.close()
"""


def start(path: Path | str, log: Path, name: str, count: int, slow: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WORKER, str(path), str(log), name, str(count), str(slow)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_in_the_middle_of_writing_nothing_finished_is_paid_again(database: Path | str, tmp_path: Path) -> None:
    path, log, count = database, tmp_path / "log", 3000
    kills = 0
    for number in range(6):
        log.touch()
        begun = log.read_text(encoding="utf-8").count("got")
        worker = start(path, log, f"run-{number}", count, 0.002)
        while worker.poll() is None and log.read_text(encoding="utf-8").count("got") < begun + 150:
            time.sleep(0.002)
        if worker.poll() is None:
            worker.send_signal(signal.SIGKILL)
            kills += 1
        worker.communicate()
    last = start(path, log, "last", count, 0.002)
    out, err = last.communicate(timeout=120)
    assert out.startswith("done"), err
    assert kills >= 3

    paid: set[str] = set()
    finished: set[str] = set()
    for line in log.read_text(encoding="utf-8").splitlines():
        word, n = line.split()[:2]
        if word == "paid":
            assert n not in finished, f"{n} was finished and is paid again"
            paid.add(n)
        else:
            finished.add(n)
    assert len(finished) == count
    ledger = Ledger(path)
    assert ledger.paid_twice() == []
    assert ledger._rows.select("SELECT COUNT(*), COUNT(DISTINCT key) FROM results") == [(count, count)]
    # every run's payments are on its own bill, also those of the killed ones
    assert sum(ledger.spent(f"run-{n}").images for n in range(6)) + ledger.spent("last").images >= count
    ledger.close()


def test_two_processes_on_one_ledger(database: Path | str, tmp_path: Path) -> None:
    path, log, count = database, tmp_path / "log", 400
    workers = [start(path, log, name, count, 0.02) for name in ("a", "b", "c")]
    for worker in workers:
        out, err = worker.communicate(timeout=120)
        assert out.startswith("done") and out.rstrip().endswith("[]"), err
    got: dict[str, set[str]] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[0] == "got":
            got.setdefault(words[1], set()).add(words[2])
    assert len(got) == count
    assert all(len(by) == 1 for by in got.values())  # all processes have the same value of a call
    ledger = Ledger(path)
    assert ledger.paid_twice() == []
    ledger.close()


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0,
    reason="a full disk: run the tests as root on Linux, which mounts one",
)
async def test_a_really_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("a full disk: mounting is not allowed here")
    try:
        ledger = Ledger(disk / "ledger.sqlite", run_id="r")
        assert await ledger.once(call("kept"), paying("kept", [])) == ("kept", False)
        with pytest.raises(PrerequisiteError, match="disk is full"):
            for n in range(50):
                await ledger.once(call(n), paying("x" * 50_000, []))
        assert await ledger.once(call("kept"), paying("again", [])) == ("kept", True)
        with pytest.raises(PrerequisiteError, match="disk is full"):
            await ledger.once(call("new"), paying("y" * 600_000, []))
        ledger.close()
        again = Ledger(disk / "ledger.sqlite")  # what was finished is still there
        assert await again.once(call("kept"), paying("again", [])) == ("kept", True)
        again.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


async def test_a_full_disk_is_told_and_the_next_call_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "l.sqlite")

    def full(*_: Any) -> str:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(LedgerRows, "_apply", full)
        with pytest.raises(PrerequisiteError, match=r"disk is full[\s\S]*free some space"):
            await ledger.once(call(1), paying("v", []))
    assert await ledger.once(call(1), paying("v", [])) == ("v", False)
    ledger.close()


def test_files_that_are_no_ledger(tmp_path: Path) -> None:
    junk = tmp_path / "junk.sqlite"
    junk.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(PrerequisiteError, match="is damaged"):
        Ledger(junk)
    newer = tmp_path / "newer.sqlite"
    sqlite3.connect(newer).execute("PRAGMA user_version = 7").connection.close()
    with pytest.raises(PrerequisiteError, match="schema version 7"):
        Ledger(newer)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="cannot be read or written"):
        Ledger(tmp_path / "file" / "ledger.sqlite")


async def test_a_closed_ledger_says_so(database: Path | str) -> None:
    ledger = Ledger(database)
    ledger.close()
    with pytest.raises(RunnerError, match="is closed"):
        await ledger.once(call(1), paying("v", []))


async def test_a_budget_stops_at_the_same_place_paid_or_reused(database: Path | str) -> None:
    path = database

    async def go(run_id: str, calls: list[int]) -> tuple[list[int], int]:
        ledger, heard = Ledger(path, run_id=run_id), [0]

        def charge(cost: Cost) -> None:
            heard[0] += cost.images

        ledger.charge(charge)
        done = []
        for n in calls:
            if heard[0] >= 3:
                break
            await ledger.once(call(n), paying(n, []))
            done.append(n)
        paid = ledger.cost.images
        ledger.close()
        return done, paid

    assert await go("a", [1, 2]) == ([1, 2], 2)  # killed here
    assert await go("a", [1, 2, 3, 4]) == ([1, 2, 3], 1)
    assert await go("b", [1, 2, 2, 3, 4]) == ([1, 2, 2, 3], 0)
    ledger = Ledger(path)
    assert ledger.spent("b").images == 0
    ledger.close()


async def test_what_other_processes_of_the_run_use_is_charged_once(database: Path | str) -> None:
    mine, other = Ledger(database, run_id="a"), Ledger(database, run_id="a")
    with (
        contextlib.closing(mine),
        contextlib.closing(other),
        contextlib.closing(Ledger(database, run_id="b")) as stranger,
    ):
        heard: list[int] = []
        mine.charge(lambda cost: heard.append(cost.images))
        await other.once(call(1), paying(1, []))
        await mine.once(call(1), paying(1, []))
        await mine.once(call(2), paying(2, []))
        await other.once(call(2), paying(2, []))
        await stranger.once(call(3), paying(3, []))
        await other.once(call(4), paying(4, []))
        mine.catch_up()
        mine.catch_up()
        assert heard == [1, 1, 1]


async def test_what_was_reused_is_seen_by_other_processes_once_it_is_booked(database: Path | str) -> None:
    one, other = Ledger(database, run_id="r"), Ledger(database, run_id="r")
    await one.booked()  # nothing was
    await one.once(call(1), paying("a", []))
    for _ in range(50):
        await one.once(call(1), paying("a", []))
    await one.booked()
    assert other.run_counts() == {"image": {"paid": 1, "reused": 50}}
    one.close()
    other.close()


def test_several_event_loops_use_one_ledger(database: Path | str) -> None:
    ledger, paid = Ledger(database), list[Any]()
    for _ in range(3):
        value, _cached = asyncio.run(ledger.once(call(1), paying({"v": 1}, paid)))
        assert value == {"v": 1}
    assert len(paid) == 1
    ((stored,),) = ledger._rows.select("SELECT call FROM results")
    assert json.loads(stored)["model"] == "painter"
    ledger.close()
