"""See the runs that are being worked on: for each its workers, how fast they are, what is answered by the ledger and what was paid, and the queues of
their models and servers. All processes with the same store are seen, on this machine and on others. Ctrl-C ends it; no run is disturbed.

Rates are of the last five seconds. `a batch` is how many requests were answered at once in the mean, `busy` the share of the time in which
a model was at work. Where the output is no terminal, it is printed once.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.settings import Settings
from ...runtime.store import Seen, StoreLocation, pulses_in
from ..cli import json_text
from .screen import screen
from .sights import Sights

__all__ = ["add_arguments", "top"]

_TWO_LOOKS = 2.2
"""Seconds between the two looks that a pace needs: a pulse comes every second."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What `inloop top` takes."""
    command.add_argument("run", nargs="?", default="", metavar="RUN", help="id or folder (default: all)")
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")
    command.add_argument("--store", metavar="STORE", help=Settings.describe("store"))
    command.add_argument("--blobs", metavar="BLOBS", help=Settings.describe("blobs"))
    command.add_argument("--once", action="store_true", help="print it once")
    command.add_argument(
        "--every", type=float, default=1.0, metavar="SECONDS", help="draw it anew so often (default: 1)"
    )


def top(args: argparse.Namespace) -> int:
    """The command `inloop top`."""
    if not 0.1 <= args.every <= 3600:
        raise BadInput(f"--every {args.every:g}: give seconds from 0.1 to 3600.")
    location = StoreLocation.named_by(Settings.load(runs_dir=args.out, store=args.store, blobs=args.blobs))
    place, run = location.tables("pulses"), Path(args.run).name
    sights = Sights()

    def look() -> None:
        sights.see([each for each in pulses_in(place) if run in ("", each.run)])

    look()
    if args.json or args.once or not sys.stdout.isatty():
        if sights.now:
            time.sleep(_TWO_LOOKS)
            look()
        if args.json:
            print(json_text([_plain(sights, each) for each in sights.now]))
        else:
            from rich.console import Console

            Console(highlight=False).print(screen(sights, str(location.database), run))
        return 0
    from rich.live import Live

    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(screen(sights, str(location.database), run), screen=True, auto_refresh=False) as live,
    ):
        while True:
            time.sleep(args.every)
            look()
            live.update(screen(sights, str(location.database), run), refresh=True)
    return 0


def _plain(sights: Sights, each: Seen) -> dict[str, Any]:
    return {
        "run": each.run, "worker": each.name, "host": each.process.host, "pid": each.process.pid,
        "pulse": each.pulse.model_dump(mode="json"), "pace": sights.pace(each).model_dump(mode="json"),
    }  # fmt: skip
