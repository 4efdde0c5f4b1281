"""The folder of one run: what was asked, what happened, what came out.

    runs/<id>/config.json   events.jsonl   result.json   report.html   checkpoints.sqlite   lock

Invariants: `config.json` and `result.json` are there whole or not at all; `events.jsonl` only grows, and a line torn by
a crash is passed over; one process at a time works on a run (the operating system frees the lock of a dead one).
A folder of another schema version is refused, never guessed at.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import shlex
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import BadInput, PrerequisiteError
from ..settings import Settings
from ..storage import disk_problem, take
from ..store import StoreLocation
from .begun_with import kept_at, named_from
from .files import EventLog, fingerprint, plain, read_json, write_json
from .listing import SCHEMA_VERSION, at_work, list_runs, read_head
from .places import found_from
from .references import missing_blobs
from .result import RunResult

__all__ = ["RunFolder", "discarded_if_refused", "latest"]

ModelT = TypeVar("ModelT", bound=BaseModel)
_WORKERS = "workers"
ENGINE = "engine"
"""In the place of a worker's name, in what is told by the one who started the workers."""
_BEFORE_ANYTHING = ("run_started", "models", "worker_joined", "worker_left")
# what a run makes before it does anything
_OF_NO_WORTH = {"config.json", "events.jsonl", "lock", "spans.jsonl"} | {
    f"checkpoints.sqlite{end}" for end in ("", "-shm", "-wal")
}


class RunFolder:
    """An open run folder; make one with `create`, find one with `open`."""

    def __init__(
        self,
        path: Path,
        *,
        id: str,
        loop: str,
        created: str,
        config: dict[str, Any],
        about: Sequence[str] = (),
        brought: Mapping[str, str] | None = None,
        begun_in: str = "",
        store: Mapping[str, str] | None = None,
        mark: str = "",
    ) -> None:
        self.path = path
        self.mark = mark or str(path)
        """What tells this folder from others of the same run, on whichever machine and under whichever path it is looked at."""
        self.begun_in = begun_in
        """The working folder of the process that began it, which relative paths of its config are from."""
        self.id = id
        self.loop = loop
        self.created = created
        self.config = config
        self.about, self.brought = tuple(about), dict(brought or {})
        self._begun_with = dict(store or {})
        self._log = EventLog(path / "events.jsonl")

    @classmethod
    def create(
        cls,
        runs_dir: Path,
        loop: str,
        config: Mapping[str, Any] | BaseModel,
        *,
        about: Sequence[str] = (),
        brought: Mapping[str, str] | None = None,
        store: StoreLocation | None = None,
    ) -> RunFolder:
        """A new folder under `runs_dir`, named after the loop, the time (UTC) and the config: `opt2i-20260101-093000-ab12`.

        `about`: what the run is about, for lists of runs; `brought`: what it was given as Python objects, in words; `store`: where it keeps what
        it pays for. Where that is not in `runs_dir`, so that runs of other folders stand there too, the name ends in a random number.
        """
        if not re.fullmatch(r"[a-z0-9_]+", loop):
            raise BadInput(f"loop name {loop!r}: use small letters, digits and underscores.")
        content = plain(config)
        now = datetime.now(UTC)
        stem = f"{loop}-{now:%Y%m%d-%H%M%S}-{fingerprint(content)[:4]}"
        if store is not None and not Path(store.database).is_relative_to(Path(runs_dir).absolute()):
            stem += f"-{secrets.token_hex(4)}"
        number = 1
        while True:
            id = stem if number == 1 else f"{stem}-{number}"
            path = Path(runs_dir) / id
            try:
                Path(runs_dir).mkdir(parents=True, exist_ok=True)
                path.mkdir()
                break
            except FileExistsError:
                if not Path(runs_dir).is_dir():
                    raise BadInput(f"{str(runs_dir)!r} is a file: give a folder for the runs.") from None
                number += 1
            except OSError as error:
                raise disk_problem(error, path) from error
        run = cls(
            path,
            id=id,
            loop=loop,
            created=now.isoformat(timespec="seconds"),
            config=content,
            about=about,
            brought=brought,
            begun_in=str(Path.cwd()),
            store=named_from(Path(runs_dir), store),
            mark=secrets.token_hex(4),
        )
        write_json(path / "config.json", {**run.head, "mark": run.mark})
        return run

    @classmethod
    def restored(cls, runs_dir: Path, head: Mapping[str, Any]) -> RunFolder:
        """A folder on this machine for a run that was begun on another one, from the `head` of its own."""
        path = Path(runs_dir) / str(head["run_id"])
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_problem(error, path) from error
        if not (path / "config.json").exists():
            write_json(path / "config.json", {**head, "mark": secrets.token_hex(4)})
        return cls.open(runs_dir, path)

    @property
    def head(self) -> dict[str, Any]:
        """What `config.json` of each of its folders says: what was asked, and of what the run is."""
        named = {"schema_version": SCHEMA_VERSION, "run_id": self.id, "loop": self.loop, "created": self.created}
        about = {"config": self.config, "begun_in": self.begun_in, "about": list(self.about)}
        given = {"brought": dict(self.brought), "store": self._begun_with}
        return named | about | {name: value for name, value in given.items() if value}

    @classmethod
    def open(cls, runs_dir: Path, name: str | Path) -> RunFolder:
        """The run of an id in `runs_dir`, or of the path of its folder; `"latest"` is the newest one.

        Raises:
            BadInput: there is no such run.
            PrerequisiteError: the folder is damaged, or of another version of inloop.
        """
        if str(name) == "latest":
            newest = latest(runs_dir)
            if newest is None:
                raise BadInput(f"there is no run in {str(runs_dir)!r} yet; `inloop runs` lists them.")
            return newest
        choices = [Path(runs_dir) / name, Path(name)] if str(name) else []
        path = next((choice for choice in choices if (choice / "config.json").is_file()), None)
        if path is None:
            raise BadInput(
                f"there is no run {str(name)!r} in {str(runs_dir)!r}: no config.json under that name."
                " `inloop runs` lists the runs of a folder, --out names the folder."
            )
        try:
            head = read_head(path, (path / "config.json").read_bytes())
        except OSError as error:
            raise disk_problem(error, path / "config.json") from error
        return cls(path.resolve(), **head._asdict())

    @property
    def resume_command(self) -> str:
        """What goes on with the run, as a shell takes it."""
        return f"inloop resume {shlex.quote(str(self.path))}"

    @property
    def work_command(self) -> str:
        """What makes a process one of several workers on the run."""
        return f"inloop work {shlex.quote(str(self.path))}"

    @property
    def report_path(self) -> Path:
        """Where the HTML report goes."""
        return self.path / "report.html"

    @property
    def spans_path(self) -> Path:
        """Where spans go with `Settings.spans`, unless OpenTelemetry is told otherwise."""
        return self.path / "spans.jsonl"

    @property
    def checkpoints_path(self) -> Path:
        """The SQLite file of the graph's checkpoints."""
        return self.path / "checkpoints.sqlite"

    def with_its_store(self, settings: Settings) -> Settings:
        """The settings with the store that the run was begun with, where that is there: in another one all would be paid anew."""
        kept = kept_at(self.path.parent, self._begun_with)
        return settings if kept is None else settings.model_copy(update=kept)

    def store_of(self, settings: Settings) -> StoreLocation:
        """Where the run's pictures are: a store that was named, the one it was begun with, one beside the run, the one of the settings; the first
        that has all.

        A run that was unpacked has them beside it, whatever store this machine has named; of stores that lack some, the one that
        lacks the fewest.
        """
        beside = self.path.parent / ".store"
        named = settings.store is not None or settings.blobs is not None
        stores = [
            StoreLocation.named_by(settings) if named else None,
            StoreLocation.named_by(self.with_its_store(settings)) if self._begun_with else None,
            StoreLocation.of(beside) if beside.is_dir() else None,
            StoreLocation.named_by(settings) if (settings.runs_dir / ".store").is_dir() else None,
        ]
        there = [store for store in dict.fromkeys(stores) if store is not None] or [StoreLocation.named_by(settings)]
        return min(there, key=self._lacking) if there[1:] else there[0]

    def _lacking(self, store: StoreLocation) -> float:
        """How many of the run's pictures are not in a store; more than any number where it cannot be reached."""
        try:
            return len(missing_blobs(self.path, store.open_blobs()))
        except PrerequisiteError:
            return math.inf

    @property
    def finished(self) -> bool:
        """Whether there is a result."""
        return (self.path / "result.json").is_file()

    def event(self, *events: Mapping[str, Any]) -> None:
        """Append events with the time (UNIX seconds, unless they have an `at`); safe from any thread."""
        self._log.append(*events)

    def events(self) -> list[dict[str, Any]]:
        """The events so far; lines torn by a crash are left out."""
        return self._log.read()

    def write_result(self, result: Mapping[str, Any] | BaseModel) -> None:
        """Write `result.json`, whole or not at all."""
        write_json(self.path / "result.json", plain(result))

    def keep_result(self, text: str) -> None:
        """Write a result that another process made, given as JSON, unless it is there."""
        if not self.finished:
            self.write_result(json.loads(text))

    def result(self) -> dict[str, Any]:
        """The content of `result.json`; `BadInput` where the run has no result yet."""
        if not self.finished:
            raise BadInput(f"the run {self.id!r} has no result yet; `inloop resume {self.id}` goes on with it.")
        return read_json(self.path / "result.json")

    def config_as(self, kind: type[ModelT]) -> ModelT:
        """The settings of the run; `PrerequisiteError` where `config.json` does not hold those of this loop.

        What they name by a relative path is found from any working folder.
        """
        try:
            return kind.model_validate(self._found(self.config, getattr(kind, "SUBJECT", "")))
        except ValidationError as error:
            raise PrerequisiteError(
                f"{self.path / 'config.json'} does not hold the settings of this loop: {error.errors()[0]['msg']}",
                remedy="restore the file, or start the run anew.",
            ) from None

    def result_as(self, kind: type[ModelT]) -> ModelT:
        """The result of the run; `BadInput` where there is none yet, `PrerequisiteError` for one of another version."""
        try:
            content = self.result()
            if isinstance(content.get("config"), dict):
                content["config"] = self._found(content["config"])
            result = kind.model_validate(content)
            return result.kept_in(self.store_of(Settings.load())) if isinstance(result, RunResult) else result
        except ValidationError as error:
            raise PrerequisiteError(
                f"{self.path / 'result.json'} is not a result of this version of inloop: {error.errors()[0]['msg']}",
                remedy=f"run `{self.resume_command}`; what was paid for is not paid again.",
            ) from None

    def _found(self, config: dict[str, Any], subject: str = "") -> dict[str, Any]:
        if not self.begun_in or Path(self.begun_in) == Path.cwd():
            return config
        return found_from(Path(self.begun_in), config, subject=subject)

    @contextlib.contextmanager
    def lock(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the run: one process (and one holder in it) at a time, or any number of them that hold it `shared`.

        The lock belongs to the operating system, so that of a killed process is free at once.

        Raises:
            PrerequisiteError: another process works on this run by itself, or, where it is not to be held `shared`, any.
        """
        path = self.path / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise disk_problem(error, path) from error
        try:
            if not take(descriptor, patience=0.2, shared=shared):
                holder = os.pread(descriptor, 200, 1).decode("utf-8", "replace").strip() if os.name != "nt" else ""
                if holder.startswith(_WORKERS):
                    raise PrerequisiteError(
                        f"workers are on the run {self.id!r} ({holder})",
                        remedy=f"join them: {self.work_command}; or wait for them or end them, then try again.",
                    )
                raise PrerequisiteError(
                    f"the run {self.id!r} is being worked on by another process ({holder or 'unknown'})",
                    remedy="wait for it or end it, then try again.",
                )
            os.ftruncate(descriptor, 0)
            # byte 0 is what Windows locks, so the text begins after it
            os.lseek(descriptor, 1, os.SEEK_SET)
            holder = f"{f'{_WORKERS}, the last one ' if shared else ''}pid {os.getpid()} on {socket.gethostname()}"
            os.write(descriptor, holder.encode())
            yield
        finally:
            os.close(descriptor)

    @property
    def locked(self) -> bool:
        """Whether a process works on this run now."""
        return at_work(self.path)

    def close(self) -> None:
        """Close the event file; may be called twice."""
        self._log.close()


@contextlib.contextmanager
def discarded_if_refused(folder: RunFolder) -> Iterator[RunFolder]:
    """A new run: one that is refused before anything was done leaves nothing behind; at the end its folder is closed."""
    try:
        yield folder
    except (BadInput, PrerequisiteError):
        folder.close()
        left = {path.name for path in folder.path.iterdir()} if folder.path.is_dir() else set()
        told = [event for event in folder.events() if event.get("worker") != ENGINE]
        begun = any(event.get("event") not in _BEFORE_ANYTHING for event in told)
        of_worth = [name for name in left - _OF_NO_WORTH if not (name.startswith("worker-") and name.endswith(".log"))]
        if left and not of_worth and not begun:
            with contextlib.suppress(
                OSError
            ):  # the refusal is what counts, and somebody may look at the folder just now
                for name in left:
                    (folder.path / name).unlink()
                folder.path.rmdir()
        raise
    finally:
        folder.close()


def latest(runs_dir: Path) -> RunFolder | None:
    """The newest readable run under `runs_dir`."""
    readable = [info for info in list_runs(runs_dir) if info.state != "unreadable"]
    return RunFolder.open(runs_dir, readable[-1].path) if readable else None
