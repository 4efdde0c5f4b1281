"""The servers that `inloop serve` runs on this machine: one small file each in `cache_dir/serve`, named after the port.

The process that looks after a server holds a lock on its file's neighbour for as long as it lives; what the file says of a
server whose keeper is gone is history. Revisions stay readable then, so that the call ledger knows a server's models
without asking it. No key is written down.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from ..errors import PrerequisiteError
from ..http import ask, is_loopback
from ..records import Record
from ..storage import take, write_whole

__all__ = ["Keeper", "Served", "all_served", "coming_back", "find_served", "kept", "update"]

State = Literal["starting", "ready", "restarting", "failed", "stopped"]


class Served(Record):
    """One server. `models`: the ids that it answers to, the one to use first, with their revisions for the call ledger.

    `adapters`: the folders of those that are LoRA adapters; `flag`: what takes the models; `pid`: of the keeper.
    """

    url: str
    engine: str
    version: str
    state: State
    pid: int
    log: Path
    since: float
    models: dict[str, str]
    adapters: dict[str, str] = Field(default_factory=dict)
    flag: str = "--llm"
    restarts: int = 0
    note: str = ""

    @property
    def port(self) -> int:
        """The port, which also names its file."""
        return urlsplit(self.url).port or 0

    def with_adapter(self, name: str, folder: str, revision: str) -> Served:
        """The same with one more adapter."""
        models, adapters = {**self.models, name: revision}, {**self.adapters, name: folder}
        return self.model_copy(update={"models": models, "adapters": adapters})

    def without_adapter(self, name: str) -> Served:
        """The same without an adapter."""
        models = {other: revision for other, revision in self.models.items() if other != name}
        adapters = {other: folder for other, folder in self.adapters.items() if other != name}
        return self.model_copy(update={"models": models, "adapters": adapters})

    @property
    def llm(self) -> str:
        """What to give to `flag`."""
        return f"{self.url}#{next(iter(self.models))}"


def _folder(cache_dir: Path) -> Path:
    return cache_dir / "serve"


def _read(path: Path) -> Served | None:
    try:
        return Served.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


class Keeper:
    """Holds a server's file; raises `PrerequisiteError` where another keeper has that port."""

    def __init__(self, cache_dir: Path, port: int) -> None:
        self.path = _folder(cache_dir) / f"{port}.json"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._lock: int | None = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        if not take(self._lock, patience=0.2):
            os.close(self._lock)
            raise PrerequisiteError(
                f"another `inloop serve` has the port {port}",
                remedy=f"leave --port out for a free one, or stop the other: inloop serve --stop {port}",
            )

    def write(self, served: Served) -> None:
        """Put down what there is to say."""
        write_whole(self.path, served.model_dump_json(indent=1).encode())

    def release(self) -> None:
        """Let the port go; may be called twice, from any thread."""
        with self._guard:
            lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def kept(served: Served, cache_dir: Path) -> bool:
    """Whether the keeper of a server lives."""
    try:
        lock = os.open(_folder(cache_dir) / f"{served.port}.lock", os.O_RDWR)
    except OSError:
        return False
    try:
        return not take(lock)
    finally:
        os.close(lock)


def all_served(cache_dir: Path) -> list[Served]:
    """The servers whose keepers live, the oldest first."""
    found = [served for path in _folder(cache_dir).glob("*.json") if (served := _read(path)) is not None]
    return sorted((served for served in found if kept(served, cache_dir)), key=lambda served: served.since)


def find_served(url: str, cache_dir: Path) -> Served | None:
    """The server at `url` if `inloop serve` runs it, or ran it there last; None for anybody else's."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return None
    host = urlsplit(url).hostname or ""
    served = _read(_folder(cache_dir) / f"{port}.json") if port else None
    if served is None:
        return None
    same = is_loopback(host) and is_loopback(urlsplit(served.url).hostname or "")
    return served if same or served.url == url else None


def update(served: Served, cache_dir: Path, change: Callable[[Served], Served]) -> Served:
    """Change a server's file from whatever it says now; one process at a time."""
    path = _folder(cache_dir) / f"{served.port}.json"
    path.parent.mkdir(parents=True, exist_ok=True)  # whoever tidied the cache must not bring a server down
    lock = os.open(path.with_suffix(".edit"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        take(lock, patience=5.0)
        changed = change(_read(path) or served)
        write_whole(path, changed.model_dump_json(indent=1).encode())
        return changed
    finally:
        os.close(lock)


def coming_back(url: str, cache_dir: Path) -> bool:
    """Whether the server at `url` is one of ours that is being started again, or will be once its keeper sees its end."""
    served = find_served(url, cache_dir)
    if served is None or not kept(served, cache_dir):
        return False
    if served.state != "ready":
        return served.state in ("starting", "restarting")
    try:
        return not ask(served.url.removesuffix("/v1") + "/health", timeout=2).ok
    except OSError:
        return True
