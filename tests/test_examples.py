"""Every example runs: with the bundled models where their weights are there, and always with small ones of the real classes."""

from __future__ import annotations

import html
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from servers import serving
from stand_ins import answering

from inloop.runtime.errors import InloopError, PrerequisiteError
from inloop.runtime.models.cache import bundled
from inloop.runtime.serving.registry import all_served
from inloop.runtime.settings import Settings

EXAMPLES = Path(__file__).parent.parent / "examples"
DATA = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[2] / "shared" / "data"))
pytestmark = pytest.mark.filterwarnings("ignore")


def weights_or_skip():
    from inloop.runtime import models

    try:
        for name in ("painter", "vqa", "clip", "writer"):
            bundled(name)
        if models.find("smollm2", Settings.load().cache_dir) is None:
            pytest.skip("the local language model is not fetched: inloop models --fetch")
    except PrerequisiteError as error:
        pytest.skip(f"the bundled models are not trained yet: {error.problem}")


@pytest.fixture
def no_settings(monkeypatch):
    """None of the user's own settings, only the cache folder."""
    for name in [*os.environ]:
        if name.startswith("INLOOP_") and name != "INLOOP_CACHE_DIR":
            monkeypatch.delenv(name)


def executed(name, tmp_path, *, timeout=300):
    """The outputs of a notebook's code cells, run in `tmp_path`, and all that was printed."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return shown, "".join(output.get("text", "") for output in shown if output.output_type == "stream")


def pages_of(shown):
    """What the results of a notebook show of themselves."""
    return html.unescape("".join(str(output["data"].get("text/html", "")) for output in shown if "data" in output))


@pytest.fixture
def typed_commands(tmp_path, monkeypatch):
    """`inloop` on the path, for the commands of a notebook."""
    command = tmp_path / "bin" / "inloop"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m inloop.app.cli.main "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(params=["small", "bundled"])
def models(request, tmp_path, monkeypatch, no_settings):
    """An empty working folder whose settings name models that are there."""
    monkeypatch.chdir(tmp_path)
    if request.param == "bundled":
        weights_or_skip()
        yield request.param
        return
    for name, fixture in (("IMAGES", "turbo_folder"), ("VQA", "blip_folder"), ("CLIP", "clip_folder")):
        monkeypatch.setenv(f"INLOOP_{name}", str(request.getfixturevalue(fixture)))
    with serving() as server:
        server.behaviours = [answering]
        monkeypatch.setenv("INLOOP_LLM", f"{server.url}#m")
        yield request.param


@pytest.mark.slow
def test_the_script(models, tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "opt2i.py"), "a scarlet dot over a bunny"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("'a scarlet dot over a bunny' -> ") and "inloop: " in done.stdout
    [result] = tmp_path.glob("runs/opt2i-*/result.json")
    assert json.loads(result.read_text(encoding="utf-8"))["tasks"][0]["text"] == "a scarlet dot over a bunny"


def script(name, tmp_path, *arguments):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_steering_a_vision_model_degenerates_without_a_floor(tmp_path, no_settings):
    weights_or_skip()
    told = script("steer_vlm.py", tmp_path)
    free, held = told.split("floor: ")[1:]
    scores = [[int(number) for number in re.findall(r"(?:bias|accuracy) (\d+)", part)] for part in (free, held)]
    (bias, accuracy, best_bias, best_accuracy), (_, _, held_bias, held_accuracy) = scores
    assert best_bias > bias and best_accuracy < accuracy and best_accuracy < held_accuracy
    assert held_bias > bias, "the question steers, at an accuracy that is kept"
    runs = sorted(tmp_path.glob("runs/search-*/result.json"))
    results = [json.loads(path.read_text(encoding="utf-8")) for path in runs]
    assert sorted(result["config"]["floor"] for result in results) == [[], ["accuracy=0.4"]]


@pytest.mark.slow
def test_the_settings_of_a_painter_are_searched(tmp_path, no_settings):
    weights_or_skip()
    told = script("painter_settings.py", tmp_path, "guidance=8")
    tried = re.findall(r"^ *([\d.]+)  (\S.*)$", told, re.MULTILINE)
    scores = {text: float(score) for score, text in tried}
    assert len(scores) > 4 and max(scores.values()) > scores["guidance=8"]
    assert any("negative=" in text for text in scores) and "on unseen instances" in told


def test_a_system_prompt_is_searched_for_citation_precision(tmp_path, no_settings):
    told = script("rag_prompt.py", tmp_path)
    assert told.count("one passage only") == 2 and "confirmed gain on unseen instances (precision +75.0" in told
    assert "NO ANSWER" not in told.split("floor: ")[2], "half of the questions unanswered would break the floor"


@pytest.mark.slow
def test_the_notebook(models, tmp_path):
    shown, told = executed("01_opt2i.ipynb", tmp_path)
    kinds = {kind for output in shown for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds, "a plot, and results that show themselves"
    assert "calls paid: 0" in told and "a green pentagram over a spaceship" in told


@pytest.mark.slow
def test_the_notebook_in_depth(tmp_path, no_settings):
    weights_or_skip()
    shown, told = executed("03_opt2i_in_depth.ipynb", tmp_path, timeout=600)
    tables = "".join(output["data"].get("text/html", "") for output in shown if "data" in output)
    for column in ("verdict", "best prompt", "painted instead", "best, probably"):
        assert f"<th>{column}</th>" in tables, column

    painted = {race: int(count) for race, count in re.findall(r"^(none|abandon|halve) +(\d+) pictures", told, re.M)}
    assert painted["abandon"] <= painted["none"]
    held = re.findall(r"^ +(?:-|\d+)  similarity ([\d.]+)  (.*)$", told, re.MULTILINE)
    broken = ["similarity" in text.rsplit("  ", 1)[-1] for _, text in held]
    assert broken == [float(similarity) < 0.99 for similarity, _ in held]

    before, after = told.split("round 0: ")[1].split("round 1: ")
    assert "1 candidates" in before and "a rocket to the left of a purple circle" in after
    assert "ban=('dot',)" in after and "reviews=2" in after
    rounds = after.split("keep=")[0].splitlines()[1:]
    assert not [line for line in rounds if re.search(r"\bdot\b", line)], "the word is banned"
    assert re.search(r"^(\d+) votes: ", told, re.MULTILINE) and "people: Ada  right in" in told
    assert re.search(r"after \d rounds?: ", told)
    assert "confirmed gain on unseen instances (right +" in told and "no confirmed" not in told.split("after ")[-1]


@pytest.mark.slow
def test_the_serving_notebook(tmp_path, monkeypatch, no_settings, typed_commands):
    """Its commands are typed ones: an embedded server is started, measured, used by a loop and stopped."""
    weights_or_skip()
    cache = Settings.load().cache_dir
    place = tmp_path / "cache"  # servers of the user are not to be seen or stopped
    place.mkdir()
    (place / "models").symlink_to(cache / "models")
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(place))
    try:
        _, told = executed("07_serving.ipynb", tmp_path, timeout=600)
    finally:
        for served in all_served(place):
            os.kill(served.pid, signal.SIGTERM)
    assert "json_schema  yes" in told and "tokens/s" in told
    assert "mini-writer: " in told and "requests paid: 0" in told and "stopped the server on port" in told
    assert all_served(place) == []


@pytest.mark.slow
@pytest.mark.parametrize("there", [True, False], ids=["published files", "without them"])
def test_the_notebook_of_the_scorers(there, tmp_path, monkeypatch, no_settings, typed_commands):
    for name in ("vqa", "clip"):
        try:
            bundled(name)
        except PrerequisiteError as error:
            pytest.skip(f"the bundled models are not trained yet: {error.problem}")
    if there and not (DATA / "opt2i" / "dsg").is_dir():
        pytest.skip(f"the published files are not there: {DATA / 'opt2i' / 'dsg'}")
    if there:
        monkeypatch.setenv("INLOOP_DATA", str(DATA))
    shown, told = executed("02_scorers.ipynb", tmp_path, timeout=600)
    assert "24 pictures of 24 prompts" in pages_of(shown) and "model calls paid the second time: 0" in told
    # the scorer tells what was drawn wrong
    assert float(re.search(r"dsg +rho (\S+)", told)[1]) > 0.5
    assert sum("image/png" in output.get("data", {}) for output in shown) == 3
    if there:
        assert "figures are equal" in told and " differ" not in told
        # the published correlations, to three decimals
        assert "mplug          rho 0.463" in told and "instructblip   rho 0.442" in told
    else:
        assert "The published files are not here" in told and "Shown with the drawn world." in told


@pytest.mark.slow
def test_the_rag_notebook(tmp_path, no_settings):
    """It needs no model: the answers are quotations, the index is one of words."""
    for package in ("lancedb", "bm25s", "Stemmer"):
        pytest.importorskip(package, reason="the extra rag is not installed: pip install 'inloop[rag]'")
    shown, told = executed("05_rag.ipynb", tmp_path)
    assert "5 added" in told
    pages = pages_of(shown)
    assert "The Harbour Bridge was opened in 1932. [1]" in pages and "2050" not in told + pages
    assert "no answer: nothing found" in pages and "no answer: contradicting sources" in pages
    assert "docs/aspirin-b.md: 'Daily aspirin increases the risk of stroke in adults.'" in told


@pytest.mark.slow
def test_the_notebook_of_llm2llm(tmp_path):
    from inloop.graphs.llm2llm.arms import ARMS, words_of
    from inloop.runtime import models

    pytest.importorskip("sklearn", reason="the fast student needs scikit-learn: pip install 'inloop[students]'")
    if models.find("minilm", Settings.load().cache_dir) is None:
        pytest.skip("MiniLM is not fetched: inloop models --fetch minilm")
    shown, told = executed("04_llm2llm.ipynb", tmp_path, timeout=600)
    table = pages_of(shown)
    assert "calls paid: 0" in told and "accepted" in told
    assert not ", ".join(words_of(arm) for arm in ARMS if arm != "soup" and words_of(arm) not in table)


@pytest.mark.slow
def test_the_notebook_of_promptcap(tmp_path, no_settings):
    """The real captioner, question answering model and language model on the drawn world."""
    from inloop.runtime import models

    try:
        for name in ("promptcap", "vqa"):
            bundled(name)
    except InloopError as error:
        pytest.skip(f"the bundled models are not trained yet: {error}")
    for name in ("smollm2", "minilm"):
        if models.find(name, Settings.load().cache_dir) is None:
            pytest.skip(f"{name} is not fetched: inloop models --fetch {name}")
    shown, told = executed("06_promptcap.ipynb", tmp_path, timeout=900)
    assert "aware " in told and "known " in told and "check " in told
    for way in ("blind with examples", "similar examples", "generic caption", "ours", "oracle caption", "direct"):
        assert way in pages_of(shown), way
    assert "the same figures: True" in told and "calls paid: 0" in told


def test_notebooks_are_valid_and_hold_no_outputs():
    import nbformat

    found = sorted(EXAMPLES.glob("*.ipynb"))
    assert found
    for path in found:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert code and all(cell.outputs == [] and cell.execution_count is None for cell in code), path.name
        assert not re.search(r"/(home|root|tmp|Users)/", path.read_text(encoding="utf-8"))


def test_langgraph_json_names_graphs_that_load():
    """As LangGraph's own loader does it: a module path and an attribute that is a graph, or makes one."""
    from langgraph.pregel import Pregel

    listed = json.loads((EXAMPLES / "langgraph.json").read_text(encoding="utf-8"))
    assert listed["graphs"] and all((EXAMPLES / place).resolve().is_dir() for place in listed["dependencies"])
    for name, place in listed["graphs"].items():
        module, _, attribute = place.partition(":")
        named = getattr(importlib.import_module(module), attribute)
        graph = named if isinstance(named, Pregel) else named()
        assert isinstance(graph, Pregel) and graph.name == name and graph.get_graph().nodes
        if graph is not named:
            assert graph.get_input_jsonschema()["properties"]["in_flight"]["description"]
        assert graph.checkpointer is None, "a server brings its own checkpointer"


def test_the_readme_names_every_example():
    told = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    found = [path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*") if path.is_file()]
    listed = [name for name in found if name != "README.md" and "__pycache__" not in name and "checkpoints" not in name]
    listed = sorted({"plugin/" if name.startswith("plugin/") else name for name in listed})
    assert all(f"]({name.rstrip('/')})" in told for name in listed), listed


def test_the_loose_prompts_are_loose_and_mean_something():
    from inloop.app.cli import read_lines
    from inloop.mini.world.grammar import plain
    from inloop.mini.world.parse import spec_of

    prompts = read_lines(EXAMPLES / "prompts" / "loose.txt", "prompt")
    assert len(set(prompts)) == len(prompts) >= 60
    for prompt in prompts:
        spec = spec_of(prompt)
        assert spec is not None and plain(spec).text != prompt, prompt


@pytest.mark.slow
def test_the_notebook_of_curate(tmp_path, no_settings):
    """A cleaning of drawn copies with the real small encoder, beside the truth."""
    try:
        bundled("clip")
    except PrerequisiteError as error:
        pytest.skip(f"the bundled models are not trained yet: {error.problem}")
    shown, told = executed("08_curate.ipynb", tmp_path, timeout=600)
    assert "pictures stay" in pages_of(shown)
    one, of, none = map(int, re.search(r"one stays: (\d+) of (\d+); none: (\d+)", told).groups())
    gone, leaks = map(int, re.search(r"leaks that went: (\d+) of (\d+)", told).groups())
    assert one > 0.85 * of and none <= 0.1 * of and gone > 0.9 * leaks
    found = [int(share) for share in re.findall(r"(\d+)% of planted copies found", told)]
    assert found[0] > found[1], "an encoder alone finds fewer copies"
    shares = {way: float(share) for way, share in re.findall(r"^(\w+) +([\d.]+)%", told, re.MULTILINE)}
    away = {way: abs(share - shares["before"]) for way, share in shares.items()}
    assert away["matched"] < away["FairDeDup"] < away["SemDeDup"]
    judged = {
        what: tuple(map(int, counts))
        for what, *counts in re.findall(r"(\w+)s: (\d+) of (\d+) wrong ones found, (\d+) of (\d+) right", told)
    }
    for hit, wrong, false, right in (judged["caption"], judged["label"]):
        assert hit > 0.7 * wrong and false < 0.06 * right
    assert "as said: True" in told and "there still: False · pictures as before: True" in told
    assert "the same rows: True · calls paid: 0" in told


@pytest.mark.slow
def test_the_notebook_of_encoders(tmp_path, no_settings):
    """The bundled CLIP beside a random model and a histogram of colours, and what it looks at."""
    try:
        bundled("clip")
    except PrerequisiteError as error:
        pytest.skip(f"the bundled models are not trained yet: {error.problem}")
    shown, told = executed("09_encoders.ipynb", tmp_path, timeout=600)
    assert "Linear probe: accuracy" in pages_of(shown) and "Shape bias" in pages_of(shown)
    assert re.search(r"dinov2:untrained over mini: -.*, real", told)
    moved = {
        name: (float(test), float(other))
        for name, test, other in re.findall(r"^(\S+) +test ([\d.]+), another domain ([\d.]+)", told, re.MULTILINE)
    }
    assert moved["colours:Encoder"][0] > 0.3 > moved["dinov2:untrained"][0]
    assert moved["colours:Encoder"][0] - moved["colours:Encoder"][1] > moved["mini"][0] - moved["mini"][1]
    assert "the same figures: True · calls paid: 0" in told
    assert float(re.search(r"shape bias ([\d.]+)", told)[1]) < 0.5
