"""What tells whether two processes read the same: the ids of a run's tasks and the bytes of the files that its config names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..store import canonical_json, file_sha256

__all__ = ["inputs_of"]

_WRITTEN = {"out", "to"}
"""Fields that name what a run writes."""


def inputs_of(config: BaseModel, tasks: Mapping[str, Any], cache_dir: Path) -> dict[str, str]:
    """By name, a sha256: of the tasks (ids in their order, with texts and records), and of each file that a field of the config names.

    Of a folder nothing but its place in the config is looked at, unless the tasks are made of what is in it.
    """
    shown = {id: task if isinstance(task, str | int | BaseModel) else None for id, task in tasks.items()}
    listed = canonical_json(list(shown.items()), "the tasks of a run")
    return {"the list of tasks": hashlib.sha256(listed.encode("ascii")).hexdigest()} | {
        f"the file of {name!r}": file_sha256(path, cache_dir) for name, path in _files(config)
    }


def _files(config: BaseModel) -> Iterator[tuple[str, Path]]:
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, str | Path) and value and name not in _WRITTEN and _is_file(path := Path(value)):
            yield name, path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that is no path
        return False
