"""What a machine cannot test is said at the end of a run, with the way to get it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def test_what_was_not_tested_is_listed_once_a_part(tmp_path):
    (tmp_path / "test_parts.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_server(n):\n    pytest.skip('no server: apt install server')\n"
        "def test_package():\n    pytest.importorskip('no_such_package', reason='no package: pip install package')\n",
        encoding="utf-8",
    )
    paths = os.pathsep.join([str(TESTS), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True,
    )  # fmt: skip
    *_, title, package, server, closing = done.stdout.splitlines()
    assert "not tested on this machine" in title
    assert package.split() == "1 x no package: pip install package".split()
    assert server.split() == "3 x no server: apt install server".split()
    assert "4 skipped" in closing


def test_a_missing_package_is_named_with_its_remedy():
    bare = []
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "importorskip":
                reason = next((one.value for one in node.keywords if one.arg == "reason"), None)
                if reason is None or (isinstance(reason, ast.Constant) and ": pip install" not in reason.value):
                    bare.append(f"{path.relative_to(TESTS)}:{node.lineno}")
    assert bare == []
