"""Runs of opt2i with real pictures in a folder, and a server of `inloop view` on them in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drawn import make_outcome

from inloop.graphs.opt2i import Opt2iConfig
from inloop.graphs.opt2i.result import Opt2iResult
from inloop.runtime.run import RunFolder
from inloop.runtime.store import BlobStore

__all__ = ["finished_run", "served"]


def finished_run(
    runs_dir: Path, *, prompts: tuple[str, ...] = ("a red circle to the left of a blue square",), **given: int
) -> RunFolder:
    """A run with its result, and its pictures in the store beside it."""
    blobs = BlobStore(runs_dir / ".store" / "blobs")
    folder = RunFolder.create(runs_dir, "opt2i", Opt2iConfig(prompts=prompts), about=prompts)
    outcome = make_outcome(blobs, **given)
    folder.write_result(
        Opt2iResult.model_validate({**outcome.model_dump(), "run_id": folder.id, "config": folder.config})
    )
    folder.event({"event": "run_done", "seconds": 1.0})
    folder.close()
    return folder


@contextmanager
def served(runs_dir: Path, *more: str) -> Iterator[str]:
    """The address that `inloop view` prints, while it serves."""
    command = [sys.executable, "-m", "inloop.app.cli.main", "view", "--json", "--out", str(runs_dir), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith("}") or text.rstrip().endswith("}"):
                break
        yield json.loads(text)["url"]
    finally:
        process.terminate()
        process.wait(20)
