"""Tab completion as a shell asks for it: by environment variables, of the command itself."""

import os
import subprocess
import sys

import pytest


def completions(tmp_path, line):
    """What a shell gets that asks for completions at the end of a line."""
    out = tmp_path / "completions"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    command = [sys.executable, "-m", "inloop.app.cli.main"]
    subprocess.run(command, env=os.environ | asked, check=True, capture_output=True)
    return [word.strip() for word in out.read_text(encoding="utf-8").split("\n")]


def test_commands_and_the_flags_of_a_loop(tmp_path):
    assert {"opt2i", "llm2llm"} <= {*completions(tmp_path, "inloop ")}
    assert "--images-per-prompt" in completions(tmp_path, "inloop opt2i --im")
    assert {"rules", "llm"} <= {*completions(tmp_path, "inloop ask --router ")}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_line_for_a_shell(shell):
    command = [sys.executable, "-m", "inloop.app.cli.main", "completion", shell]
    script = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "inloop" in script and "_ARGCOMPLETE" in script
    if shell == "bash":
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
