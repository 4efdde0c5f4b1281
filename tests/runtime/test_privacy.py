"""Usage statistics are off before a library is imported that has them, and loopback is excepted from the proxies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inloop.runtime.privacy import OFF, keep_private, tracing


def test_everything_is_switched_off_whatever_was_set_before() -> None:
    variables = {name: value for off in OFF.values() for name, value in off.items()}
    environ = dict.fromkeys(variables, "other")
    keep_private(environ)
    assert environ == variables | {"DO_NOT_TRACK": "1"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"HTTP_PROXY": ""}, {}),
        ({"HTTP_PROXY": "http://p"}, dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,127.0.0.0/8,::1")),
        ({"all_proxy": "socks5://p", "NO_PROXY": "a.b, localhost"}, {"NO_PROXY": "a.b,localhost,127.0.0.1,127.0.0.0/8,::1"}),
        ({"https_proxy": "http://p", "no_proxy": "*"}, {"no_proxy": "*"}),
    ],
)  # fmt: skip
def test_only_the_exceptions_change_and_only_where_there_is_a_proxy(
    before: dict[str, str], after: dict[str, str]
) -> None:
    environ = dict(before)
    keep_private(environ)
    assert {name: value for name, value in environ.items() if "no_proxy" in name.lower()} == after
    assert before.items() - after.items() <= environ.items() | {("NO_PROXY", "a.b, localhost")}


def test_tracing_is_what_the_user_set() -> None:
    assert tracing({}) == tracing({"LANGSMITH_TRACING": "false"}) == ""
    assert tracing({"LANGCHAIN_TRACING_V2": "true"}) == "LANGCHAIN_TRACING_V2"


def test_a_script_and_its_children_say_nothing_and_leave_no_device_id(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime: pip install 'inloop[ocr]'")
    script = (
        "import inloop, huggingface_hub.constants as hub, subprocess, sys, diffusers.utils.import_utils, onnxruntime\n"
        "assert hub.HF_HUB_DISABLE_TELEMETRY\n"
        "subprocess.run([sys.executable, '-c', 'import onnxruntime'], check=True)\n"
    )
    quiet = {name for off in OFF.values() for name in off} | {"DO_NOT_TRACK"}
    env = {name: value for name, value in os.environ.items() if name not in quiet}
    env |= {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.rglob("*deviceid*")] == []
