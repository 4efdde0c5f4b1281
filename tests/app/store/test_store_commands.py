"""`inloop store`: stores on SQLite and PostgreSQL, in folders and in a bucket, checked, copied and cleaned up; killed by SIGKILL in between."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from votes_killed import vote

from inloop.app.cli.main import main
from inloop.app.store.check import check
from inloop.app.store.copying import copy
from inloop.runtime.folder import RunFolder
from inloop.runtime.records import BlobRef, Cost
from inloop.runtime.run import SharedRun
from inloop.runtime.storage import database_at
from inloop.runtime.store import LEDGER_TABLES as LEDGER
from inloop.runtime.store import Call, Store, StoreLocation

DAYS = 24 * 3600.0


def call(n: Any) -> Call:
    return Call(kind="image", model="painter", revision="r", params={}, inputs=n)


def worked(at: StoreLocation, run: str, numbers: range, *, days_ago: float = 2.0) -> list[BlobRef]:
    """A run that paid for, or reused, the pictures of some numbers."""
    refs = []
    with Store(at, run_id=run) as store:

        async def one(n: int) -> BlobRef:
            async def compute() -> tuple[Any, Cost]:
                return store.blobs.put(b"\x89picture %d" % n, "image/png").model_dump(), Cost(calls=1, images=1)

            value, _ = await store.ledger.once(call(n), compute)
            return BlobRef.model_validate(value)

        refs = [asyncio.run(one(n)) for n in numbers]
    database = database_at(at.tables("ledger"), LEDGER)
    with database.work() as connection:
        connection.execute("UPDATE uses SET at = at - ? WHERE run_id = ?", (days_ago * DAYS, run))
    return refs


def rows(at: StoreLocation, sql: str) -> list[Any]:
    with database_at(at.tables("ledger"), LEDGER).work() as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(
    params=[
        "folder",
        "postgres",
        pytest.param("bucket", marks=pytest.mark.slow),
        pytest.param("postgres and bucket", marks=pytest.mark.slow),
    ]
)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> StoreLocation:
    database = request.getfixturevalue("postgres_store") if "postgres" in request.param else tmp_path / "store"
    blobs = request.getfixturevalue("bucket") if "bucket" in request.param else tmp_path / "blobs"
    place = StoreLocation.of(database, blobs)
    return StoreLocation(database=place.database, blobs=place.blobs, local=place.local, cache=tmp_path / "cache")


def silent(text: str) -> None:
    return None


def test_check_finds_what_is_wrong(at: StoreLocation) -> None:
    refs = worked(at, "r", range(5))
    found = check(at, [], silent)
    assert found.good and (found.blobs, found.calls) == (5, 5) and found.bytes == sum(ref.bytes for ref in refs)
    blobs = at.open_blobs()
    blobs.set_aside(refs[0].sha256)
    if isinstance(at.blobs, Path):
        blobs.path(refs[1]).write_bytes(b"x" * refs[1].bytes)
    else:
        blobs._files[0].pipe_file(blobs._name(refs[1].sha256), b"x" * refs[1].bytes)  # type: ignore[attr-defined]
        blobs._copies.path(refs[1].sha256).unlink()  # type: ignore[attr-defined]
    found = check(at, [], silent)
    assert found.altered == (refs[1].sha256,) and found.lost == {call(0).key: (refs[0].sha256,)} and not found.good


def test_a_copy_holds_all_and_pays_nothing_again(at: StoreLocation, tmp_path: Path) -> None:
    refs = worked(at, "first", range(6)) and worked(at, "second", range(3, 9))
    with Store(at) as store:
        store.votes.add([vote(1), vote(2)])
    to = StoreLocation.of(tmp_path / "to")
    done = copy(at, to, silent)
    assert (done.blobs, done.calls, done.uses, done.votes, done.other) == (9, 9, 12, 2, ())
    again = copy(at, to, silent)
    assert (again.blobs, again.blobs_there, again.calls, again.calls_there, again.uses, again.votes) == (
        0,
        9,
        0,
        9,
        0,
        0,
    )
    assert check(to, [], silent).good
    with Store(to, run_id="first") as store:
        assert store.ledger.spent() == Cost(calls=6, images=6) and store.ledger.spent("second").images == 3
        assert store.ledger.run_counts("second") == {"image": {"paid": 3, "reused": 3}}
        assert [store.blobs.get(ref) for ref in refs] == [b"\x89picture %d" % n for n in range(3, 9)]
        assert store.votes.of() == [vote(1), vote(2)]
    worked(to, "third", range(9))
    with Store(to, run_id="third") as store:
        assert store.ledger.spent() == Cost() and store.ledger.paid_twice() == []


def test_what_is_there_stays_in_a_copy(tmp_path: Path) -> None:
    one, other = StoreLocation.of(tmp_path / "one"), StoreLocation.of(tmp_path / "other")
    worked(one, "r", range(3))
    with Store(other, run_id="s") as store:

        async def compute() -> tuple[Any, Cost]:
            return "another value", Cost(calls=1)

        asyncio.run(store.ledger.once(call(1), compute))
    done = copy(one, other, silent)
    assert (done.calls, done.calls_there, done.other) == (2, 1, (call(1).key,))
    assert dict(rows(other, "SELECT key, value FROM results"))[call(1).key] == '"another value"'


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_copy_that_is_killed_goes_on(tmp_path: Path, postgres_store: str, bucket: str) -> None:
    source = StoreLocation.of(tmp_path / "from")
    worked(source, "r", range(700))
    command = [
        sys.executable, "-m", "inloop.app.cli.main", "store", "copy", str(tmp_path / "from"), postgres_store, "--to-blobs", bucket, "--json"
    ]  # fmt: skip
    environment = {**os.environ, "INLOOP_CACHE_DIR": str(tmp_path / "cache")}
    kills = 0
    for seconds in (1.5, 2.0, 2.5, 3.5):
        copying = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(seconds)
        if copying.poll() is None:
            copying.send_signal(signal.SIGKILL)
            kills += 1
        copying.communicate()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    assert kills and json.loads(done.stdout)["other"] == []
    to = StoreLocation.of(postgres_store, bucket)
    assert rows(to, "SELECT COUNT(*), COUNT(DISTINCT key) FROM uses") == [(700, 700)]
    assert check(to, [], silent).good


@pytest.fixture
def three_runs(at: StoreLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An old run, a newer one that used some of its pictures, and one of today's; the folder of the newer shows them."""
    runs = tmp_path / "runs"
    monkeypatch.setenv("INLOOP_RUNS_DIR", str(runs))
    monkeypatch.setenv("INLOOP_STORE", str(at.database))
    monkeypatch.setenv("INLOOP_BLOBS", str(at.blobs))
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path / "own"))
    ids = []
    for numbers, days_ago in ((range(6), 9.0), (range(4, 8), 5.0), (range(20, 22), 0.5)):
        folder = RunFolder.create(runs, "opt2i", {"n": days_ago})
        refs = worked(at, folder.id, numbers, days_ago=days_ago)
        folder.write_result({"pictures": [ref.model_dump() for ref in refs]})
        folder.close()
        ids.append(folder.id)
    # an index shows pictures that no call made
    at.open_blobs().put(b"\x89of a file", "image/png")
    return ids


def gc(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    code = main(["store", "gc", *flags, "--json"])
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == 0, told
    return told


def test_what_no_kept_run_needs_goes_and_comes_back(
    at: StoreLocation, three_runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    held = dict(at.open_blobs().listed())
    values = sorted(rows(at, "SELECT key, value, cost FROM results"))
    assert gc(capsys, "--keep-runs", "3")["calls"] == 0
    would = gc(capsys, "--keep-runs", "2", "--dry-run")
    assert (would["kept"], would["dropped"], would["calls"], would["blobs"]) == (2, 1, 4, 4)
    assert dict(at.open_blobs().listed()) == held
    assert gc(capsys, "--keep-runs", "2") == would
    assert len(dict(at.open_blobs().listed())) == 7 and len(rows(at, "SELECT key FROM results")) == 6
    assert check(at, [], silent).good
    back = gc(capsys, "--undo")
    assert (back["calls"], back["blobs"], back["bytes"]) == (4, 4, would["bytes"])
    assert dict(at.open_blobs().listed()) == held and sorted(rows(at, "SELECT key, value, cost FROM results")) == values
    assert gc(capsys, "--keep-runs", "2")["calls"] == 4
    assert gc(capsys, "--confirm")["blobs"] == 4
    assert gc(capsys, "--undo")["calls"] == 0 and len(dict(at.open_blobs().listed())) == 7
    worked(at, "again", range(6))
    with Store(at, run_id="again") as store:
        assert store.ledger.spent().images == 4 and store.ledger.paid_twice() == []  # what was given up is paid again


def test_the_last_day_stays_and_so_does_what_is_unfinished(
    at: StoreLocation, three_runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs" / three_runs[0] / "result.json").unlink()
    told = gc(capsys, "--keep-runs", "1", "--dry-run")
    assert (told["kept"], told["dropped"], told["calls"]) == (2, 1, 2)  # the newer one's own: 6 and 7
    with closing(SharedRun(at, three_runs[1])) as run:  # begun by workers, in whatever folder
        run.begin({}, {})
    assert gc(capsys, "--keep-runs", "1", "--dry-run")["dropped"] == 0


def test_nothing_goes_under_a_run_at_work(
    at: StoreLocation, three_runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunFolder.open(tmp_path / "runs", three_runs[0]).lock():
        assert main(["store", "gc", "--keep-runs", "1"]) == 2
    assert "is at work" in capsys.readouterr().err
    worked(at, "elsewhere", range(1), days_ago=0.0)
    assert main(["store", "gc", "--keep-runs", "1"]) == 2
    assert "'elsewhere' used the store within the last ten minutes" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("boundary", [1, 2, 3, 5, 9])
def test_killed_while_it_sets_aside_nothing_is_lost(
    boundary: int, at: StoreLocation, three_runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    held = dict(at.open_blobs().listed())
    values = sorted(rows(at, "SELECT key, value, cost FROM results"))
    script = f"""
import itertools, os, signal, sys
from inloop.runtime.storage import postgres, sqlite
from inloop.runtime.store import blobs, remote
count = itertools.count(1)
def doomed(work):
    def inner(*given):
        if next(count) == {boundary}:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*given)
    return inner
for kind in (blobs.BlobStore, remote.RemoteBlobs):
    kind.set_aside = doomed(kind.set_aside)
for kind in (sqlite.SqliteDatabase, postgres.PostgresDatabase):
    kind.write = doomed(kind.write)
from inloop.app.cli.main import main
sys.exit(main(["store", "gc", "--keep-runs", "2"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == (-signal.SIGKILL if boundary <= 6 else 0), done.stderr
    gc(capsys, "--undo")
    assert dict(at.open_blobs().listed()) == held and sorted(rows(at, "SELECT key, value, cost FROM results")) == values
    assert gc(capsys, "--keep-runs", "2")["calls"] == 4
    assert check(at, [], silent).good


def test_the_commands_say_what_they_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["store", "check"]) == 2 and "no store" in capsys.readouterr().err
    assert main(["store", "copy", "nothing", "to"]) == 2 and "no ledger.sqlite" in capsys.readouterr().err
    assert main(["store", "gc"]) == 2 and "--keep-runs" in capsys.readouterr().err
    refs = worked(StoreLocation.of(Path("runs/.store")), "r", range(2))
    assert main(["store", "check"]) == 0
    assert "2 blobs" in (said := capsys.readouterr().out) and "nothing is wrong" in said
    assert main(["store", "copy", "runs/.store", "runs/.store"]) == 2 and "name two" in capsys.readouterr().err
    assert main(["store", "copy", "runs/.store", "postgresql://a:geheim@h/d", "--to-blobs", "b"]) == 2
    assert "geheim" not in capsys.readouterr().err
    assert main(["store", "copy", "runs/.store", "kept"]) == 0
    assert "2 blobs copied" in capsys.readouterr().out
    Path("runs/.store/blobs", refs[0].sha256[:2], refs[0].sha256[2:]).write_bytes(b"x")
    assert main(["store", "check"]) == 1
    assert f"altered: the blob {refs[0].sha256}" in capsys.readouterr().out
