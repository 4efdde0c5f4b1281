"""Be one of several processes at work on a run, on this machine or on others that have the same store.

Each takes the next task that nobody else has, until all are done; the tasks of a process that died are taken over by the others. A run is
begun for it with --engine folder; one that was stopped can be gone on with so, too. This process ends when the run is finished (exit code 0, 1,
or 4, as if it had worked alone), or when it is interrupted (130): then its tasks are free for the others at once.
"""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.errors import BadInput
from ...runtime.settings import Settings
from ...runtime.store import StoreLocation
from ..cli import add_store_flags, command_of_run
from .array import place_in_array

if TYPE_CHECKING:
    from ...runtime.folder import RunFolder

__all__ = ["add_arguments", "work"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What `inloop work` takes."""
    command.add_argument("run", metavar="RUN", help="id or folder")
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")
    command.add_argument("--device", metavar="DEVICE", help=Settings.describe("device"))
    command.add_argument(
        "--name", metavar="NAME", default="", help="what this worker is called (default: by its process, or by SLURM)"
    )
    command.add_argument(
        "--of",
        type=int,
        metavar="N",
        help="how many workers there will be: for a minute this one leaves the others their share (default: none but those that are there; of SLURM all)",
    )
    command.add_argument(
        "--here",
        action="store_true",
        help="all workers of the run are on this machine: its store may be a folder on a network file system",
    )

    add_store_flags(command, default="as it was begun")


def work(args: argparse.Namespace) -> int:
    """The command `inloop work`."""
    settings = Settings.load(runs_dir=args.out, store=args.store, blobs=args.blobs, device=args.device)
    folder = _found(args.run, settings)
    settings = settings.model_copy(update={"runs_dir": folder.path.parent})
    if args.store is None and args.blobs is None:
        settings = folder.with_its_store(settings)
    if args.of is not None and args.of < 1:
        raise BadInput(f"--of {args.of}: give the number of workers, 1 or more.")
    name, start, of = place_in_array(os.environ)
    code: int = command_of_run(folder).work(
        folder, settings, json_output=args.json, name=args.name or name, start=start, of=args.of or of, here=args.here
    )
    return code


def _found(name: str, settings: Settings) -> RunFolder:
    """The folder of a run; one that was begun on another machine gets its own here, from what the store says of it."""
    from ...runtime.folder import RunFolder
    from ...runtime.run import SharedRun

    try:
        return RunFolder.open(settings.runs_dir, name)
    except BadInput:
        id = Path(name).name
        store = StoreLocation.named_by(settings)
        if not SharedRun.known(store, id):
            raise
        with closing(SharedRun(store, id)) as run:
            return RunFolder.restored(settings.runs_dir, run.head() or {})
