"""`import inloop` as a user has it: names, types from outside the repository, and calls from wherever one is."""

import asyncio
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import stand_ins

import inloop
from inloop._stub import stub

RIGHT = """
import inloop
from inloop.records import Score


def listen(event: inloop.Event) -> None:
    print(event.task)


result = inloop.opt2i("a red disc", "two stars", iterations=2, objective="dsg", on_event=listen)
text: str = result.tasks[0].chosen
answer = inloop.ask("who?", index="memory:", k=3).tasks[0].answer


async def handler() -> float:
    return (await inloop.opt2i.run("a red disc")).seconds
"""
WRONG = {
    'inloop.opt2i("a", iteration=3)': "iteration",
    'inloop.opt2i("a", iterations="many")': "iterations",
    'inloop.ask("who?")': "index",
    'inloop.vqa_eval("okvqa", questions="q.json", limits=3)': "limits",
    'inloop.opt2i("a").tasks[0].chosn': "chosn",
    "inloop.optti('a')": "optti",
}


HEAVY = (
    "torch",
    "transformers",
    "diffusers",
    "numpy",
    "PIL",
    "openai",
    "langgraph",
    "langchain_core",
    "lancedb",
    "pandas",
    "matplotlib",
)
"""Not looked at by mypy, to whom they would be minutes of work and nothing of ours."""


def script(folder: Path) -> Path:
    path = folder / "script.py"
    path.write_text(
        "\n".join([RIGHT, "def wrong() -> None:", *(f"    {line}" for line in WRONG), ""]), encoding="utf-8"
    )
    return path


def lines_with_errors(output: str) -> set[int]:
    return {int(line) for line in re.findall(r"script\.py:(\d+)(?::\d+)?\s?[:-].*error", output)}


@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_a_type_checker_knows_every_option_from_outside_the_repository(tmp_path, checker):
    path = script(tmp_path)
    if checker == "mypy":
        skipped = "\n".join(f"[mypy-{name}.*]\nfollow_imports = skip" for name in HEAVY)
        (tmp_path / "mypy.ini").write_text(f"[mypy]\n{skipped}\n", encoding="utf-8")
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(path)]
    else:
        found = shutil.which("basedpyright", path=str(Path(sys.executable).parent)) or shutil.which("basedpyright")
        if found is None:
            pytest.skip("basedpyright is not installed: pip install basedpyright")
        command = [found, "--pythonpath", sys.executable, "--level", "error", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    first = path.read_text(encoding="utf-8").splitlines().index("def wrong() -> None:") + 2
    assert lines_with_errors(done.stdout) == set(range(first, first + len(WRONG))), done.stdout + done.stderr


def test_the_stub_is_that_of_the_configs():
    written = Path(inloop.__file__).resolve().with_name("__init__.pyi").read_text(encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff", "format", "--line-length", "120", "--stdin-filename", "__init__.pyi", "-"]
    fresh = subprocess.run(ruff, input=stub(), capture_output=True, text=True, check=True).stdout
    assert fresh == written, "make stubs"


def test_every_public_name_is_there_and_nothing_heavy_is_imported_for_them():
    code = "import sys, inloop; print([m for m in ('torch', 'langgraph', 'pydantic', 'openai') if m in sys.modules], dir(inloop))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("[] ") and all(repr(name) in shown for name in inloop.__all__)
    assert all(getattr(inloop, name) is not None for name in inloop.__all__)
    with pytest.raises(AttributeError, match="optti"):
        inloop.optti  # noqa: B018


@pytest.fixture
def opened(tmp_path, monkeypatch):
    from inloop.graphs.opt2i import context

    monkeypatch.chdir(tmp_path)
    return stand_ins.install(lambda name, value: monkeypatch.setattr(context, name, value))


SMALL = {"iterations": 1, "candidates": 2, "images_per_prompt": 1, "heldout_seeds": 0, "baselines": False}


def test_it_is_called_from_a_script_a_running_loop_and_threads(opened):
    result = inloop.opt2i("a red disc", **SMALL)
    assert isinstance(result, inloop.RunResult) and result.tasks[0].text == "a red disc"

    async def server():
        assert asyncio.get_running_loop().is_running()
        return await asyncio.gather(inloop.opt2i.run("a blue box", **SMALL), inloop.opt2i.run("a green star", **SMALL))

    assert [one.tasks[0].text for one in asyncio.run(server())] == ["a blue box", "a green star"]

    async def notebook():
        return inloop.opt2i("a red box", **SMALL)

    assert asyncio.run(notebook()).tasks[0].text == "a red box"
    results = []
    threads = [
        threading.Thread(target=lambda text=text: results.append(inloop.opt2i(text, **SMALL)))
        for text in ("a red star", "a blue star")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(result.tasks[0].text for result in results) == ["a blue star", "a red star"]


def test_a_refused_call_says_why_and_leaves_no_folder(opened, tmp_path):
    for options, reason in (
        ({"iteration": 3}, "did you mean 'iterations'"),
        ({"iterations": 0}, "iterations = 0 cannot be used"),
        ({"objective": "beauty"}, "objective 'beauty'"),
        ({"budget": "pictures=3"}, "pictures"),
    ):
        with pytest.raises(inloop.BadInput, match=reason):
            inloop.opt2i("a red disc", **options)
    with pytest.raises(inloop.BadInput, match="empty"):
        inloop.opt2i(" ")
    with pytest.raises(inloop.BadInput, match="paint"):
        inloop.opt2i("a red disc", models={"paint": object()})
    assert not list((tmp_path / "runs").glob("opt2i-*"))


class Redness:
    """An evaluator of one's own: the share of red in a picture."""

    name = "redness"

    def __init__(self, blobs) -> None:
        self.blobs = blobs

    async def score(self, samples):
        from inloop.records import Score

        shares = []
        for sample in samples:
            pixels = self.blobs.get_image(sample.image).convert("RGB").resize((8, 8)).tobytes()
            red, green, blue = (sum(pixels[place::3]) for place in range(3))
            shares.append(Score(value=red / max(1, red + green + blue)))
        return shares


def test_an_evaluator_of_ones_own_is_climbed_and_a_resumed_run_asks_for_it(opened, tmp_path):
    store = inloop.Store(tmp_path / "runs" / ".store")
    mine = {"redness": Redness(store.blobs)}
    result = inloop.opt2i("a crimson disc", evaluators=mine, objective="redness", **SMALL)
    trials = result.tasks[0].trials
    assert all(trial.objective == trial.scores["redness"] for trial in trials) and trials[0].objective > 0
    with pytest.raises(inloop.PrerequisiteError, match="evaluators"):
        inloop.opt2i.resume(result.run_id)
    again = inloop.opt2i.resume(result.run_id, evaluators=mine)
    assert again.tasks == result.tasks
    store.close()
