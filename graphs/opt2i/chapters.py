"""The trials of a search as they lie in the blob store: a chapter a round, each with the address of the one before it."""

from __future__ import annotations

import json

from ...runtime.store import BlobStore
from .result import Trial

__all__ = ["chapters"]


def chapters(blobs: BlobStore, address: str, *, last: bool = False) -> list[Trial]:
    """Every trial of a chain of chapters in the order in which they were made; with `last` only those of the newest."""
    found: list[list[Trial]] = []
    while address:
        chapter = json.loads(blobs.get(address))
        found.insert(0, [Trial.model_validate(trial) for trial in chapter["trials"]])
        address = "" if last else chapter["before"]
    return [trial for group in found for trial in group]
