"""`inloop doctor`: looks at this machine and says, for each thing that is not right, what to do.

A check is one function that returns a `Finding`; it never raises and never loads model weights. `missing` stops a run
with the settings as they are, `note` does not. Nothing outside the machine is contacted, except a server that the
settings name: it is asked for its models and a plain question.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from ...runtime.errors import BadInput, InloopError, PrerequisiteError
from ...runtime.privacy import OFF, tracing
from ...runtime.registry import is_object, plugins, source
from ...runtime.roles import TOOLS
from ...runtime.settings import Settings
from ...runtime.store import StoreLocation
from .finding import Finding
from .named_servers import answering, language_model, listing, proxies
from .streams import json_text

__all__ = ["Finding", "doctor", "examine"]

_NEEDED = (
    "torch",
    "transformers",
    "diffusers",
    "safetensors",
    "langgraph",
    "openai",
    "pydantic",
    "xllamacpp",
    "jinja2",
    "rich",
)
_WANTED_BYTES = 2_000_000_000


def doctor(args: argparse.Namespace) -> int:
    """The command: 0 when nothing is missing, 3 otherwise."""
    findings = examine(Settings.load())
    missing = [f for f in findings if f.state == "missing"]
    if args.json:
        print(json_text({"ok": not missing, "findings": [f._asdict() for f in findings]}))
        return 3 if missing else 0
    marks = {"ok": "ok     ", "note": "note   ", "missing": "MISSING"}
    for finding in findings:
        print(f"{marks[finding.state]}  {finding.name:<14} {finding.text}")
        if finding.remedy:
            print(f"{'':<9}{'':<15}-> {finding.remedy}")
    print()
    if missing:
        many = f"{len(missing)} thing{'s' if len(missing) > 1 else ''}"
        print(f"{many} to mend before a run: {', '.join(f.name for f in missing)}")
        return 3
    print('Everything is ready: inloop opt2i "a green pentagram over a spaceship"')
    return 0


def examine(settings: Settings) -> list[Finding]:
    """All checks, in the order in which they are shown."""
    findings = [_python(), *_packages(), *_plugins(), _devices(settings), _memory()]
    findings += [*_telemetry(), *proxies(settings), *_models(settings)]
    findings += [
        *language_model(settings),
        *_serving(settings),
        _writable("runs folder", settings.runs_dir),
        *_store(settings),
    ]
    findings += [_writable("cache", settings.cache_dir), _disk(settings)]
    return findings


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"
    return Finding("python", "ok", text)


def _packages() -> Iterable[Finding]:
    versions, absent = [], []
    for name in _NEEDED:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    if absent:
        yield Finding(
            "packages", "missing", f"not installed: {', '.join(absent)}", "pip install -c constraints.txt -e ."
        )
    else:
        yield Finding("packages", "ok", ", ".join(versions[:6]))


def _plugins() -> Iterable[Finding]:
    """What installed packages add to inloop, each part imported."""
    named: dict[str, list[str]] = {}
    for group, points in sorted(plugins().items()):
        for name, given in sorted(points.items()):
            part = f"{group.removeprefix('inloop.')} {name}"
            packages = [source(point) for point in given]
            if len(given) > 1:
                yield Finding("plugin", "note", f"{part} is given by {' and '.join(packages)}", "remove one of them.")
                continue
            try:
                given[0].load()
            except Exception as error:  # a package may fail to be imported in any way
                why = f"{part} of {packages[0]} cannot be imported ({type(error).__name__}: {error})"
                yield Finding("plugin", "note", why, "mend the package, or remove it.")
                continue
            named.setdefault(packages[0], []).append(part)
    for package, parts in named.items():
        yield Finding("plugin", "ok", f"{package}: {', '.join(parts)}")


def _devices(settings: Settings) -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("devices", "missing", "torch is not installed", "pip install -c constraints.txt -e .")
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding(
            "devices", "missing", f"torch cannot be loaded: {error}", "install torch again for this machine."
        )
    found = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    found.append(f"cpu with {torch.get_num_threads()} threads")
    kind = settings.device.split(":")[0]
    if kind not in ("auto", "cpu") and not any(f.startswith(kind) for f in found):
        return Finding(
            "devices", "missing", ", ".join(found), f"device = {settings.device!r} is not there: use auto or cpu."
        )
    return Finding("devices", "ok", ", ".join(found))


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return Finding("memory", "note", "how much there is cannot be told on this system")
    text = f"{total / 1e9:.1f} GB"
    if total < 3e9:
        return Finding("memory", "note", text, "under 3 GB: close other programs, or use --candidates 3.")
    return Finding("memory", "ok", text)


def _models(settings: Settings) -> Iterable[Finding]:
    from ...runtime.models import bundled, find
    from ...tools.vision import judges_of

    for role, name, chosen in (
        ("painter", "painter", settings.images == "mini"),
        ("vqa", "vqa", settings.vqa == "mini"),
        ("clip", "clip", settings.clip == "mini"),
        ("writer", "writer", settings.llm == "mini-writer"),
        ("promptcap", "promptcap", False),
        ("answerer", "answerer", settings.llm == "mini-answerer"),
    ):
        yield _checked(role, chosen, lambda name=name: bundled(name))  # type: ignore[misc]
    chosen = settings.llm in ("mini-writer", "mini-answerer", "smollm2")
    path = find("smollm2", settings.cache_dir)
    if path is not None:
        yield Finding("smollm2", "ok", str(path))
    else:
        yield Finding(
            "smollm2", "missing" if chosen else "note", "not fetched yet (98 MB)", "inloop models --fetch smollm2"
        )
    judges = [("vqa", spec) for spec in judges_of(settings.vqa)]
    for role, spec in (("images", settings.images), *judges, ("clip", settings.clip)):
        name = spec.removeprefix("pictures:" if role == "images" else "").partition("?")[0]
        if name == "mini":
            continue
        if spec.startswith(("http://", "https://")):
            yield from answering(role, spec, settings) if role == "vqa" else listing(role, spec, settings)
        elif is_object(name) or name in TOOLS:
            yield Finding(role, "ok", f"your own: {spec}")
        elif Path(name).is_dir():
            yield Finding(role, "ok", f"folder {name}")
        elif role == "vqa" and Path(name).is_file():
            yield Finding(role, "ok", f"certificate {name}")
        else:
            yield _hub(role, spec)


def _hub(role: str, spec: str) -> Finding:
    root = Path(
        os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser() / "hub"
    )
    if (root / f"models--{spec.replace('/', '--')}" / "snapshots").is_dir():
        return Finding(role, "ok", f"{spec}, in the local hub cache")
    remedy = f"it is fetched at the first run, with a network; ahead of time: hf download {spec}"
    return Finding(role, "note", f"{spec} is not in the local hub cache", remedy)


def _checked(role: str, chosen: bool, check: Callable[[], Path]) -> Finding:
    try:
        return Finding(role, "ok", str(check()))
    except PrerequisiteError as error:
        return Finding(role, "missing" if chosen else "note", error.problem, error.remedy)
    except InloopError as error:
        return Finding(role, "missing" if chosen else "note", str(error))


def _telemetry() -> Iterable[Finding]:
    """The installed libraries that have usage statistics, and whether these are off; what sends runs elsewhere."""
    there = [package for package in OFF if importlib.util.find_spec(package.replace("-", "_")) is not None]
    on = [package for package in there if any(os.environ.get(name) != value for name, value in OFF[package].items())]
    if on:
        yield Finding(
            "telemetry",
            "note",
            f"not off: {', '.join(on)}",
            "import inloop before them, and leave its variables as they are.",
        )
    elif there:
        yield Finding("telemetry", "ok", f"off: {', '.join(there)}")
    if variable := tracing():
        yield Finding(
            "tracing",
            "note",
            f"{variable} is set: LangGraph sends the states of runs to LangSmith",
            f"unset {variable}, if that is not meant.",
        )


def _serving(settings: Settings) -> Iterable[Finding]:
    """VLLM and the servers of inloop: never a reason to stop, since the embedded server is always there."""
    from ...runtime.serving import all_served, build_for_this_machine, find_vllm, no_place

    reason = no_place()
    if reason is not None:
        yield Finding("vllm", "note", reason, "inloop serve uses the embedded server here.")
    else:
        try:
            found = find_vllm(settings)
        except PrerequisiteError as error:
            yield Finding("vllm", "missing", error.problem, error.remedy)
        else:
            size = f"{build_for_this_machine().disk / 1e9:.1f} GB"
            if found is None:
                yield Finding("vllm", "note", "not installed", f"inloop serve --install makes it ({size}); optional.")
            else:
                yield Finding("vllm", "ok", f"{found.version} at {found.python}")
    for served in all_served(settings.cache_dir):
        yield Finding("serving", "ok", f"{served.state}: {served.flag} {served.llm} ({served.engine} {served.version})")


def _writable(name: str, folder: Path) -> Finding:
    at = folder.absolute()
    while not at.exists() and at != at.parent:
        at = at.parent
    if at.is_dir() and os.access(at, os.W_OK | os.X_OK):
        return Finding(name, "ok", str(folder) if at == folder.absolute() else f"{folder} (is made when needed)")
    why = f"{at} is not a folder" if not at.is_dir() else f"{at} cannot be written"
    variable = {
        "runs folder": "--out or INLOOP_RUNS_DIR",
        "store": "INLOOP_STORE",
        "blobs": "INLOOP_BLOBS",
        "cache": "INLOOP_CACHE_DIR",
    }[name]
    return Finding(name, "missing", why, f"choose another folder with {variable}.")


def _store(settings: Settings) -> Iterable[Finding]:
    """Where calls, votes and blobs are kept: a server is asked whether it lets us in."""
    try:
        at = StoreLocation.named_by(settings)
        if isinstance(at.database, Path):
            yield _writable("store", at.database)
        else:
            yield Finding("store", "ok", f"{at.database} ({at.server()})")
        if isinstance(at.blobs, str):
            at.open_blobs().prepare()
            yield Finding("blobs", "ok", at.blobs)
        elif at.database != at.blobs.parent:
            yield _writable("blobs", at.blobs)
    except BadInput as error:
        yield Finding("store", "missing", str(error))
    except PrerequisiteError as error:
        yield Finding("store", "missing", error.problem, error.remedy)


def _disk(settings: Settings) -> Finding:
    at = settings.runs_dir.absolute()
    while not at.exists():
        at = at.parent
    free = shutil.disk_usage(at).free
    text = f"{free / 1e9:.1f} GB free at {at}"
    if free < 200_000_000:
        return Finding("disk", "missing", text, "free some space: a run writes its images and its ledger.")
    if free < _WANTED_BYTES:
        return Finding("disk", "note", text, "enough for small runs only.")
    return Finding("disk", "ok", text)
