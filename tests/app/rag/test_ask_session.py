"""`inloop ask` without a question: a session on a terminal, and lines through a pipe, as processes of their own."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")

from inloop.app.cli.main import main

ASK = [sys.executable, "-m", "inloop.app.cli.main", "ask", "--index", "ix"]
TOLD = "The ferry leaves at noon."


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an index of words, and the environment of a process in it."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "docs").mkdir()
    (folder / "docs" / "ferry.txt").write_text(f"{TOLD} It carries forty cars.", encoding="utf-8")
    (folder / "docs" / "tower.txt").write_text("The lighthouse was built in 1871.", encoding="utf-8")
    with contextlib.chdir(folder):
        assert main(["index", "docs", "--to", "ix", "--embedder", "none", "--clip", "none"]) == 0
    return folder


@pytest.fixture
def environment(place):
    own = {name: value for name, value in os.environ.items() if not name.startswith("INLOOP_")}
    return {**own, "HOME": str(place / "home"), "INLOOP_CACHE_DIR": str(place / "cache"), "TERM": "xterm"}


def test_a_question_a_line(place, environment):
    asked = "When does the ferry leave?\n\n???\nThe lighthouse was built in 1901.\n"
    done = subprocess.run(
        [*ASK, "--json"], cwd=place, env=environment, input=asked, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert first["answered"] and TOLD in first["text"]
    assert first["sentences"][0]["citations"][0]["quote"] == TOLD
    assert second["question"] == "???" and "no word in it" in second["error"]["message"]
    assert third["kind"] == "claim" and third["stance"] != "supports"
    done = subprocess.run(
        ASK, cwd=place, env=environment, input=asked, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0 and f"“{TOLD}”" in done.stdout and "ferry.txt" in done.stdout
    assert "no word in it" in done.stderr


def test_no_question_at_all(place, environment):
    done = subprocess.run(ASK, cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "no question" in done.stderr
    ask = [*ASK[:-1], "absent"]
    done = subprocess.run(ask, cwd=place, env=environment, input="Why?", capture_output=True, text=True)
    assert done.returncode == 2 and "no index at 'absent'" in done.stderr


@pytest.mark.parametrize("end", ["\x04", "\x03"], ids=["Ctrl-D", "Ctrl-C"])
def test_on_a_terminal(place, environment, end):
    pexpect = pytest.importorskip("pexpect", reason="pexpect: pip install pexpect")
    session = pexpect.spawn(
        ASK[0], ASK[1:], cwd=str(place), env=environment, encoding="utf-8", timeout=300, dimensions=(40, 120)
    )
    session.logfile_read = said = io.StringIO()
    session.expect_exact("ask> ")
    session.sendline("When does the ferry leave?")
    session.expect_exact(f"“{TOLD}")
    session.expect_exact("ask> ")
    session.send("\x1b[A\r")  # the key that gives the last question again
    session.expect_exact(f"“{TOLD}")
    session.expect_exact("ask> ")
    session.send(end)
    session.expect(pexpect.EOF)
    session.close()
    assert session.exitstatus == 0 and session.signalstatus is None
    assert "can be resumed" not in said.getvalue(), "a session has no run to go on with"
    history = place / "runs" / ".store" / "ask_history"
    assert "When does the ferry leave?" in history.read_text(encoding="utf-8") and history.stat().st_mode & 0o77 == 0


def test_stopped_amid_an_answer(place, environment):
    """Ctrl-C while an answer is under way ends the session, soon and without a traceback."""
    (place / "slow.py").write_text(
        "import asyncio\n"
        "class Slow:\n"
        "    name = 'slow'\n"
        "    async def route(self, question):\n"
        "        print('routing', flush=True)\n"
        "        await asyncio.sleep(600)\n",
        encoding="utf-8",
    )
    script = (
        "import sys; from inloop.app.rag import ask_session; from inloop.graphs.rag import Answering, RagConfig\n"
        "from inloop.runtime.settings import Settings; from slow import Slow; import inloop.graphs.rag as room\n"
        "class Brought(Answering):\n"
        "    def __init__(self, config, settings): super().__init__(config, settings, parts={'agents': {'router': Slow()}})\n"
        "room.Answering = Brought\n"
        "sys.exit(ask_session.hold_session(RagConfig(index='ix'), Settings.load(), json_output=True))\n"
    )
    path = os.pathsep.join([str(place), *filter(None, [environment.get("PYTHONPATH")])])
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-c", script]
    started = subprocess.Popen(command, cwd=place, env={**environment, "PYTHONPATH": path}, text=True, **pipes)
    assert started.stdin is not None and started.stdout is not None
    started.stdin.write("When does the ferry leave?\n")
    started.stdin.flush()
    assert started.stdout.readline() == "routing\n"
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=120)
    assert started.returncode == 0 and "Traceback" not in errors
