"""The first question in a new process: `inloop ask`, beside a bare script that loads the same weights and embeds the question.

An index of the pages of `docs/` is made once; then each way is a process of its own with a question that the ledger does not know, all in
turn. What a way takes beyond the bare script is what inloop adds.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from inloop.runtime.models import fetch
from inloop.runtime.settings import Settings

from .figures import Figure, Options

__all__ = ["measure"]

_DOCS = Path(__file__).parent.parent / "docs"
_BARE = """
import os, sys
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import torch
from transformers import AutoModel, AutoTokenizer
folder, question = sys.argv[1:]
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
with torch.inference_mode():
    model(**tokenizer(question, return_tensors="pt")).last_hidden_state.mean(1).tolist()
"""
_INLOOP = [sys.executable, "-m", "inloop.app.cli.main"]


def measure(options: Options) -> list[Figure]:
    """Seconds from the start of the process to its end, and of processor time."""
    weights = fetch("minilm", Settings().cache_dir)
    asked = ["ask", "--json", "--device", "cpu", "--index"]
    ways = {
        "bare torch and transformers": [sys.executable, "-c", _BARE, str(weights)],
        "ask, words alone": [*_INLOOP, *asked, "words", "--embedder", "none"],
        "ask, minilm?backend=torch": [*_INLOOP, *asked, "vectors", "--embedder", "minilm?backend=torch"],
        "ask, minilm?backend=onnx": [*_INLOOP, *asked, "vectors", "--embedder", "minilm?backend=onnx"],
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    used: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(_DOCS, folder / "docs", ignore=lambda at, names: [n for n in names if not n.endswith(".md")])
        for place, embedder in (("words", "none"), ("vectors", "minilm")):
            command = [*_INLOOP, "index", "docs", "--to", place, "--embedder", embedder, "--clip", "none"]
            subprocess.run([*command, "--device", "cpu", "--json"], cwd=folder, stdout=subprocess.DEVNULL, check=True)
        for turn in range(options.repeats + 1):  # the first warms the disk's cache, and exports the model
            for way, command in ways.items():
                question = f"Where are the vectors of document {turn} kept, by {len(way)} readers?"
                before, begun = _processor(), time.perf_counter()
                subprocess.run([*command, question], cwd=folder, capture_output=True, check=True)
                if turn:
                    took[way].append(time.perf_counter() - begun)
                    used[way].append(_processor() - before)
    bare = "bare torch and transformers"
    beside = [ours - plain for ours, plain in zip(took["ask, minilm?backend=torch"], took[bare], strict=True)]
    return [
        *(Figure.of(f"{way}: wall", values, "s") for way, values in took.items()),
        *(Figure.of(f"{way}: processor", values, "s") for way, values in used.items()),
        Figure.of("ask, minilm?backend=torch, beyond the bare script: wall", beside, "s"),
    ]


def _processor() -> float:
    """Seconds of processor time of the children so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
