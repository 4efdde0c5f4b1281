"""Run folders: found again, torn lines, other versions, and the lock of a killed process."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.folder.files import fingerprint
from inloop.runtime.folder.listing import list_runs
from inloop.runtime.folder.run_folder import RunFolder, latest
from inloop.runtime.records import Cost
from inloop.runtime.store import StoreLocation


def test_created_and_found_again(tmp_path: Path) -> None:
    run = RunFolder.create(
        tmp_path / "runs", "opt2i", {"prompts": ("a disc",), "out": Path("x"), "cost": Cost(calls=1)}
    )
    assert run.id.startswith("opt2i-20") and run.id.endswith(fingerprint(run.config)[:4])
    again = RunFolder.open(tmp_path / "runs", run.id)
    by_path = RunFolder.open(Path("elsewhere"), run.path)
    for found in (again, by_path):
        assert (found.id, found.loop, found.created, found.config) == (run.id, "opt2i", run.created, run.config)
    assert run.config["prompts"] == ["a disc"] and run.config["out"] == "x"
    assert run.checkpoints_path.name == "checkpoints.sqlite" and run.report_path.name == "report.html"
    other = RunFolder.create(tmp_path / "runs", "opt2i", run.config)  # within the same second
    assert other.id != run.id
    newest = latest(tmp_path / "runs")
    assert newest is not None and newest.id == other.id
    assert RunFolder.open(tmp_path / "runs", "latest").id == other.id
    assert [info.id for info in list_runs(tmp_path / "runs")] == [run.id, other.id]


def test_runs_of_several_folders_in_one_store_have_names_of_their_own(tmp_path: Path) -> None:
    common = StoreLocation.of(tmp_path / "store")
    created = [RunFolder.create(tmp_path / name, "echo", {"items": ["a"]}, store=common) for name in ("a", "b")]
    assert created[0].id != created[1].id
    own = RunFolder.create(tmp_path / "c", "echo", {"items": ["a"]}, store=StoreLocation.of(tmp_path / "c/.store"))
    assert own.id.count("-") == 3, "where nobody else's runs stand, the name stays short"


def test_names_that_are_no_run(tmp_path: Path) -> None:
    assert latest(tmp_path / "none") is None and list_runs(tmp_path / "none") == []
    for name in ("opt2i-nothing", "", "latest", "../.."):
        with pytest.raises(BadInput, match="there is no run"):
            RunFolder.open(tmp_path, name)
    with pytest.raises(BadInput, match="loop name 'Opt 2i'"):
        RunFolder.create(tmp_path, "Opt 2i", {})
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises((BadInput, PrerequisiteError), match="file"):
        RunFolder.create(tmp_path / "file", "opt2i", {})


def test_events_survive_a_torn_line(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "opt2i", {})
    assert run.events() == []
    run.event({"event": "run_started", "run_id": run.id})
    run.event({"event": "trial", "cost": Cost(images=4), "at": 7})
    run.close()
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "tri')
    assert [event["event"] for event in run.events()] == ["run_started", "trial"]
    again = RunFolder.open(tmp_path, run.id)
    again.event({"event": "resumed \N{SNOWMAN}\n"})
    assert [event["event"] for event in again.events()] == ["run_started", "trial", "resumed \N{SNOWMAN}\n"]
    assert again.events()[1] == {"event": "trial", "cost": Cost(images=4).model_dump(), "at": 7}
    assert again.events()[0]["at"] > 1.7e9
    again.close()
    again.close()


def test_result_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder.create(tmp_path, "opt2i", {})
    assert list_runs(tmp_path)[0].state == "stopped"
    with pytest.raises(BadInput, match=f"`inloop resume {run.id}`"):
        run.result()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(PrerequisiteError, match="the disk is full"):
            run.write_result({"best": "x"})
        with pytest.raises(PrerequisiteError, match="the disk is full"):
            run.event({"event": "trial"})
    assert not run.finished and sorted(path.name for path in run.path.iterdir()) == ["config.json", "events.jsonl"]
    run.write_result({"best": "ä", "cost": Cost()})
    assert run.result()["best"] == "ä" and run.finished
    assert list_runs(tmp_path)[0].state == "finished"


def test_other_versions_and_damage_are_told(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "opt2i", {})
    config = run.path / "config.json"
    good = config.read_text(encoding="utf-8")
    config.write_text(good.replace('"schema_version": 1', '"schema_version": 2'), encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="schema version 2; this inloop reads version 1"):
        RunFolder.open(tmp_path, run.id)
    (info,) = list_runs(tmp_path)
    assert info.state == "unreadable" and "schema version 2" in info.note
    config.write_text(good.replace('"loop"', '"lop"'), encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="has no 'loop'"):
        RunFolder.open(tmp_path, run.id)
    config.write_text(good[:30], encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="cannot be read"):
        RunFolder.open(tmp_path, run.id)
    assert latest(tmp_path) is None


def test_a_run_is_worked_on_once_at_a_time(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "opt2i", {})
    with run.lock():
        assert run.locked and list_runs(tmp_path)[0].state == "running"
        with (
            pytest.raises(PrerequisiteError, match=f"another process .pid {os.getpid()} on "),
            RunFolder.open(tmp_path, run.id).lock(),
        ):
            pass
    assert not run.locked
    with run.lock():
        pass


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "opt2i", {})
    script = f"""
import time
from pathlib import Path
from inloop.runtime.folder.run_folder import RunFolder
with RunFolder.open(Path({str(tmp_path)!r}), {run.id!r}).lock():
    print("locked", flush=True)
    time.sleep(60)
"""
    worker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert worker.stdout is not None and worker.stdout.readline() == "locked\n"
    with pytest.raises(PrerequisiteError, match=f"pid {worker.pid} "), run.lock():
        pass
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    with run.lock():
        assert run.locked
