"""Several processes on one run: what kill -9 among 1, 2, 4 and 8 of them leaves of it, what a claim costs, and how much faster two processes are.

The models are functions, through the call ledger: pictures and answers of the hash of what is asked. In the measurement of speed they work as long
as the smallest real models do, and hold the processor while they do.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.folder import RunFolder
from inloop.runtime.run import carry
from inloop.runtime.settings import Settings
from inloop.runtime.store import Claims, Store, StoreLocation

from .figures import Figure, Options
from .many import _answer, _paint, _prompts, _rewrites

__all__ = ["measure", "work"]

_PROCESSES = (1, 2, 4, 8)
_KILLS = 20
_PROMPTS = 32
_SMALL: dict[str, Any] = {
    "iterations": 2,
    "candidates": 2,
    "images_per_prompt": 2,
    "heldout_seeds": 2,
    "baselines": False,
}
_CLAIMS = 2000


def measure(options: Options) -> list[Figure]:
    """The kills, the claims, and the speed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        return [*_kills(root), *_claims(root), *_speed(root)]


def work(runs_dir: str, store: str, run_id: str, name: str) -> None:
    """Work on a run, in a process that may be killed at any moment."""
    from inloop.graphs.opt2i import Opt2iConfig, opt2i

    settings = Settings(runs_dir=Path(runs_dir), store=store)
    folder = RunFolder.open(settings.runs_dir, run_id)
    config = folder.config_as(Opt2iConfig)
    worker = opt2i.worker(config, folder, settings, name=name)
    asyncio.run(carry(opt2i, config, folder=folder, settings=settings, parts={"models": _models()}, worker=worker))


def _models() -> dict[str, Any]:
    from inloop.testing import ScriptedChat, ScriptedEmbedder

    return {"llm": ScriptedChat(_rewrites), "images": _paint, "vqa": _answer, "clip": ScriptedEmbedder()}


def _kills(root: Path) -> list[Figure]:
    from inloop.graphs.opt2i import opt2i

    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__, "inloop.graphs.opt2i.loop"])
    alone = opt2i(*_prompts(_PROMPTS), settings=Settings(runs_dir=root / "alone"), models=_models(), **_SMALL)
    right, figures = _hash(alone.model_dump(mode="json")), []
    for count in _PROCESSES:
        settings = Settings(runs_dir=root / f"killed-{count}", store=root / f"killed-{count}" / ".store")
        folder = opt2i.begin(*_prompts(_PROMPTS), settings=settings, **_SMALL)
        began = time.perf_counter()
        kills, hit, workers = _killed(processes, settings, folder, count)
        seconds = time.perf_counter() - began
        with Store.open(settings, run_id=folder.id) as store:
            again = store.ledger.paid_twice()
            ((payments, keys),) = store.ledger._rows.select(
                "SELECT COUNT(*), COUNT(DISTINCT key) FROM uses WHERE paid = 1"
            )
        result = folder.result()
        ended = [event["task"] for event in folder.events() if event["event"] == "task_done"]
        faults = {
            "another result": _hash(result) != right,
            "calls repeated": len(again),
            "calls paid by two": payments - keys,
            "tasks lost": _PROMPTS - len(result["tasks"]),
            "tasks ended twice": len(ended) - len(set(ended)),
        }
        told = ", ".join(f"{number:d} {name}" for name, number in faults.items())
        name = f"{count} process{'es' if count > 1 else ''}, {kills} kills: faults"
        figures.append(
            Figure(
                name=name,
                value=sum(faults.values()),
                unit="",
                note=f"{hit} of the kills hit a worker with tasks; {workers} workers, {payments} calls, {seconds:.0f} s: {told}",
            )
        )
        print(f"  {name} {sum(faults.values())} ({told})", file=sys.stderr, flush=True)
    return figures


def _killed(processes: Any, settings: Settings, folder: RunFolder, count: int) -> tuple[int, int, int]:
    """Keep `count` workers on a run until it is finished, and kill one of them at random now and then.

    How many kills there were, how many of a worker that had tasks claimed, and how many workers.
    """
    rng, begun, kills, hit = random.Random(count), 0, 0, 0
    workers: list[Any] = []
    while not folder.finished or workers:
        for worker in [each for each in workers if not each.is_alive()]:
            if worker.exitcode not in (0, -9):
                raise PrerequisiteError(f"a worker ended with {worker.exitcode}", remedy="see what it said above.")
            workers.remove(worker)
        while len(workers) < count and not folder.finished:
            begun += 1
            arguments = (str(settings.runs_dir), str(settings.store), folder.id, f"w{begun}")
            workers.append(processes.Process(target=work, args=arguments))
            workers[-1].start()
        time.sleep(rng.uniform(0.1, 0.6))
        if kills < _KILLS and workers and not folder.finished:
            doomed = rng.choice(workers)
            hit += _has_tasks(settings, doomed.pid)
            doomed.kill()
            doomed.join()
            kills += 1
    return kills, hit, begun


def _has_tasks(settings: Settings, pid: int) -> bool:
    database = Path(str(settings.store)) / "claims.sqlite"
    if not database.exists():
        return False
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection:
        asked = "SELECT 1 FROM claims JOIN owners USING (owner) WHERE pid = ? AND claims.name LIKE 'task %'"
        return connection.execute(asked, (pid,)).fetchone() is not None


def _hash(result: dict[str, Any]) -> str:
    """Of the tasks of a result, which hold no times."""
    return hashlib.sha256(json.dumps(result["tasks"], sort_keys=True).encode()).hexdigest()


def _claims(root: Path) -> list[Figure]:
    """What claiming a call and giving it back takes, beside looking it up."""

    async def claimed(claims: Claims) -> None:
        for number in range(_CLAIMS):
            await claims.take(f"call {number}")
            await claims.release(f"call {number}")

    with Claims(root / "claims.sqlite") as claims, Claims(root / "claims.sqlite"):
        seconds = _seconds(lambda: asyncio.run(claimed(claims)))
    return [Figure(name="a call claimed and given back", value=1e6 * seconds / _CLAIMS, unit="us")]


def _speed(root: Path) -> list[Figure]:
    """64 prompts: the same models one after the other in a plain loop, in one process, and in two."""
    from inloop.graphs.opt2i import opt2i

    prompts, names = _prompts(64), {"llm": "chat", "images": "images", "vqa": "reader", "clip": "clip"}
    specs = {role: f"benchmarks.scale_models:{name}" for role, name in names.items()}
    walls: dict[str, float] = {}
    for engine in ("local", "local:2"):
        settings = Settings(runs_dir=root / engine.replace(":", "-"), engine=engine, threads=1)
        run = lambda settings=settings: opt2i(*prompts, settings=settings, **specs, **_SMALL)  # type: ignore[misc]  # noqa: E731
        walls[engine] = _seconds(run)
    with Store(StoreLocation.of(root / "local" / ".store")) as store:
        calls = store.ledger._rows.select("SELECT kind, call FROM results")
    plain = _seconds(lambda: _replayed([(kind, json.loads(call)) for kind, call in calls]))
    return [
        Figure(name="64 prompts, plain loop over the same calls", value=plain, unit="s", note=f"{len(calls)} calls"),
        Figure(name="64 prompts, engine local", value=walls["local"], unit="s"),
        Figure(
            name="64 prompts, engine local:2", value=walls["local:2"], unit="s", note="with the start of both processes"
        ),
        Figure(name="plain loop over engine local", value=plain / walls["local"], unit="x"),
        Figure(name="plain loop over engine local:2", value=plain / walls["local:2"], unit="x"),
    ]


def _replayed(calls: list[tuple[str, dict[str, Any]]]) -> None:
    """Every call of a run once more, one after the other, and nothing else."""
    from . import scale_models

    works = {"image": scale_models.PICTURE, "vqa": scale_models.READING}
    for kind, _ in calls:
        if kind in works:
            scale_models.busy(works[kind])


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
