"""A worker on a shared run in a process of its own that can be killed at any moment; imported by that process, so it is no test module."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing

import stand_ins

import inloop.graphs.opt2i.context as context
from inloop.graphs.opt2i import Opt2iConfig, opt2i
from inloop.runtime.folder import RunFolder
from inloop.runtime.run import SharedRun, carry
from inloop.runtime.settings import Settings
from inloop.runtime.store import StoreLocation

__all__ = ["work"]


def work(settings: str, run_id: str, name: str, pause: float, password: str) -> None:
    """Work on a run with slow stand-ins for its models, until it is finished; a folder of its own is made where there is none."""
    os.environ["PGPASSWORD"] = password
    stand_ins.install(lambda name, value: setattr(context, name, value), pause=pause)
    given = Settings.model_validate_json(settings)
    with closing(SharedRun(StoreLocation.named_by(given), run_id)) as run:
        folder = RunFolder.restored(given.runs_dir, run.head() or {})
    config = Opt2iConfig.model_validate(folder.config)
    worker = opt2i.worker(config, folder, given, name=name)
    asyncio.run(carry(opt2i, config, settings=given, folder=folder, worker=worker))
