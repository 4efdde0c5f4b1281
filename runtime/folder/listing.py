"""The runs of a folder as a list, which has to be there at once for ten thousand of them, and the head of each: its `config.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import PrerequisiteError
from ..storage import disk_problem, take

__all__ = ["SCHEMA_VERSION", "Head", "RunInfo", "at_work", "list_runs", "read_head"]

SCHEMA_VERSION = 1


class Head(NamedTuple):
    """What `config.json` says of a run; see `RunFolder`."""

    id: str
    loop: str
    created: str
    config: dict[str, Any]
    about: tuple[str, ...]
    brought: Mapping[str, str]
    begun_in: str
    store: Mapping[str, str]
    mark: str


class RunInfo(NamedTuple):
    """One line of `inloop runs`. `note` says why a folder cannot be read, where it cannot; `about`: what the run is about."""

    id: str
    path: Path
    loop: str
    created: str
    state: Literal["finished", "running", "stopped", "unreadable"]
    note: str = ""
    about: tuple[str, ...] = ()


def list_runs(runs_dir: Path) -> list[RunInfo]:
    """The runs under `runs_dir`, oldest first; damaged folders and those of other versions are listed with a note."""
    found: list[tuple[str, int, RunInfo]] = []
    try:
        with os.scandir(runs_dir) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return []
    root = Path(runs_dir)
    for name in names:
        file_name = f"{runs_dir}/{name}/config.json"  # a Path for each file would take longer than reading it
        try:
            with open(file_name, "rb") as file:  # noqa: PTH123
                data, when = file.read(), os.fstat(file.fileno()).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problem = disk_problem(error, Path(file_name)).problem
            found.append(("", 0, RunInfo(name, root / name, "", "", "unreadable", problem)))
            continue
        folder = root / name
        try:
            head = read_head(folder, data)
        except PrerequisiteError as error:
            info = RunInfo(name, folder, "", "", "unreadable", error.problem)
        else:
            info = RunInfo(head.id, folder, head.loop, head.created, _state(f"{runs_dir}/{name}"), about=head.about)
        found.append((info.created, when, info))
    return [info for _, _, info in sorted(found, key=lambda entry: entry[:2])]


def _state(folder: str) -> Literal["finished", "running", "stopped"]:
    if at_work(folder):
        return "running"
    return "finished" if os.access(f"{folder}/result.json", os.F_OK) else "stopped"


def at_work(folder: str | Path) -> bool:
    """Whether a process of this machine works on the run in that folder now."""
    try:
        descriptor = os.open(f"{folder}/lock", os.O_RDWR)
    except OSError:
        return False
    try:
        return not take(descriptor)
    finally:
        os.close(descriptor)


def read_head(folder: Path, data: bytes) -> Head:
    """The head of the run in `folder` from the bytes of its `config.json`.

    Raises:
        PrerequisiteError: it is damaged, or of another version of inloop.
    """
    try:
        head = json.loads(data)
        if not isinstance(head, dict):
            raise ValueError("it is no JSON object")
    except ValueError as error:
        raise PrerequisiteError(
            f"{folder / 'config.json'} cannot be read: {error}",
            remedy="restore the file from a backup, or start the run anew.",
        ) from None
    version = head.get("schema_version")
    if version != SCHEMA_VERSION:
        raise PrerequisiteError(
            f"the run {folder} has schema version {version!r}; this inloop reads version {SCHEMA_VERSION}",
            remedy="use the inloop that made the run, or start it anew with what its config.json says.",
        )
    try:
        id, loop, created, config = head["run_id"], head["loop"], head["created"], head["config"]
        if not isinstance(config, dict):
            raise KeyError("config")
    except KeyError as error:
        raise PrerequisiteError(
            f"{folder / 'config.json'} has no {error.args[0]!r}", remedy="restore the file, or start the run anew."
        ) from None
    # a run of before `about` was written says it in its config
    old = next((config[name] for name in ("prompts", "questions", "train") if name in config), ())
    about = head.get("about", [old] if isinstance(old, str) else old)
    return Head(
        id=str(id), loop=str(loop), created=str(created), config=config, about=tuple(about), brought=head.get("brought", {}),
        begun_in=str(head.get("begun_in", "")), store=head.get("store") or {}, mark=str(head.get("mark", "")),
    )  # fmt: skip
