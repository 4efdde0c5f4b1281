"""Runs of opt2i with real pictures in a folder, a server of `inloop view` on them in a process of its own, and a browser to look with."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import chromium
from drawn import make_outcome

from inloop.graphs.opt2i import Opt2iConfig
from inloop.graphs.opt2i.result import Opt2iResult
from inloop.runtime.folder import RunFolder
from inloop.runtime.store import BlobStore

__all__ = ["Browser", "finished_run", "served"]


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


class Browser(chromium.Page):
    """A page at an address of the server."""

    def go(self, url, *, width=1200, height=900):
        class Place:
            resolve = lambda self: self  # noqa: E731
            as_uri = lambda self: url  # noqa: E731

        self.send("Page.navigate", url="about:blank")
        self.open(Place(), width=width, height=height)

    def until(self, expression):
        for _ in range(300):
            if self.ask(f"!!({expression})"):
                return
            time.sleep(0.1)
        raise AssertionError(f"{expression} never came true; the page says: {self.ask('document.body.innerText')}")

    def press(self, key, code=0):
        text = key if len(key) == 1 else "\r" if key == "Enter" else ""
        given = {"key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        self.send("Input.dispatchKeyEvent", type="keyDown", **given)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
