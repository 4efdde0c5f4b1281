"""The files of a run folder: JSON that is there whole or not at all, and a log of events that only grows."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..errors import PrerequisiteError
from ..storage import disk_problem, write_whole
from ..text import json_bytes

__all__ = ["EventLog", "fingerprint", "plain", "read_json", "write_json"]


class EventLog:
    """One event a line. A line that was torn by a crash is passed over. Safe from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._guard = threading.Lock()

    def append(self, *events: Mapping[str, Any]) -> None:
        """Write events with the time (UNIX seconds, unless they have an `at`)."""
        now = round(time.time(), 3)
        lines = [json.dumps({"at": now, **event}, allow_nan=False, default=_record) for event in events]
        line = "".join(f"{each}\n" for each in lines).encode()
        with self._guard:
            try:
                if self._descriptor is None:
                    torn = self.path.exists() and self.path.stat().st_size > 0 and self.path.read_bytes()[-1:] != b"\n"
                    self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                    line = b"\n" + line if torn else line
                view = memoryview(line)
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                raise disk_problem(error, self.path) from error

    def read(self) -> list[dict[str, Any]]:
        """The events so far."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        events = []
        for line in lines:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    events.append(event)
        return events

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._guard:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def fingerprint(config: Mapping[str, Any] | BaseModel) -> str:
    """The sha256 of a config as JSON, in hexadecimal: the same settings give the same fingerprint."""
    text = json.dumps(plain(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Mapping[str, Any] | BaseModel) -> dict[str, Any]:
    """A record or a mapping as JSON has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    content: dict[str, Any] = json.loads(json.dumps(dict(value), default=_record))
    return content


def _record(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON: {value!r:.80}")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file whole."""
    write_whole(path, json_bytes(value, indent=1) + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object that a file holds; `PrerequisiteError` where it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError("it is no JSON object")
    except OSError as error:
        raise disk_problem(error, path) from error
    except ValueError as error:
        raise PrerequisiteError(
            f"{path} cannot be read: {error}", remedy="restore the file from a backup, or start the run anew."
        ) from None
    return value
