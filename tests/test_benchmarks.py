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

from inloop.runtime.errors import PrerequisiteError
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
def test_a_run_of_many_prompts(tmp_path):
    done = benchmarks("many", "--many", "400", out=tmp_path)
    assert done.returncode == 0, done.stderr
    found = figures(tmp_path, "many")
    # not a thing is kept but the result and what the fakes count: a prompt's record is 11 KB as JSON
    assert 0 < found["memory that a prompt leaves"] < 400 and found["last hundred over second"] > 0
    assert benchmarks("many", "--many", "300", out=tmp_path).returncode == 1


@pytest.mark.slow
def test_a_size_of_vectors_is_measured_once(tmp_path):
    done = benchmarks("dedup", "--vectors", "10000", out=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "50.00% stay" in done.stdout
    lines = (tmp_path / "dedup_runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines if '"inloop"' in line] == ["scattered", "topics"]
    assert benchmarks("dedup", "--vectors", "10000", out=tmp_path).returncode == 0
    assert (tmp_path / "dedup_runs.jsonl").read_text(encoding="utf-8").splitlines() == lines


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
    assert len(found) == 40 and min(found.values()) > 0
    found = figures(tmp_path, "loops")
    assert found["the same command again, model calls made"] == 0
    assert found["wall time over the busiest model's own"] > 1
    assert found["16 prompts in flight, wall time"] >= found["16 prompts in flight, images at work"]
    assert found["the paper's loop over ours, a prompt"] > 0


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


@pytest.mark.parametrize("which", ["first", "second"])
def test_questions_are_those_that_the_goals_speak_of(monkeypatch, which):
    """Enough of them, each with what it is judged by."""
    monkeypatch.syspath_prepend(ROOT)
    packages, asked = importlib.import_module("benchmarks.questions").questions(which)
    formats = {name for package in packages for name in package.formats}
    assert formats == {"RST", "Markdown", "HTML", "PDF"} and {q.package for q in asked} == {p.name for p in packages}
    assert len([q for q in asked if q.keys]) >= 60 and len([q for q in asked if not q.keys]) >= 15
    assert len({q.text for q in asked}) == len(asked) and all(bool(q.keys) == bool(q.file) for q in asked)


def test_statements_are_those_that_the_goals_speak_of(monkeypatch):
    """Enough of them, about texts that are there."""
    monkeypatch.syspath_prepend(ROOT)
    statements = list(importlib.import_module("benchmarks.statements").by_hand())
    texts = ROOT / "benchmarks" / "data" / "texts"
    assert {statement.document for statement in statements} == {path.name for path in texts.iterdir()}
    assert len(statements) >= 300 and len({statement.text for statement in statements}) == len(statements)


def test_a_quotation_is_right_by_its_key_and_not_by_repeating_the_question(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    question = importlib.import_module("benchmarks.questions").Question(
        text="How do I get rid of old data?", package="p", kind="how-to", file="f", keys=("coverage erase",)
    )
    assert question.keyed(["Use ``coverage\n  erase`` for that."]) and not question.keyed(["Erase the coverage."])
    assert question.repeated_by("How do I erase data with coverage erase?") and question.repeated_by(
        "Get rid of old data"
    )
    assert not question.repeated_by("Get rid of old data with coverage erase.")


def test_a_package_is_taken_only_with_the_hash_that_is_written_down(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    package = importlib.import_module("benchmarks.packages").Package(
        name="p",
        registry="PyPI",
        version="1",
        file="p-1.tar.gz",
        sha256="0" * 64,
        licence="MIT",
        formats={"RST": ("*.rst",)},
    )
    (tmp_path / "p-1").mkdir()
    (tmp_path / "p-1" / "p-1.tar.gz").write_bytes(b"something else")
    with pytest.raises(PrerequisiteError, match="with the hash that the questions were written for"):
        package.unpacked(tmp_path)
    assert not (tmp_path / "p-1" / "p-1.tar.gz").exists()


def test_searches_are_kept_one_by_one_and_are_not_run_again(tmp_path):
    from benchmarks import search

    models = {"llm": "mini-writer", "images": "mini", "vqa": "mini", "clip": "mini"}
    prompts = [line for line in search._LOOSE.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"][:6]
    lines = []
    for name in search.SWITCHES:
        for place, prompt in enumerate(prompts):
            case = {
                "key": [name, prompt, 2, models], "gain": 10.0 + place + (name == "keep front"), "confirmed": place > 2,
                "best": prompt, "rounds": 2, "rewrites": 10, "images": 34 if name == search.SAME_ROUNDS else 44, "stop": "iterations",
            }  # fmt: skip
            lines.append(json.dumps(case))
    (tmp_path / "search-cases.jsonl").write_text("\n".join(lines) + '\n{"key": ["pl', encoding="utf-8")
    done = benchmarks("search", "--prompts", "6", "--iterations", "2", out=tmp_path)
    assert done.returncode == 0, done.stderr
    found = figures(tmp_path, "search")
    assert found["plain: gain"] == pytest.approx(12.5) and found["keep front: gain over plain"] == pytest.approx(1.0)
    assert found["race abandon: the same winner in the same rounds"] == 100
    assert found["race abandon: pictures of rewrites saved"] == pytest.approx(25)
    assert not (tmp_path / "search").exists(), "nothing was run"
