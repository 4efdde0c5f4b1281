"""inloop installed without extras: whoever does not ask for what an extra brings does without it.

Everything is installed here, so processes are started that do not see what only extras bring. Which packages these are is read from
`pyproject.toml` and from what the installed packages require.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = PROJECT["tool"]["setuptools"]["packages"]

# neither found by an import or `find_spec` nor told by the metadata, as if it had never been installed
UNSEEN = """
import json, sys
from importlib.machinery import PathFinder

unseen = json.loads(sys.argv.pop(1))

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in unseen["modules"] else super().find_spec(name, path, target)

    @classmethod
    def find_distributions(cls, *context):
        found = super().find_distributions(*context)
        return (each for each in found if each.metadata["Name"] not in unseen["packages"])

sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


def installed(requirements: Iterable[str]) -> set[str]:
    """The installed packages that requirements bring, with what these require in turn."""
    brought: dict[str, set[str]] = {}
    left = [(Requirement(text), "") for text in requirements]
    while left:
        requirement, of_extra = left.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        wanted = {"", *requirement.extras} - brought.get(name, set())
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another system
            continue
        brought.setdefault(name, set()).update(wanted)
        left += [(Requirement(text), extra) for text in requires for extra in wanted]
    return set(brought)


@pytest.fixture(scope="module")
def unseen() -> dict[str, list[str]]:
    """What only extras bring: the names of the packages, and those of their modules."""
    base = installed(PROJECT["project"]["dependencies"])
    extras = PROJECT["project"]["optional-dependencies"].values()
    more = installed(text for texts in extras for text in texts) - base
    modules = metadata.packages_distributions()
    return {
        "packages": sorted({name for names in modules.values() for name in names if canonicalize_name(name) in more}),
        "modules": sorted(
            module for module, names in modules.items() if {canonicalize_name(name) for name in names} <= more
        ),
    }


def run(unseen: dict[str, list[str]], script: str, cwd: Path) -> str:
    """What a process without the extras prints."""
    command = [sys.executable, "-c", UNSEEN + script, json.dumps(unseen)]
    env = {**os.environ, "INLOOP_RUNS_DIR": str(cwd / "runs"), "INLOOP_STORE": str(cwd / "store")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout


def test_what_only_extras_bring_is_told_from_what_inloop_needs(unseen):
    of_extras = {
        "bm25s",
        "lancedb",
        "peft",
        "sklearn",
        "cv2",
        "rapidocr",
        "docx",
        "matplotlib",
        "starlette",
        "qdrant_client",
    }
    assert of_extras <= set(unseen["modules"]) and {"scikit-learn", "PyStemmer"} <= set(unseen["packages"])
    needed = {"torch", "transformers", "pydantic", "regex", "numpy", "inloop", "langgraph", "yaml", "PIL", "rich"}
    assert not needed & set(unseen["modules"])


def test_every_room_is_imported_with_every_name_of_its_face(unseen, tmp_path):
    script = f"""
import importlib
for room in {ROOMS!r}:
    face = importlib.import_module(room)
    for name in getattr(face, "__all__", ()):
        getattr(face, name)
print(len([name for name in sys.modules if name.startswith("inloop.")]))
"""
    assert int(run(unseen, script, tmp_path)) > 200


def test_every_command_shows_its_help(unseen, tmp_path):
    script = """
import contextlib, io
from inloop.app.cli.commands import COMMANDS
from inloop.app.cli.main import main
for arguments in ([], *([name] for name in COMMANDS)):
    with contextlib.redirect_stdout(io.StringIO()) as told:
        try:
            code = main([*arguments, "--help"])
        except SystemExit as end:
            code = end.code
    assert not code and told.getvalue().startswith("usage: inloop"), (arguments, code)
print(len(COMMANDS))
"""
    assert int(run(unseen, script, tmp_path)) >= 15


def test_a_question_about_a_caption_is_answered(unseen, tmp_path):
    script = """
import inloop
from inloop.testing import ScriptedChat
result = inloop.vqa(
    None, "which sport is this for?", caption="a motorcycle at a racing track",
    models={"llm": ScriptedChat(lambda messages: "racing")},
)
print(result.finding())
"""
    assert "which sport is this for? racing" in run(unseen, script, tmp_path)


def test_the_doctor_looks_around_and_what_needs_an_extra_names_it(unseen, tmp_path):
    (tmp_path / "mill.txt").write_text("The mill was built in 1891.", encoding="utf-8")
    script = """
from inloop.app.cli.main import main
codes = [main(["doctor"]), main(["index", ".", "--to", "lancedb:///./index", "--json"])]
sys.exit(0 if codes in ([0, 3], [3, 3]) else str(codes))
"""
    told = run(unseen, script, tmp_path)
    assert "ok       packages" in told and "pip install 'inloop[rag]'" in told
