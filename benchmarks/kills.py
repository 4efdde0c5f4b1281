"""What kill -9 leaves of a run: among 1, 2, 4 and 8 workers on SQLite, and with `--postgres` there, where connections are cut as well; on Ray with two
raylets, where workers, raylets and the driver die.

The models are functions, through the call ledger. A run is killed at random moments until it is finished, and compared with the run of one process
that nobody disturbed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.folder import RunFolder
from inloop.runtime.run import carry
from inloop.runtime.settings import Settings
from inloop.runtime.storage import database_at
from inloop.runtime.store import Store, StoreLocation
from inloop.runtime.store.claims import TABLES

from .figures import Figure, Options
from .many import _prompts

__all__ = ["drive", "measure", "work"]

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
_MODELS = {
    role: f"benchmarks.scale_models:{name}"
    for role, name in {"llm": "chat", "images": "images", "vqa": "reader", "clip": "clip"}.items()
}


def measure(options: Options) -> list[Figure]:
    """The faults that are found after the kills; the goal is 0."""
    from inloop.graphs.opt2i import opt2i

    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__, "inloop.graphs.opt2i.loop"])
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        alone = opt2i(*_prompts(_PROMPTS), settings=Settings(runs_dir=root / "alone"), **_MODELS, **_SMALL)
        right = _hash(alone.model_dump(mode="json"))
        for count in _PROCESSES:
            settings = Settings(runs_dir=root / f"sqlite-{count}", store=root / f"sqlite-{count}" / ".store")
            figures.append(_among_workers("SQLite", processes, settings, count, right))
        for count in _PROCESSES if options.postgres else ():
            mark = "&" if "?" in options.postgres else "?"
            store = f"{options.postgres}{mark}schema=bench_{secrets.token_hex(4)}"
            settings = Settings(runs_dir=root / f"postgres-{count}", store=store, blobs=root / "blobs")
            figures.append(_among_workers("PostgreSQL", processes, settings, count, right))
        if find_spec("ray") is not None:
            figures.append(_on_ray(root, right))
    return figures


def _among_workers(database: str, processes: Any, settings: Settings, count: int, right: str) -> Figure:
    from inloop.graphs.opt2i import opt2i

    folder = opt2i.begin(*_prompts(_PROMPTS), settings=settings, **_MODELS, **_SMALL)
    began = time.perf_counter()
    kills, hit, cut, workers = _killed(processes, settings, folder, count)
    note = f"{hit} of the kills hit a worker with tasks; {workers} workers, {time.perf_counter() - began:.0f} s"
    name = f"{database}, {count} process{'es' if count > 1 else ''}, {kills} kills"
    return _faults(f"{name}, {cut} connections cut" if cut else name, note, settings, folder, right)


def work(settings: str, run_id: str, name: str, password: str) -> None:
    """Work on a run, in a process that may be killed at any moment."""
    from inloop.graphs.opt2i import Opt2iConfig, opt2i

    os.environ["PGPASSWORD"] = password
    given = Settings.model_validate_json(settings)
    folder = RunFolder.open(given.runs_dir, run_id)
    config = folder.config_as(Opt2iConfig)
    worker = opt2i.worker(config, folder, given, name=name)
    asyncio.run(carry(opt2i, config, folder=folder, settings=given, worker=worker))


def _killed(processes: Any, settings: Settings, folder: RunFolder, count: int) -> tuple[int, int, int, int]:
    """Keep `count` workers on a run until it is finished, and kill one of them at random now and then.

    How many kills there were, how many of a worker that had tasks claimed, how many connections were cut, and how many workers there were.
    """
    rng, begun, kills, hit, cut = random.Random(count), 0, 0, 0, 0
    workers: list[Any] = []
    while not folder.finished or workers:
        for worker in [each for each in workers if not each.is_alive()]:
            if worker.exitcode not in (0, -9):
                raise PrerequisiteError(f"a worker ended with {worker.exitcode}", remedy="see what it said above.")
            workers.remove(worker)
        while len(workers) < count and not folder.finished:
            begun += 1
            arguments = (settings.model_dump_json(), folder.id, f"w{begun}", os.environ.get("PGPASSWORD", ""))
            workers.append(processes.Process(target=work, args=arguments))
            workers[-1].start()
        time.sleep(rng.uniform(0.1, 0.6))
        if kills < _KILLS and workers and not folder.finished:
            if "://" in str(settings.store):
                cut += _cut(str(settings.store))
            doomed = rng.choice(workers)
            hit += _has_tasks(settings, doomed.pid)
            doomed.kill()
            doomed.join()
            kills += 1
    return kills, hit, cut, begun


def _has_tasks(settings: Settings, pid: int) -> bool:
    claims = database_at(StoreLocation.named_by(settings).tables("claims"), TABLES)
    if not claims.there():
        return False
    asked = "SELECT 1 FROM claims JOIN owners USING (owner) WHERE pid = ? AND claims.name LIKE 'task %'"
    with claims.work() as connection:
        return connection.execute(asked, (pid,)).fetchone() is not None


def _cut(url: str) -> int:
    """End one connection to the server, whosever it is; how many there were to end."""
    import psycopg

    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random()"
    with psycopg.connect(url.partition("?")[0], autocommit=True) as connection:
        return len(connection.execute(f"SELECT pg_terminate_backend(pid) {others} LIMIT 1").fetchall())


def drive(runs_dir: str, address: str) -> None:
    """Begin the run of a folder on Ray, or go on with it, in a process that may be killed at any moment."""
    from inloop.graphs.opt2i import opt2i

    settings = Settings(runs_dir=Path(runs_dir), engine=f"ray:{address}?workers=2&cpus=1")
    begun = next(iter(Path(runs_dir).glob("opt2i-*")), None)
    if begun is None:
        opt2i(*_prompts(_PROMPTS), settings=settings, **_MODELS, **_SMALL)
    else:
        opt2i.resume(begun, settings=settings)


def _on_ray(root: Path, right: str) -> Figure:
    """Two raylets on this machine; the head, which keeps Ray's own state, is left alone."""
    began, rng = time.perf_counter(), random.Random(0)
    killed = {"driver": 0, "worker": 0, "raylet": 0}
    runs, drivers = root / "ray", 0
    with _cluster() as made:
        command = [sys.executable, "-c", f"from benchmarks.kills import drive; drive({str(runs)!r}, {made.address!r})"]
        while True:
            drivers += 1
            with (root / "driver.log").open("ab") as log:
                driver = subprocess.Popen(command, stdout=log, stderr=log)
            while driver.poll() is None:
                time.sleep(rng.uniform(1.0, 4.0))
                if sum(killed.values()) < _KILLS and driver.poll() is None:
                    kind = rng.choice([*killed])
                    killed[kind] += (
                        made.replace() if kind == "raylet" else _kill([driver] if kind == "driver" else _led())
                    )
            if driver.returncode == 0:
                break
            if driver.returncode != -signal.SIGKILL or drivers > 3 * _KILLS:
                raise PrerequisiteError(
                    f"a driver ended with {driver.returncode}", remedy=(root / "driver.log").read_text()[-2000:]
                )
    settings = Settings(runs_dir=runs)
    folder = RunFolder.open(runs, next(iter(runs.glob("opt2i-*"))))
    told = ", ".join(f"{number} of a {kind}" for kind, number in killed.items())
    note = f"{told}; {drivers} drivers, {time.perf_counter() - began:.0f} s"
    return _faults(f"Ray, two raylets, {sum(killed.values())} kills", note, settings, folder, right)


def _kill(doomed: Sequence[Any]) -> int:
    """Kill the first one that lives; how many that is."""
    for each in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
            each.wait()
            return 1
    return 0


def _led() -> list[psutil.Process]:
    """The workers of the run."""
    return [each for each in psutil.process_iter(["cmdline"]) if "inloop.app.work.led" in (each.info["cmdline"] or ())]


class _Cluster:
    """A head and a second raylet."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._room = {"num_cpus": 1, "object_store_memory": 100_000_000}
        self._made: Any = Cluster(initialize_head=True, head_node_args={**self._room, "include_dashboard": False})
        self._second = self._made.add_node(**self._room)
        self.address = self._made.address

    def replace(self) -> int:
        """Kill the second raylet with all that it runs, and start another."""
        self._made.remove_node(self._second, allow_graceful=False)
        self._second = self._made.add_node(**self._room)
        return 1

    def close(self) -> None:
        """End all of it."""
        self._made.shutdown()


@contextlib.contextmanager
def _cluster() -> Iterator[_Cluster]:
    with _environment(
        PYTHONPATH=os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])),
        RAY_AUTH_MODE="disabled",
    ):
        made = _Cluster()
        try:
            yield made
        finally:
            made.close()


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _faults(name: str, note: str, settings: Settings, folder: RunFolder, right: str) -> Figure:
    with Store.open(settings, run_id=folder.id) as store:
        again = store.ledger.paid_twice()
        rows: Callable[[str], list[Any]] = store.ledger._rows.select
        ((payments, keys),) = rows("SELECT COUNT(*), COUNT(DISTINCT key) FROM uses WHERE paid = 1")
    result = folder.result()
    ended = [event["task"] for event in folder.events() if event["event"] == "task_done"]
    faults = {
        "another result": int(_hash(result) != right),
        "calls repeated": len(again),
        "calls paid by two": payments - keys,
        "tasks lost": _PROMPTS - len(result["tasks"]),
        "tasks ended twice": len(ended) - len(set(ended)),
    }
    told = ", ".join(f"{number} {fault}" for fault, number in faults.items())
    figure = Figure(
        name=f"{name}: faults", value=sum(faults.values()), unit="", note=f"{note}, {payments} calls: {told}"
    )
    print(f"  {figure.name} {figure.value:g} ({figure.note})", file=sys.stderr, flush=True)
    return figure


def _hash(result: dict[str, Any]) -> str:
    """Of the tasks of a result, which hold no times."""
    return hashlib.sha256(json.dumps(result["tasks"], sort_keys=True).encode()).hexdigest()
