"""A worker on a shared run in a process of its own that can be killed at any moment; imported by that process, so it is no test module."""

from __future__ import annotations

import asyncio
from pathlib import Path

import stand_ins

import inloop.graphs.opt2i.context as context
from inloop.graphs.opt2i import Opt2iConfig, opt2i
from inloop.runtime.run import RunFolder, carry
from inloop.runtime.settings import Settings

__all__ = ["work"]


def work(runs_dir: str, store: str, run_id: str, name: str, pause: float) -> None:
    """Work on a run with slow stand-ins for its models, until it is finished."""
    stand_ins.install(lambda name, value: setattr(context, name, value), pause=pause)
    settings = Settings(runs_dir=Path(runs_dir), store=Path(store))
    folder = RunFolder.open(settings.runs_dir, run_id)
    config = Opt2iConfig.model_validate(folder.config)
    worker = opt2i.worker(config, folder, settings, name=name)
    asyncio.run(carry(opt2i, config, settings=settings, folder=folder, worker=worker))
