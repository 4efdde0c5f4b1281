"""`inloop work` and the engine `local:N` as real processes: they share a run, survive each other's death, and let go when they are interrupted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stand_ins

from inloop.app.work.array import place_in_array
from inloop.runtime.errors import BadInput
from inloop.runtime.folder import RunFolder
from inloop.runtime.session import Questions
from inloop.runtime.store import Claims, StoreLocation

FAKES = """
import os

import stand_ins

PAUSE = float(os.environ.get("PAUSE", "0.03"))

class Chat(stand_ins.StandInChat):
    def __init__(self, store): super().__init__(store, pause=PAUSE)

class Images(stand_ins.StandInImages):
    def __init__(self, store): super().__init__(store, pause=PAUSE)

class VQA(stand_ins.StandInVQA):
    def __init__(self, store): super().__init__(store, pause=PAUSE)

class Clip(stand_ins.StandInEmbedder):
    def __init__(self, store): super().__init__(store, pause=PAUSE)
"""
PROMPTS = (
    *("a crimson disc to the left of an azure box", "a kitty beneath a scarlet valentine"),
    *("a trio of golden pentagrams", "a gateau over a cobalt lozenge"),
)
OPT2I = (
    *(
        "opt2i",
        *PROMPTS,
        "--llm",
        "fakes:Chat",
        "--images",
        "fakes:Images",
        "--vqa",
        "fakes:VQA",
        "--clip",
        "fakes:Clip",
    ),
    *("--iterations", "2", "--candidates", "2", "--images-per-prompt", "2", "--heldout-seeds", "6"),
)


@pytest.fixture
def inloop(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """The command, in a folder with the stand-ins for models."""
    (tmp_path / "fakes.py").write_text(FAKES, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(Path(stand_ins.__file__).parent), os.environ.get("PYTHONPATH", "")])
    env = {name: value for name, value in os.environ.items() if not name.startswith(("INLOOP_", "SLURM_"))}

    def start(*words: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "inloop.app.cli.main", *words], cwd=tmp_path, env={**env, "PYTHONPATH": path, **more},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def until(there: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def tasks_of(folder: Path) -> Any:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))["tasks"]


def test_a_run_begun_for_workers_is_finished_by_them(inloop: Any, tmp_path: Path) -> None:
    code, out, err = ended(inloop(*OPT2I, "--engine", "folder"))
    folder = tmp_path / out.strip()
    assert code == 0 and folder.is_dir() and f"inloop work {out.strip()}" in err
    workers = [inloop("work", out.strip(), "--name", name) for name in ("w1", "w2")]
    for code, told, err in map(ended, workers):
        assert code == 0, err
        assert ("is finished: 4 prompts" in told and f"run {folder.name}" in err) or "joined" in err
    assert len(tasks_of(folder)) == 4 and (folder / "report.html").exists() and (folder / "chosen.csv").exists()
    assert {event["worker"] for event in RunFolder.open(tmp_path, folder).events()} == {"w1", "w2"}
    code, out, _ = ended(inloop("work", str(folder), "--json"))  # there is nothing left to do
    assert code == 0 and json.loads(out)["run_id"] == folder.name


def test_an_interrupted_worker_lets_go_and_another_place_goes_on(inloop: Any, tmp_path: Path) -> None:
    _, out, _ = ended(inloop(*OPT2I, "--engine", "folder"))
    run = RunFolder.open(tmp_path, tmp_path / out.strip())
    worker = inloop("work", out.strip(), "--name", "w1", PAUSE="0.5")  # it is at work until it is interrupted
    until(lambda: any(event["event"] == "trial" for event in run.events()))
    code, _, err = ended(inloop("resume", out.strip()))
    assert code == 3 and "workers are on the run" in err and "inloop work" in err
    code, listed, _ = ended(inloop("runs"))
    assert code == 0 and run.id in listed and "running" in listed and "(1 worker)" in listed
    worker.send_signal(signal.SIGINT)
    code, _, err = ended(worker)
    assert code == 130 and f"inloop work {run.path}" in err
    # a machine that has the store and no folder of the run
    code, out, err = ended(inloop("work", run.id, "--out", "elsewhere", "--store", "runs/.store", "--name", "w2"))
    assert code == 0, err
    assert len(tasks_of(tmp_path / "elsewhere" / run.id)) == 4
    code, listed, _ = ended(inloop("runs"))
    assert code == 0 and f"finished elsewhere: inloop work {run.id}" in listed
    events = RunFolder.open(tmp_path / "elsewhere", run.id).events()
    assert {event["worker"] for event in events} == {"w1", "w2"}
    code, out, err = ended(inloop("resume", run.id))  # the first folder gets the result, too
    assert code == 0 and tasks_of(run.path) == tasks_of(tmp_path / "elsewhere" / run.id)


@pytest.mark.slow
def test_an_engine_of_two_processes_survives_the_death_of_one(inloop: Any, tmp_path: Path) -> None:
    alone = inloop(*OPT2I, "--out", "alone", "--json")
    both = inloop(*OPT2I, "--engine", "local:2")
    folders = (tmp_path / "runs").glob("opt2i-*")
    until(lambda: list((tmp_path / "runs").glob("opt2i-*/events.jsonl")))
    run = RunFolder.open(tmp_path, next(folders))
    until(lambda: any(event["event"] == "trial" for event in run.events()))
    with Claims(tmp_path / "runs" / ".store" / "claims.sqlite") as claims:
        pids = {owner.name: owner.process.pid for owner in asyncio.run(claims.at_work(run.id))}
    os.kill(pids["w1"], signal.SIGKILL)
    code, out, err = ended(both)
    assert code == 0 and "worker w1 was ended by SIGKILL" in err and "gains hold on unseen seeds" in out
    code, out, err = ended(alone)
    assert code == 0, err
    assert tasks_of(run.path) == tasks_of(tmp_path / json.loads(out)["path"])


def test_an_engine_tells_what_its_workers_say(inloop: Any, tmp_path: Path) -> None:
    code, _, err = ended(inloop(*OPT2I, "--engine", "local:2", "--clip", "fakes:Nothing"))
    assert code == 2 and "'fakes' has no 'Nothing'" in err
    assert not list((tmp_path / "runs").glob("opt2i-*"))


@pytest.mark.slow
def test_a_person_is_asked_where_the_run_was_begun(inloop: Any, tmp_path: Path) -> None:
    """Nobody is there: the run stops. It goes on with what was answered elsewhere meanwhile."""
    code, _, err = ended(inloop(*OPT2I, "--engine", "local:2", "--review"))
    assert code == 130 and "review>" in err and "written by rules" in err
    [run] = (tmp_path / "runs").glob("opt2i-*")
    questions = Questions(StoreLocation.of(tmp_path / "runs" / ".store"), run.name)
    told = err
    for _ in range(2 * len(PROMPTS)):
        for pending in questions.waiting():
            questions.answer(pending.key, {"stop": True})
        code, _, err = ended(inloop("resume", run.name, "--engine", "local:2"))
        told += err
        if code != 130:
            break
    assert code == 0 and told.count("reviewed: stop") == len(PROMPTS)


def test_what_several_processes_cannot_do_is_refused(
    inloop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = ended(inloop(*OPT2I, "--engine", "local:2", INLOOP_METRICS="prometheus:9464"))
    assert code == 2 and "INLOOP_METRICS=otlp" in err
    assert not list((tmp_path / "runs").glob("opt2i-*"))


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, ("", 0.0, 1)),
        ({"SLURM_ARRAY_TASK_ID": "3"}, ("slurm-3", 0.0, 1)),
        (
            {"SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "4"},
            ("slurm-17_6", 0.5, 4),
        ),
    ],
)  # fmt: skip
def test_the_place_in_an_array_of_jobs(environment: dict[str, str], place: tuple[str, float, int]) -> None:
    assert place_in_array(environment) == place


def test_an_array_that_is_none() -> None:
    with pytest.raises(BadInput, match="SLURM_ARRAY_TASK_ID='x'"):
        place_in_array({"SLURM_ARRAY_TASK_ID": "x"})
