"""`inloop opt2i --watch`: a real process that is given one line, answers it, and is given the next."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys

import pytest
from servers import serving
from stand_ins import answering

from inloop.app.cli.main import main

SMALL = ("--iterations", "1", "--candidates", "1", "--images-per-prompt", "1", "--heldout-seeds", "0", "--no-baselines")


@pytest.fixture
def models(tmp_path, monkeypatch, turbo_folder, blip_folder, clip_folder):
    monkeypatch.chdir(tmp_path)
    for name, folder in (("IMAGES", turbo_folder), ("VQA", blip_folder), ("CLIP", clip_folder)):
        monkeypatch.setenv(f"INLOOP_{name}", str(folder))
    with serving() as server:
        server.behaviours = [answering]
        monkeypatch.setenv("INLOOP_LLM", f"{server.url}#mini-writer")
        yield server


def watching(*flags):
    command = [sys.executable, "-m", "inloop.app.cli.main", "opt2i", "--watch", *SMALL, *flags]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def test_each_line_is_answered_before_the_next_is_given(models, tmp_path):
    process = watching("--json")
    for prompt in ("a red circle", "# not this one\n\na blue square"):
        process.stdin.write(f"{prompt}\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        assert "error" not in told, told
        assert told["tasks"][0]["text"] == prompt.splitlines()[-1] and "inloop resume" in told["resume"]
    process.stdin.write("x" * 4001 + "\na green star\n")
    process.stdin.close()
    wrong, right = (json.loads(line) for line in process.stdout.read().splitlines())
    assert wrong["exit_code"] == 2 and "4001 characters" in wrong["error"]["message"] and wrong["prompt"] == "x" * 4001
    assert right["tasks"][0]["text"] == "a green star", "a line that cannot be used does not end it"
    assert process.wait() == 2
    assert len([*tmp_path.glob("runs/opt2i-*/result.json")]) == 3


def test_ctrl_c_leaves_a_run_that_goes_on(models, tmp_path, capsys):
    process = watching("--iterations", "30")
    process.stdin.write("a red circle\na blue square\n")
    process.stdin.flush()
    for line in process.stderr:
        if "iteration" in line or "1 " in line:
            break
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130 and "inloop resume" in told
    [folder] = tmp_path.glob("runs/opt2i-*")
    assert main(["resume", folder.name, "--json"]) in (0, 1)
    [*_, last] = capsys.readouterr().out.splitlines()
    assert json.loads(last)["tasks"][0]["text"] == "a red circle"


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("a red circle",), "reads prompts from the standard input"),
        (("--dry-run",), "--dry-run"),
        (("--review",), "--review"),
    ],
)
def test_what_does_not_go_together_is_refused(flags, why, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("a red circle\n"))
    assert main(["opt2i", "--watch", *flags]) == 2
    assert why in capsys.readouterr().err and not [*tmp_path.glob("runs/*")]
