"""Which blobs a run's folder refers to: what must be in a store for its pictures to be seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..store import BlobStore

__all__ = ["files_of", "missing_blobs", "shown_blobs"]

_TO_GO_ON = ("lock", "checkpoints.sqlite")


def files_of(run: Path) -> list[Path]:
    """The files of a run's folder that say what came of it; those that only going on needs are left out."""
    return sorted(path for path in run.rglob("*") if path.is_file() and not path.name.startswith(_TO_GO_ON))


def shown_blobs(run: Path) -> set[str]:
    """The sha256 of every blob that is referred to, as a `BlobRef`, in a JSON or JSONL file of the folder."""
    return {sha for path in files_of(run) for value in _contents(path) for sha in _refs(value)}


def missing_blobs(run: Path, blobs: BlobStore) -> list[str]:
    """The sha256 of those that the store does not have."""
    return sorted(sha for sha in shown_blobs(run) if not blobs.has(sha))


def _contents(path: Path) -> Iterator[Any]:
    """The values of a file; none of one that is no JSON, or of a line that a crash tore."""
    if path.suffix not in (".json", ".jsonl"):
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    for piece in [text] if path.suffix == ".json" else text.split("\n"):
        try:
            yield json.loads(piece)
        except ValueError:
            continue


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if set(value) == {"sha256", "media_type", "bytes"}:
            yield value["sha256"]
        else:
            for each in value.values():
                yield from _refs(each)
    elif isinstance(value, list):
        for each in value:
            yield from _refs(each)
