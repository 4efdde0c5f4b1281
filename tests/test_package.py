"""The package: what is in the wheel, and that the type checker looks at all of it."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]


def run(*command, cwd):
    return subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)


def sources():
    """Files of the repository: tracked, or new and not ignored."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout: what belongs to it cannot be told")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a clean copy: setuptools would put leftovers of `build/` into it."""
    copy = tmp_path_factory.mktemp("source")
    for name in sources():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    out = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy, cwd=copy)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    assert "Warning:" not in said, said[said.index("Warning:") - 200 :][:2000]
    [path] = out.glob("inloop-*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_code_folders(wheel):
    inside = [name for name in sources() if name.split("/")[0] in FOLDERS.values() and "/" in name]
    expected = {name if name.startswith("inloop/") else f"inloop/{name}" for name in inside}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert sorted(expected - found) == [], "in the repository and missing from the wheel: see pyproject.toml"
    assert sorted(found - expected) == [], "in the wheel and not in the repository"
    assert {"inloop/app/opt2i/report.html.j2", "inloop/runtime/py.typed"} <= found


def test_every_code_folder_is_listed_everywhere():
    typed = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert set(FOLDERS.values()) == typed
    code = re.search(r"^CODE\s*:=\s*(.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert code is not None and set(code[1].split()) == typed - {"inloop"}
    tree = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"{folder}/" in tree for folder in typed), "the tree in the README lacks a folder"


def test_it_works_from_the_wheel_alone(wheel, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    libraries = sysconfig.get_paths()["purelib"]
    code = f"""
import sys
sys.path[:0] = [{str(site)!r}]
sys.path.append({libraries!r})
from importlib import resources
import inloop.app.cli.main as cli, inloop.app.opt2i.report, inloop.prompts, inloop.graphs.opt2i.result, inloop.runtime.folder.run_folder
assert cli.__file__.startswith({str(site)!r}), cli.__file__
assert resources.files("inloop.app").joinpath("opt2i/report.html.j2").is_file()
names = inloop.prompts.names()
assert len(names) > 30
for name in names:
    assert inloop.prompts.load(name).text
sys.exit(cli.main(["runs"]))
"""
    # -S: no .pth files, so that an editable install cannot answer in the wheel's place
    done = run(sys.executable, "-S", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no runs" in done.stdout


def test_the_type_checker_sees_every_folder(tmp_path):
    """A planted error in each folder is found, and nothing else: a checker that looks at nothing finds 0 errors."""
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    for folder in FOLDERS.values():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
        (tmp_path / folder / "good.py").write_text("class Thing:\n    size: int = 1\n", encoding="utf-8")
        up = "." if folder == "inloop" else ".."
        (tmp_path / folder / "canary.py").write_text(
            f"from {up}runtime.good import Thing\n\nsize: str = Thing().size\n", encoding="utf-8"
        )
    assert run("make", "-s", "view", cwd=tmp_path).returncode == 0
    done = run(sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", cwd=tmp_path)
    found = re.findall(r"(\w+)/canary\.py:3: error: .*\[assignment\]", done.stdout)
    assert sorted(found) == sorted(FOLDERS.values()), done.stdout + done.stderr
    assert f"Found {len(FOLDERS)} errors" in done.stdout


def test_constraints_pin_what_is_needed():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[\w.]+", line) for line in pinned)
    assert pinned[0].startswith("torch==")
    names = {line.partition("==")[0] for line in pinned}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted_extras = ("dev", "train", "students", "rag", "qdrant", "pgvector", "postgres", "s3")
    for wanted in [*PROJECT["project"]["dependencies"], *(name for extra in wanted_extras for name in extras[extra])]:
        assert re.split(r"[\[>=<~! ]", wanted)[0].lower() in names, wanted


def test_what_is_pinned_installs_on_the_oldest_python_that_is_promised():
    """A release may ask for a later patch of Python: pip then finds none, on a Debian with 3.11.2 alone."""
    from importlib.metadata import PackageNotFoundError, metadata

    from packaging.specifiers import SpecifierSet

    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    refused = []
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, _, pinned = line.partition("==")
        try:
            found = metadata(name) if pinned else None
        except PackageNotFoundError:
            continue  # of another extra or system
        if found and not SpecifierSet(found.get("Requires-Python") or "").contains(f"{oldest.removeprefix('>=')}.0"):
            refused.append(f"{name} {found['Version']}: {found['Requires-Python']}")
    assert refused == []


@pytest.mark.parametrize("target", ["clean", "distclean"])
def test_cleaning_never_touches_runs(target):
    """`runs/` holds results, paid calls and checkpoints of trainings: no target may remove it."""
    done = run("make", "-n", target, cwd=ROOT)
    assert done.returncode == 0 and "rm -rf" in done.stdout
    assert "runs" not in done.stdout
