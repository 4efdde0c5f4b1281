"""Claims of real processes on SQLite and PostgreSQL: one owner a name, and none of a dead one."""

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import claim_holder
import pytest

from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.store import Claims

LEASE = 0.6


def process(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, claim_holder.__file__, *map(str, words)], stdout=subprocess.PIPE, text=True
    )


def take(mine: Claims, name: str) -> bool:
    return asyncio.run(mine.take(name))


def until(there: Any) -> None:
    """Waits for what must come, however long it takes here."""
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_name_has_one_owner_until_it_is_given_back(database: Path | str) -> None:
    with Claims(database) as one, Claims(database) as other:
        assert take(one, "a") and take(one, "a") and take(other, "b")
        assert not take(other, "a") and not take(one, "b")
        asyncio.run(other.release("a"))  # not its own: nothing happens
        assert not take(other, "a")
        asyncio.run(one.release("a"))
        assert take(other, "a") and not take(one, "a")
    with Claims(database) as third:
        assert take(third, "a") and take(third, "b")


def test_who_is_at_work(database: Path | str) -> None:
    with Claims(database, name="w2") as one, Claims(database, name="w1") as other, Claims(database) as third:
        for each, work in ((one, "a run"), (other, "a run"), (third, "another run")):
            asyncio.run(each.join(work))
        assert [owner.name for owner in asyncio.run(one.at_work("a run"))] == ["w1", "w2"]
        assert f"process {one.owner.process.pid} on " in str(one.owner)


def test_lists_show_who_gave_a_sign_lately_and_is_not_known_to_be_dead(database: Path | str) -> None:
    if isinstance(database, Path):
        assert Claims.seen(database) == [] and not database.exists()
    with process("hold", database, "a") as holder:
        assert holder.stdout is not None and holder.stdout.readline().startswith("True")
        assert [owner.work for owner in Claims.seen(database)] == ["a run"]
        holder.kill()
        until(lambda: Claims.seen(database) == [])


def test_a_killed_process_is_followed_at_once(database: Path | str) -> None:
    with process("hold", database, "a") as holder, Claims(database, lease=3600.0) as mine:
        assert holder.stdout is not None and holder.stdout.readline().startswith("True")
        assert not take(mine, "a") and len(asyncio.run(mine.at_work("a run"))) == 1
        holder.kill()  # nobody has waited for it: a process that is dead and still in the list
        until(lambda: take(mine, "a"))
        assert asyncio.run(mine.at_work("a run")) == []


def test_elsewhere_a_process_is_dead_when_its_heart_stands_still(
    database: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    with Claims(database, lease=3600.0, lost=lambda: told.append(True)) as silent:  # its next beat is far away
        assert take(silent, "a")
        monkeypatch.setattr("inloop.runtime.storage.process._machine", lambda: "another machine")
        with Claims(database, lease=LEASE) as other:
            assert not take(other, "a")  # seen for the first time: it may be alive
            until(lambda: take(other, "a"))
            assert take(other, "b")
            with pytest.raises(PrerequisiteError, match="was given to others"):
                take(silent, "c")
            assert silent.lost and not other.lost


def test_whoever_was_taken_for_dead_is_told(database: Path | str) -> None:
    told: list[bool] = []
    with Claims(database, lease=LEASE, lost=lambda: told.append(True)) as mine, Claims(database) as other:
        assert take(mine, "a") and not take(other, "a")
        with other._database.work() as connection:  # as a watcher elsewhere does
            connection.execute("DELETE FROM owners WHERE owner = ?", (mine.owner.owner,))
        until(lambda: told)
        assert mine.lost and take(other, "a")


def test_a_stopped_process_keeps_its_claims_for_the_lease(database: Path | str) -> None:
    with process("hold", database, "a") as holder, Claims(database, lease=LEASE) as mine:
        assert holder.stdout is not None and holder.stdout.readline().startswith("True")
        holder.send_signal(signal.SIGSTOP)
        until(lambda: take(mine, "a"))
        holder.kill()


def test_a_process_number_that_another_one_has_now_is_not_the_owner(database: Path | str) -> None:
    with Claims(database) as mine:
        process = mine.owner.process
        assert not process.gone and replace(process, born=process.born - 1).gone


def test_nothing_is_lost_where_many_count_under_a_claim(database: Path | str, tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_text("0", encoding="ascii")
    processes = [process("count", database, file, 25) for _ in range(4)]
    assert [each.wait(timeout=120) for each in processes] == [0] * 4
    assert file.read_text(encoding="ascii") == "100"
    for each in processes:
        each.communicate()
