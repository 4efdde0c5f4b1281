"""A run in a process of its own that can be killed at any moment; imported by that process, so it is no test module."""

from __future__ import annotations

import asyncio
from pathlib import Path

import stand_ins

import inloop.graphs.opt2i.context as context
from inloop.graphs.opt2i import Opt2iConfig, opt2i
from inloop.runtime.folder import RunFolder
from inloop.runtime.machine.checkpoints import Checkpoints
from inloop.runtime.run import carry
from inloop.runtime.settings import Settings

__all__ = ["Checkpoints", "go"]


def go(runs_dir: str, run_id: str, pause: float) -> None:
    """Start or resume a run with slow stand-ins for its models, to its end."""
    stand_ins.install(lambda name, value: setattr(context, name, value), pause=pause)
    folder = RunFolder.open(Path(runs_dir), run_id)
    config = Opt2iConfig.model_validate(folder.config)
    asyncio.run(carry(opt2i, config, settings=Settings(runs_dir=Path(runs_dir)), folder=folder, resumed=True))
