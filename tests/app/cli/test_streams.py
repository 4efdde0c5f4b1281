"""Commands as processes whose streams are closed, full or poor in letters, that are interrupted, and that go on elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

SLOW_LOOP = '''
import asyncio, sys, time
from inloop.runtime.folder import RunResult, Task
from inloop.runtime.run import Loop
from inloop.runtime.session import RunConfig


class Config(RunConfig):
    SUBJECT = "texts"
    FROM_SETTINGS = ()
    texts: tuple[str, ...]


async def work(context, id, text):
    print("at work", file=sys.stderr, flush=True)
    await asyncio.to_thread(time.sleep, 60)
    return Task(id=id)


loop = Loop(name="slow", config=Config, result=RunResult[Task], inputs=lambda config: {"a": "a"},
            open=lambda config, session: session, work=work)
'''  # fmt: skip


@pytest.fixture
def home(tmp_path):
    """A folder with a table of two pictures that nothing was scored of, and an evaluator of one's own."""
    Image.new("RGB", (16, 16), "red").save(tmp_path / "red.png")
    (tmp_path / "own.py").write_text(
        "def bright(picture, text):\n    if 'fail' in text:\n        raise KeyError(text)\n    return 0.5\n",
        encoding="utf-8",
    )
    rows = [{"image": "red.png", "prompt": "rouge → \u2028 é 你"}, {"image": "red.png", "prompt": "b \ud83d"}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def inloop(home, *arguments, shell="", env=(), cwd=None, **kinds):
    command = [sys.executable, "-m", "inloop.app.cli.main", *arguments]
    given = {
        **os.environ,
        "INLOOP_RUNS_DIR": str(home / "my runs"),
        "INLOOP_CACHE_DIR": str(home / "cache"),
        **dict(env),
    }
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    return subprocess.run(command, cwd=cwd or home, env=given, capture_output=True, timeout=240, check=False, **kinds)


SCORE = ("score", "t.jsonl", "--metric", "own:bright")


def test_poor_closed_and_full_streams(home):
    for encoding in ("cp1252", "ascii", "utf-8"):
        done = inloop(home, *SCORE, env={"PYTHONIOENCODING": encoding}.items())
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
        done = inloop(home, *SCORE, "--json", env={"PYTHONIOENCODING": encoding}.items())
        assert json.loads(done.stdout.decode(encoding))["path"]
    for closed in ("2>&-", ">&-", "<&-", ">&- 2>&-"):
        done = inloop(home, *SCORE, shell=closed)
        assert done.returncode == 0, (closed, done.stderr)
        assert b"bright" in done.stdout or ">&-" in closed.split("2")[0]
    done = inloop(home, *SCORE, shell=">/dev/full")
    assert done.returncode == 3 and b"the disk is full" in done.stderr and b"Traceback" not in done.stderr


def test_what_argparse_refuses_is_json_too(home):
    cases = {
        ("opt2i", "--nosuch", "x"): "--nosuch",
        ("nosuch",): "nosuch",
        ("opt2i", "x", "--candidates", "many"): "many",
        ("opt2i", "x", "--candidates"): "--candidates",
        ("llm2llm",): "ROWS",
        (): "--json",
    }
    for arguments, named in cases.items():
        done = inloop(home, *arguments, "--json")
        error = json.loads(done.stdout)
        assert done.returncode == error["exit_code"] == 2 and named in error["error"]["message"], arguments


def test_a_run_goes_on_from_any_folder_by_the_command_that_it_names(home):
    first = inloop(home, *SCORE)
    [command] = [line for line in first.stdout.decode().splitlines() if line.startswith("  resume ")]
    assert "'" in command, "the folder has a blank, and the command is for a shell"
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {command.split(maxsplit=1)[1]}"], capture_output=True, check=True
    )
    _, resume, path = words.stdout.decode().splitlines()
    for result in (True, False):
        if not result:
            (Path(path) / "result.json").unlink()
        done = inloop(home, resume, path, "--json", cwd="/")
        assert done.returncode == 0, done.stderr + done.stdout
        assert json.loads(done.stdout)["path"] == path
    assert inloop(home, "report", path, cwd="/").returncode == 0


def test_an_error_in_ones_own_code_names_its_line(home):
    (home / "t.jsonl").write_text('{"image": "red.png", "prompt": "fail"}', encoding="utf-8")
    (home / "bad.py").write_text("x = 1\n1 / 0\n", encoding="utf-8")
    (home / "task.py").write_text(
        "from inloop.tools.tasks import Task\nclass T(Task):\n    kind: str = 'x'\n    template: str = 'rows/student_short_answer'\n"
        "    def read(self, said, row=None):\n        return {}[said]\ntask = T()\n", encoding="utf-8",
    )  # fmt: skip
    (home / "rows.jsonl").write_text('{"text": "a", "label": "b"}\n{"text": "c", "label": "d"}', encoding="utf-8")
    cases = {
        ("score", "t.jsonl", "--metric", "bad:metric"): "bad.py, line 2",
        ("llm2llm", "rows.jsonl", "--task", "task.py"): "task.py, line 6",
        ("llm2llm", "rows.jsonl", "--task", "bad.py"): "bad.py, line 2",
        ("llm2llm", "rows.jsonl", "--teacher", "oracle:rows.jsonl", "--verifier", "bad.py"): "bad.py, line 2",
    }
    for arguments, line in cases.items():
        done = inloop(home, *arguments)
        text = done.stderr.decode()
        assert done.returncode in (1, 2) and line in text and "fault in inloop" not in text, (arguments, text)


def test_twice_is_at_once_whatever_a_thread_does(home):
    (home / "slow.py").write_text(SLOW_LOOP, encoding="utf-8")
    code = (
        "import sys\nsys.argv = ['inloop', 'slow', 'a']\nimport inloop.app.cli.commands as commands\nimport slow\n"
        "from inloop.app.cli.loops import command_of\n"
        "commands.COMMANDS['slow'] = commands.Command('slow', 'cli.x', 'x', loop='slow')\n"
        "made = command_of('slow', slow.loop)\ncommands.Command.imported = lambda self: made\n"
        "from inloop.app.cli.main import main\nsys.exit(main())\n"
    )
    path = os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "INLOOP_RUNS_DIR": str(home / "runs"), "PYTHONPATH": path}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=home, env=env, stderr=subprocess.PIPE)
    assert process.stderr is not None
    lines = iter(process.stderr.readline, b"")
    assert any(b"at work" in line for line in lines)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130 and time.monotonic() - begun < 15, "the thread sleeps for a minute"
    assert b"inloop resume" in process.stderr.read()


@pytest.mark.parametrize(
    "first", ["inloop", "inloop.graphs.opt2i.search", "inloop.runtime.machine.runner", "inloop.records"]
)
def test_checkpoints_are_read_strictly_whatever_was_imported_first(first):
    code = f"import {first}, langgraph.checkpoint.serde._msgpack as m; print(m.STRICT_MSGPACK_ENABLED)"
    env = {name: value for name, value in os.environ.items() if name != "LANGGRAPH_STRICT_MSGPACK"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True, timeout=120)
    assert done.stdout.strip() == b"True"
