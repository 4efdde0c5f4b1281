"""The engine `ray`: a real cluster of two raylets, and what is left of a run when a worker and a machine are gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import stand_ins

import inloop.graphs.opt2i.context as context
from inloop.graphs.opt2i import Opt2iConfig, opt2i
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.folder import RunFolder
from inloop.runtime.run import carry
from inloop.runtime.run.engines import engine_of
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store

pytest.importorskip("ray", reason="the extra ray is not installed: pip install 'inloop[ray]'")

PROMPTS = (
    "a crimson disc to the left of an azure box",
    "a kitty beneath a scarlet valentine",
    "a trio of golden pentagrams",
)
ROLES = {"llm": "StandInChat", "images": "StandInImages", "vqa": "StandInVQA", "clip": "StandInEmbedder"}
CONFIG: dict[str, Any] = {"iterations": 2, "candidates": 2, "images_per_prompt": 2, "heldout_seeds": 6, "in_flight": 1}


@pytest.mark.parametrize("spec", ["ray:?gpus=half", "ray:?machines=3", "ray:-1x?workers=-2", "ray:?workers"])
def test_what_is_no_option_is_named(spec: str) -> None:
    with pytest.raises(BadInput, match="engine 'ray:"):
        engine_of(spec)


@contextlib.contextmanager
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two raylets, whose workers find the stand-ins; the second is `.second`."""
    from ray.cluster_utils import Cluster

    tests = str(Path(stand_ins.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    room = {"num_cpus": 1, "object_store_memory": 100_000_000}
    made = Cluster(initialize_head=True, head_node_args={**room, "include_dashboard": False})
    try:
        made.second = made.add_node(**room)
        yield made
    finally:
        made.shutdown()


def tasks(result: Any) -> list[dict[str, Any]]:
    """What the run came to, without what depends on who worked when."""
    return [task.model_dump(mode="json", exclude={"seconds", "cost"}) for task in result.tasks]


def test_a_worker_and_a_machine_may_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stand_ins.install(lambda name, value: patch.setattr(context, name, value))
        config = Opt2iConfig(prompts=PROMPTS, **CONFIG)
        folder = RunFolder.create(tmp_path / "alone", "opt2i", config)
        alone = asyncio.run(carry(opt2i, config, settings=Settings(runs_dir=tmp_path / "alone"), folder=folder))

    def kill(made: Any) -> None:
        """The process of a worker, as soon as there is one, and then the second raylet with all that it runs."""
        for _ in range(600):
            workers = [
                each
                for each in psutil.process_iter(["cmdline"])
                if "inloop.app.work.led" in (each.info["cmdline"] or ())
            ]
            if workers:
                break
            time.sleep(0.1)
        time.sleep(2)
        workers[0].kill()
        made.remove_node(made.second, allow_graceful=False)

    with cluster(monkeypatch) as made:
        killer = threading.Thread(target=kill, args=(made,))
        killer.start()
        settings = Settings(runs_dir=tmp_path / "ray", engine=f"ray:{made.address}?workers=2&cpus=1")
        models = {role: f"stand_ins:{name}" for role, name in ROLES.items()}
        result = opt2i(*PROMPTS, settings=settings, **models, **CONFIG)
        killer.join()
    assert tasks(result) == tasks(alone)
    with Store(tmp_path / "ray" / ".store", run_id=result.run_id) as store:
        assert store.ledger.paid_twice() == []
        finished = store.ledger._rows.select("SELECT COUNT(*) FROM results")[0][0]
        assert store.ledger._rows.select("SELECT COUNT(*), COUNT(DISTINCT key) FROM uses WHERE paid = 1") == [
            (finished, finished)
        ]


def test_a_store_that_other_machines_do_not_see_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    nodes = [{"NodeManagerHostname": "elsewhere", "Alive": True}]
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    with pytest.raises(PrerequisiteError, match=r"other machines \(elsewhere\), which do not see the store") as refused:
        opt2i(*PROMPTS, settings=Settings(runs_dir=tmp_path, engine="ray"), **CONFIG)
    assert "--store postgresql://" in str(refused.value)
