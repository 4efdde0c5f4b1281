"""What the README promises under "What leaves your machine", held by real commands in processes of their own.

Each command runs twice: where every request would go through a proxy that writes it down, and in a network that has loopback
alone and whose kernel counts the packets that found no route.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from subprocess import CompletedProcess, run

import network
import pytest
import rag_files

from inloop.runtime import models
from inloop.runtime.privacy import OFF
from inloop.runtime.settings import Settings

SMALL = ("--iterations", "1", "--candidates", "2", "--images-per-prompt", "1", "--heldout-seeds", "2", "--no-baselines")
KEY = "sk-this-is-secret-0123456789"

# name: (the commands, extras that they need besides)
COMMANDS: dict[str, tuple[list[list[str]], str]] = {
    "score": ([["score", "pictures", "prompts.txt", "--metric", "cosine", "--out", "runs"]], ""),
    "opt2i": ([["opt2i", "a green disc above a yellow box", *SMALL]], ""),
    "judges": ([["score", "pictures", "prompts.txt", "--metric", "dsg,vqascore,clipscore", "--out", "runs"]], ""),
    "ask": ([["index", "docs", "--to", "lancedb:///./index"], ["ask", "When was the bridge built?", "--index", "lancedb:///./index"]],
            "lancedb"),
    "vqa": ([["vqa", "pictures/0.png", "which colour is it?", "--ocr", "rapidocr"]], "rapidocr"),
    "llm2llm": ([["llm2llm", "rows.jsonl", "--teacher", "oracle:rows.jsonl", "--student", "embedding", "--steps", "1", "--seeds-per-class", "2",
                  "--verifier", "none"]], "sklearn"),
    "others": ([["score", "pictures", "prompts.txt", "--metric", "cosine", "--out", "runs"], ["report"], ["models"], ["config"],
                ["runs"], ["doctor"], ["completion", "bash"], ["certify"], ["--version"]], ""),
}  # fmt: skip


def _files(folder: Path) -> None:
    (folder / "pictures").mkdir()
    for place, colour in enumerate(("red", "blue")):
        (folder / "pictures" / f"{place}.png").write_bytes(rag_files.png(colour))
    (folder / "prompts.txt").write_text("a red box\na blue disc\n", encoding="utf-8")
    (folder / "docs").mkdir()
    (folder / "docs" / "bridge.md").write_text(
        "# The bridge\n\nThe bridge was built in 1874 by Ada Quill.\n", encoding="utf-8"
    )
    rows = [
        {"text": f"{word} {count}", "label": label}
        for count in range(8)
        for word, label in (("sun", "day"), ("moon", "night"))
    ]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def _environment(folder: Path) -> dict[str, str]:
    """A user's, on whose machine nothing is switched off, with the models that were fetched before."""
    hidden = {name for off in OFF.values() for name in off} | {"DO_NOT_TRACK"}
    env = {name: value for name, value in os.environ.items() if name not in hidden and "proxy" not in name.lower()}
    env = {name: value for name, value in env.items() if not name.startswith("INLOOP_")}
    kept = {"INLOOP_CACHE_DIR": str(Settings().cache_dir), "INLOOP_API_KEY": KEY, "INLOOP_DEVICE": "cpu"}
    return env | kept | {"XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}


def _check(done: CompletedProcess[str], folder: Path, command: list[str]) -> None:
    assert done.returncode in (0, 1, 3), f"{command}: {done.stderr}"  # a small model may find no answer
    assert "Traceback" not in done.stderr
    assert [str(path) for path in folder.rglob("*deviceid*")] == []
    for path in folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), f"the key is in {path}"
    assert KEY not in done.stdout + done.stderr


@pytest.fixture(params=[pytest.param(name, marks=[] if name == "score" else pytest.mark.slow) for name in COMMANDS])
def commands(request: pytest.FixtureRequest, tmp_path: Path) -> list[list[str]]:
    listed, extra = COMMANDS[request.param]
    if extra:
        pytest.importorskip(extra, reason=f"{extra}: make dev")
    if request.param in ("opt2i", "ask", "vqa") and models.find("smollm2", Settings().cache_dir) is None:
        pytest.skip("SmolLM2 is not fetched: inloop models --fetch smollm2")
    _files(tmp_path)
    return [[sys.executable, "-m", "inloop.app.cli.main", *command] for command in listed]


def test_what_leaves_your_machine_is_nothing(commands: list[list[str]], tmp_path: Path) -> None:
    env = _environment(tmp_path)
    with network.logging_proxy() as proxy:
        for command in commands:
            _check(
                run(command, env=env | proxy.variables, cwd=tmp_path, capture_output=True, text=True), tmp_path, command
            )
    assert proxy.asked == []
    if not network.unroutable():
        pytest.skip(network.HOW)
    for command in commands:
        done, lost = network.without_a_route(command, env, tmp_path)
        _check(done, tmp_path, command)
        assert lost == 0, f"{command}: {done.stderr}"
    for report in tmp_path.rglob("report.html"):
        text = report.read_text(encoding="utf-8")
        assert not re.search(
            r"<script|@import|<link[^>]*href=\"(?!data:)|\b(?:src|poster|action)=\"(?!data:)|url\((?!['\"]?data:)", text
        ), report


def test_what_is_counted_is_seen(tmp_path: Path) -> None:
    """Else the test above would see nothing: a name is looked up, an address is tried, a proxy is asked."""
    if not network.unroutable():
        pytest.skip(network.HOW)
    env = _environment(tmp_path)
    for host in ("192.0.2.1", "2001:db8::1"):  # addresses that are for documentation
        script = f"import socket; socket.create_connection(({host!r}, 80), timeout=5)"
        done, lost = network.without_a_route([sys.executable, "-c", script], env, tmp_path)
        assert lost > 0 and done.returncode == 1
    with network.logging_proxy() as proxy:
        script = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')"
        run([sys.executable, "-c", script], env=env | proxy.variables, capture_output=True)
    assert proxy.asked == ["GET http://192.0.2.1/ HTTP/1.1"]
