"""The measurements run and give figures that can be true; how fast this machine is, is not tested."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from servers import serving
from stand_ins import answering

from inloop.runtime.store.open import Store
from inloop.tools.encoders.clip import open_clip

ROOT = Path(__file__).parent.parent
SNIPS = Path(os.environ.get("INLOOP_DATA", ROOT.parent / "shared" / "data")) / "llm2llm" / "snips"


def benchmarks(*argv, out):
    command = [sys.executable, "-m", "benchmarks", *argv, "--device", "cpu", "--repeats", "1", "--out", str(out)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def figures(out, name):
    [path] = out.glob(f"{name}-*.json")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["date"] and told["machine"]["cores"]
    return {figure["name"]: figure["value"] for figure in told["figures"]}


def test_light_measurements_print_a_table_and_keep_their_figures(tmp_path):
    done = benchmarks("start", "nodes", out=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 0 < figures(tmp_path, "start")["inloop --help"] < 30
    found = figures(tmp_path, "nodes")
    assert all(value > 0 for name, value in found.items() if name.startswith("superstep")) and len(found) == 6
    assert "superstep, through the runner, with SQLite" in done.stdout


def test_what_cannot_be_measured_is_said(tmp_path):
    done = benchmarks("models", "--images", "no such painter", out=tmp_path)
    assert done.returncode == 1 and "not measured: 'no such painter'" in done.stderr and "Traceback" not in done.stderr
    assert benchmarks("wishes", out=tmp_path).returncode == 2


@pytest.mark.slow
def test_scorer_measurements(tmp_path, blip_folder, clip_folder):
    done = benchmarks("scorers", "--vqa", str(blip_folder), "--clip", str(clip_folder), out=tmp_path)
    assert done.returncode == 0, done.stderr
    found = figures(tmp_path, "scorers")
    assert found["DSG, ours over the released way"] > 0 and found["the same again, model calls made"] == 0
    assert ("CLIPScore, torchmetrics" in found) == (importlib.util.find_spec("torchmetrics") is not None)


@pytest.mark.slow
def test_model_measurements(tmp_path, turbo_folder, blip_folder, clip_folder):
    folders = ("--images", str(turbo_folder), "--vqa", str(blip_folder), "--clip", str(clip_folder))
    with serving() as server:
        server.behaviours = [answering]
        done = benchmarks("models", "loops", *folders, "--llm", f"{server.url}#m", "--iterations", "1", out=tmp_path)
    assert done.returncode == 0, done.stderr
    found = figures(tmp_path, "models")
    assert len(found) == 12 and min(found.values()) > 0
    found = figures(tmp_path, "loops")
    assert found["the same command again, model calls made"] == 0
    assert found["wall time over the busiest model's own"] > 1
    assert found["8 prompts in flight, wall time"] >= found["8 prompts in flight, images at work"]


@pytest.mark.slow
@pytest.mark.skipif(
    not SNIPS.is_dir(), reason=f"SNIPS is not in {SNIPS}: set INLOOP_DATA to the folder with llm2llm/snips"
)
def test_student_measurements(tmp_path, llama_folder):
    done = benchmarks("students", "--student", f"lora:{llama_folder}", out=tmp_path)
    assert done.returncode == 0, done.stderr
    found = figures(tmp_path, "students")
    assert len(found) == 6 and min(found.values()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inloop, lancedb", "plain bm25s + numpy"])
def test_retrieval_measurement(name):
    pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    data = Path(os.environ.get("INLOOP_DATA", ROOT.parent / "shared" / "data")) / "rag" / "scifact"
    if not data.is_dir():
        pytest.skip(f"{data} is not there: set INLOOP_DATA to the folder that holds rag/scifact")
    command = [sys.executable, "-m", "benchmarks.retrieval", name, "300"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["passages"] == 300 and 0 < told["p50"] <= told["p95"] and told["fill"] > 0 and told["cpu"] > 0


@pytest.mark.slow
async def test_retrieval_vision_measurement(monkeypatch, settings):
    """Its captioning part on a small index; every part at its size takes minutes."""
    pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    monkeypatch.syspath_prepend(ROOT)
    measured = importlib.import_module("benchmarks.retrieval_vision")
    monkeypatch.setattr(measured, "_INDEXED", 60)
    monkeypatch.setattr(measured, "_ASKED", 6)
    with Store.open(settings) as store:
        clip = open_clip("mini", store, settings)
        found = {figure.name: figure.value for figure in await measured._captioning(store, settings, clip, 1000)}
        await clip.aclose()
    assert len(found) == 29 and all(0 <= value <= 100 for name, value in found.items() if " over " not in name)
    assert measured._entities("two red stars and a spook") == {"star", "ghost"}


@pytest.mark.slow
def test_promptcap_measurements(tmp_path):
    with serving() as server:
        server.behaviours = [answering]
        done = benchmarks("promptcap", "--llm", f"{server.url}#m", out=tmp_path)
    assert done.returncode == 0, done.stderr
    found = figures(tmp_path, "promptcap")
    assert len(found) == 9 and min(found.values()) > 0
    assert "64 questions; 64 of them with the same outputs" in done.stdout
