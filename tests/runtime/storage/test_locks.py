"""Locks on files that their holders delete: never two hold one path, whoever waited, and nobody falls over a folder that has gone."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from pathlib import Path

from inloop.runtime.storage import draft_of, open_locked


def enter(lock: Path, log: Path, times: int) -> None:
    """Take the lock, note the coming and the going, delete the lock's folder, let go."""
    for _ in range(times):
        descriptor = open_locked(lock, patience=60)
        assert descriptor is not None
        notes = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(notes, b"in\n")
        os.write(notes, b"out\n")
        os.close(notes)
        shutil.rmtree(lock.parent, ignore_errors=True)
        os.close(descriptor)


def test_one_at_a_time_while_every_holder_deletes_the_folder(tmp_path):
    lock, log = tmp_path / "work" / "lock", tmp_path / "log"
    processes = [multiprocessing.get_context("fork").Process(target=enter, args=(lock, log, 60)) for _ in range(3)]
    threads = [threading.Thread(target=enter, args=(lock, log, 60)) for _ in range(3)]
    for worker in [*processes, *threads]:
        worker.start()
    for worker in [*processes, *threads]:
        worker.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert log.read_text(encoding="utf-8") == "in\nout\n" * 6 * 60


def test_a_lock_that_is_held_is_not_had(tmp_path):
    held = open_locked(tmp_path / "a" / "lock")
    assert held is not None and open_locked(tmp_path / "a" / "lock", patience=0.05) is None
    os.close(held)
    again = open_locked(tmp_path / "a" / "lock")
    assert again is not None
    os.close(again)


def test_drafts_of_one_file_have_names_of_their_own(tmp_path):
    names = {draft_of(tmp_path / "weights") for _ in range(50)}
    assert len(names) == 50 and {name.parent for name in names} == {tmp_path}
