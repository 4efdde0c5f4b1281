"""The package of `examples/plugin`, installed beside inloop and used from the command line: a metric, a painter and a loop of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from servers import says, serving, well

PLUGIN = Path(__file__).parent.parent / "examples" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where pip put the package; no network is needed for it."""
    source, target = tmp_path_factory.mktemp("source") / "plugin", tmp_path_factory.mktemp("site")
    shutil.copytree(PLUGIN, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    done = subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--target", str(target), str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def inloop(site, tmp_path):
    """The command line with the package on the path; gives the exit code, the output and the errors."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INLOOP_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")

    def start(*arguments, env=environment):
        command = [sys.executable, "-m", "inloop.app.cli.main", *map(str, arguments)]
        return subprocess.Popen(
            command, cwd=tmp_path, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(*arguments, without=False):
        bare = {**environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        process = start(*arguments, env=bare if without else environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    run.start = start
    return run


class Shortener:
    """Answers each text that is to be shortened with the first half of its words; `asked` are those texts. It hangs on `stuck`."""

    def __init__(self, stuck=""):
        self.asked, self.stuck = [], stuck

    def __call__(self, handler, body):
        order, _, text = body["messages"][-1]["content"].partition(": ")
        if not order.startswith("Shorten"):  # a probe of what the server can do
            return well(handler, body)
        self.asked.append(text)
        if text == self.stuck:
            time.sleep(60)
        words = text.split()
        return says(" ".join(words[: len(words) // 2]))(handler, body)


def test_its_metric_scores(inloop, tmp_path):
    (tmp_path / "pictures").mkdir()
    for name, value in (("dark", 51), ("light", 204)):
        Image.new("RGB", (8, 8), (value, value, value)).save(tmp_path / "pictures" / f"{name}.png")
    (tmp_path / "prompts.txt").write_text("night\nday\n", encoding="utf-8")
    code, out, err = inloop("score", "pictures", "prompts.txt", "--metric", "brightness", "--json")
    assert code == 0, err
    [metric] = json.loads(out)["metrics"]
    assert (metric["metric"], metric["overall"]["value"], metric["pictures"]) == ("brightness", 0.5, 2)
    assert metric["about"].startswith("The mean luminance of a picture")
    code, out, _ = inloop("score", "pictures", "prompts.txt", "--metric", "brightness", "--json")
    assert json.loads(out)["calls"] == {"score": {"paid": 0, "reused": 2}}
    code, _, err = inloop("score", "pictures", "prompts.txt", "--metric", "brightnes")
    assert code == 2 and "did you mean brightness?" in err


def test_its_text_to_image_model_takes_its_role(inloop):
    code, out, err = inloop("opt2i", "a red disc", "--images", "watercolours?size=2")
    assert code == 2 and "'watercolours?size=2': the one option is size, in pixels, 8 or more." in err
    code, out, err = inloop("opt2i", "a red disc", "--llm", "watercolours", "--json")
    assert code == 2 and "'watercolours' is no language model: it has no complete" in out


def test_its_loop_is_a_command(inloop):
    code, out, _ = inloop("--help")
    assert code == 0 and "    shorten " in out and "of the package inloop-example 0.1.0" in out
    code, out, _ = inloop("shorten", "--help")
    assert code == 0 and "a text in fewer words" in out.lower() and "--rounds N" in out and "--budget" in out


def test_its_loop_runs_and_its_runs_are_listed_resumed_and_drawn(inloop, tmp_path):
    with serving() as server:
        server.behaviours = [shortener := Shortener()]
        arguments = ("shorten", "a b c d e f g h", "--words", "3", "--llm", f"{server.url}#m", "--json")
        code, out, err = inloop(*arguments)
        assert code == 0, err
        told = json.loads(out)
        assert [(task["text"], task["rounds"]) for task in told["tasks"]] == [("a b", 2)]
        code, again, err = inloop("resume", told["run_id"], "--json")
        assert code == 0 and json.loads(again)["tasks"] == told["tasks"], err
        code, words, err = inloop("resume", told["run_id"])
        assert code == 0 and "text: a b" in words and f"{told['run_id']}" in words, err
        assert shortener.asked == ["a b c d e f g h", "a b c d"], "nothing is asked again"
    code, out, _ = inloop("runs")
    assert code == 0 and told["run_id"] in out and "a b c d e f g h" in out
    code, out, err = inloop("report", told["run_id"])
    page = Path(tmp_path / out.strip()).read_text(encoding="utf-8")
    assert code == 0 and "a b" in page and "inloop shorten" in page, err


def test_killed_it_goes_on_where_it_was(inloop):
    """kill -9 in the second request: what was answered before is not asked for again."""
    with serving() as server:
        server.behaviours = [shortener := Shortener(stuck="i j")]
        arguments = ("shorten", "a b", "g h i j", "i j", "--words", "1", "--in-flight", "1", "--llm", f"{server.url}#m")
        process = inloop.start(*arguments)
        deadline = time.monotonic() + 120
        while "i j" not in shortener.asked and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = list(shortener.asked)
        shortener.stuck = ""
        code, out, err = inloop("resume", "--json")
        assert code == 0, err
        assert [task["text"] for task in json.loads(out)["tasks"]] == ["a", "g", "i"]
        assert before == ["a b", "g h i j", "g h", "i j"] and shortener.asked == [*before, "i j"]


def test_a_run_of_a_package_that_is_gone(inloop):
    with serving() as server:
        server.behaviours = [Shortener()]
        code, out, err = inloop("shorten", "a b", "--words", "1", "--llm", f"{server.url}#m", "--json")
    assert code == 0, err
    code, _, err = inloop("resume", json.loads(out)["run_id"], without=True)
    assert code == 2 and "is of the loop 'shorten', which neither this version nor an installed package knows" in err
