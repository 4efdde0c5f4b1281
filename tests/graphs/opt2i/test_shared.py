"""Several processes at work on one run, and kill -9 among them: the run that one process does alone, nothing paid twice."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
import shared_killed
import stand_ins
from shared_killed import work

import inloop.graphs.opt2i.context as context
from inloop.graphs.opt2i import Opt2iConfig, Opt2iResult, opt2i
from inloop.runtime.folder import RunFolder
from inloop.runtime.run import SharedRun, carry
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store, StoreLocation

PROMPTS = (
    "a crimson disc to the left of an azure box",
    "a kitty beneath a scarlet valentine",
    "a trio of golden pentagrams",
    "a tiny emerald hoop above a plum rhombus",
    "a picture of a pair of bunnies",
    "an ebony block on the right side of a spaceship",
    "a foursome of tangerine dots against a snowy backdrop",
    "a gateau over a cobalt lozenge",
)


@pytest.fixture(scope="module")
def processes() -> Any:
    """Processes that begin with everything imported, so that most of their life is the run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["shared_killed"])
    with pytest.MonkeyPatch.context() as environment:
        tests = str(Path(shared_killed.__file__).parent)
        environment.setenv("PYTHONPATH", tests + os.pathsep + os.environ.get("PYTHONPATH", ""))
        forkserver.ensure_running()
    return context


def config_of(prompts: int) -> Opt2iConfig:
    return Opt2iConfig(prompts=PROMPTS[:prompts], iterations=2, candidates=2, images_per_prompt=2, heldout_seeds=6)


def alone(config: Opt2iConfig, runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Opt2iResult:
    """The run of one process."""
    stand_ins.install(lambda name, value: monkeypatch.setattr(context, name, value))
    folder = RunFolder.create(runs_dir, "opt2i", config)
    return asyncio.run(carry(opt2i, config, settings=Settings(runs_dir=runs_dir), folder=folder))


def killed(processes: Any, settings: Settings, run: str, count: int, kills: int, *, apart: bool = False) -> int:
    """Keep `count` workers on a run, of whom now and then one is killed, until it is finished; how many kills there were.

    `apart`: each with a folder of its own, as on a machine of its own.
    """
    rng, begun, done = random.Random(count), 0, 0
    workers: list[Any] = []
    while (going := not SharedRun.listed(StoreLocation.named_by(settings)).get(run)) or workers:
        for worker in [each for each in workers if not each.is_alive()]:
            assert worker.exitcode in (0, -9), f"a worker ended with {worker.exitcode}"
            workers.remove(worker)
        while len(workers) < count and going:
            begun += 1
            own = settings.runs_dir.with_name(f"w{begun}") if apart else settings.runs_dir
            given = settings.model_copy(update={"runs_dir": own}).model_dump_json()
            workers.append(
                processes.Process(target=work, args=(given, run, f"w{begun}", 0.02, os.environ.get("PGPASSWORD", "")))
            )
            workers[-1].start()
        time.sleep(rng.uniform(0.05, 0.5))
        if done < kills and going:
            doomed = rng.choice(workers)
            doomed.kill()
            doomed.join()
            done += doomed.exitcode == -9
    return done


def check_ledger(settings: Settings, run: str) -> None:
    with Store.open(settings, run_id=run) as store:
        assert store.ledger.paid_twice() == [] and store.ledger.failures() == []
        counts = store.ledger._rows.select("SELECT COUNT(*), COUNT(DISTINCT key) FROM uses WHERE paid = 1")
        finished = store.ledger._rows.select("SELECT COUNT(*) FROM results")
        assert counts == [(finished[0][0],) * 2], "each finished call was paid once, over all processes"


def check_events(folder: RunFolder, result: Opt2iResult) -> None:
    events = folder.events()
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events}), "each event once, in order"
    ended = [event["task"] for event in events if event["event"] == "task_done"]
    assert sorted(ended) == sorted(task.id for task in result.tasks), "each task was brought to its end once"


@pytest.mark.parametrize(
    ("count", "prompts", "kills"),
    [(2, 3, 3), pytest.param(1, 8, 8, marks=pytest.mark.slow), pytest.param(4, 8, 12, marks=pytest.mark.slow)],
)
def test_killed_at_random_it_is_the_run_of_one_process(
    processes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, prompts: int, kills: int
) -> None:
    config = config_of(prompts)
    unbroken = alone(config, tmp_path / "alone", monkeypatch)
    settings = Settings(runs_dir=tmp_path / "shared", store=tmp_path / "shared" / ".store")
    folder = opt2i.begin(settings=settings, **{name: getattr(config, name) for name in config.model_fields_set})
    assert killed(processes, settings, folder.id, count, kills) == kills
    result = Opt2iResult.model_validate(folder.result())
    assert result.tasks == unbroken.tasks and result.comparisons == unbroken.comparisons
    assert result.cost.images == unbroken.cost.images
    check_ledger(settings, folder.id)
    check_events(folder, result)


@pytest.mark.slow
def test_killed_at_random_on_a_server_with_a_folder_for_each(
    processes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_store: str
) -> None:
    config = config_of(6)
    unbroken = alone(config, tmp_path / "alone", monkeypatch)
    settings = Settings(runs_dir=tmp_path / "begun", store=postgres_store, blobs=tmp_path / "blobs")
    folder = opt2i.begin(settings=settings, **{name: getattr(config, name) for name in config.model_fields_set})
    assert killed(processes, settings, folder.id, 3, 8, apart=True) == 8
    result = opt2i.resume(folder.path, settings=settings)
    assert result.tasks == unbroken.tasks and result.comparisons == unbroken.comparisons
    check_ledger(settings, folder.id)
    check_events(folder, result)
