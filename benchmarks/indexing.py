"""`inloop index` on folders of many small files: time and memory by their number, what a second run and a killed one do.

Each run is a process of its own, so that its peak memory (`ru_maxrss`) is its own. Without an embedder there are up to 10,000 files; with
`minilm` fewer, since two cores embed some tens of passages a second.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .figures import Figure, Options

__all__ = ["measure"]

_WORDS_ALONE = (1_000, 3_000, 10_000)
_EMBEDDED = (200, 600)
_NOUNS = (
    "ferry bridge lighthouse crane harbour tide pilot anchor warehouse engine ledger winch cargo signal channel".split()
)
_VERBS = "crosses lifts guides stores carries measures repairs follows enters leaves".split()
_CHILD = """
import contextlib, io, json, resource, sys, time
from inloop.app.cli.main import main
begun, out = time.perf_counter(), io.StringIO()
with contextlib.redirect_stdout(out):
    main([*sys.argv[1:], "--json"])
told = json.loads(out.getvalue())
told["took"] = time.perf_counter() - begun
told["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
print(json.dumps(told))
"""


def measure(options: Options) -> list[Figure]:
    """Seconds and megabytes of a first and of a second run, by the number of files; and what a run goes on with after SIGKILL."""
    figures = []
    for embedder, sizes in (("none", _WORDS_ALONE), ("minilm", _EMBEDDED)):
        for size in sizes:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                _write(folder / "docs", size)
                first, second = (_run(folder, embedder, options.device) for _ in range(2))
                (folder / "docs" / "0" / "000000.txt").write_text("One file is other now.", encoding="utf-8")
                third = _run(folder, embedder, options.device)
            what = f"{size:,} files, --embedder {embedder}"
            figures += [
                Figure(name=f"{what}: first run", value=first["took"], unit="s", note=f"{first['passages']} passages"),
                Figure(name=f"{what}: peak memory", value=first["peak"], unit="MB"),
                Figure(
                    name=f"{what}: second run", value=second["took"], unit="s", note=f"{second['passages']} written"
                ),
                Figure(name=f"{what}: peak memory, second run", value=second["peak"], unit="MB"),
                Figure(name=f"{what}: written after one file changed", value=third["passages"], unit="passages"),
            ]
    return [*figures, *_killed(options)]


def _killed(options: Options) -> list[Figure]:
    """A run that is killed half-way, and the next: what it leaves, and what is written again."""
    size = _WORDS_ALONE[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "docs", size)
        child = subprocess.Popen(
            _command("none", options.device), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while child.poll() is None and _done(folder) < size // 2:
            time.sleep(0.02)
        child.kill()
        child.wait()
        again = _run(folder, "none", options.device)
    lost = size - again["unchanged"] - again["added"] - again["changed"]
    return [
        Figure(name=f"{size:,} files, SIGKILL half-way: kept", value=again["unchanged"], unit="files"),
        Figure(name=f"{size:,} files, SIGKILL half-way: lost after the next run", value=lost, unit="files"),
    ]


def _done(folder: Path) -> int:
    """How many files a run that is under way has come to."""
    told = [0]
    for path in folder.glob("runs/index-*/events.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.endswith("}"):
                told.append(json.loads(line).get("done") or 0)
    return max(told)


def _run(folder: Path, embedder: str, device: str) -> dict[str, Any]:
    told = subprocess.run(
        _command(embedder, device), cwd=folder, capture_output=True, text=True, encoding="utf-8", check=True
    )
    result: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return result


def _command(embedder: str, device: str) -> list[str]:
    flags = ["--to", "ix", "--embedder", embedder, "--clip", "none", "--device", device]
    return [sys.executable, "-c", _CHILD, "index", "docs", *flags]


def _write(folder: Path, size: int) -> None:
    """Files of one to six short paragraphs, each its own, a thousand a folder."""
    for number in range(size):
        rng = random.Random(number)
        paragraphs = [
            " ".join(
                f"The {rng.choice(_NOUNS)} {rng.randrange(9999)} {rng.choice(_VERBS)} the {rng.choice(_NOUNS)}."
                for _ in range(8)
            )
            for _ in range(rng.randint(1, 6))
        ]
        path = folder / str(number // 1000) / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(paragraphs), encoding="utf-8")
