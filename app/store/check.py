"""What is wrong with a store: blobs that are not what their name says, values that refer to what is gone, calls that were paid twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...runtime.errors import PrerequisiteError
from ...runtime.folder import missing_blobs
from ...runtime.records import Record
from ...runtime.store import LEDGER_TABLES, BlobStore, Ledger, StoreLocation
from .rows import opened, pages, refs, slices

__all__ = ["AT_ONCE", "Check", "check"]

AT_ONCE = 16
"""Blobs that are read at once: in a bucket each is a way there and back."""


class Check(Record):
    """What was looked at and what is wrong. `altered`, `lost` and `paid_twice` hold sha256, sha256 by key, and keys; `runs`: blobs that a run's folder
    shows and the store does not have, by run.
    """

    store: str
    blobs: int
    bytes: int
    calls: int
    altered: tuple[str, ...]
    lost: dict[str, tuple[str, ...]]
    paid_twice: tuple[str, ...]
    runs: dict[str, int]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.altered or self.lost or self.paid_twice or self.runs)


def check(at: StoreLocation, runs: Iterable[Path], progress: Callable[[str], None]) -> Check:
    """Look at everything: each blob is read.

    Raises:
        PrerequisiteError: the store cannot be read.
    """
    blobs = at.open_blobs()
    sizes: dict[str, int] = {}
    altered: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for page in slices(blobs.listed()):
            sizes |= dict(page)
            whole = pool.map(lambda each: _is_whole(blobs, each[0]), page)
            altered += [sha for (sha, _), good in zip(page, whole, strict=True) if not good]
            progress(f"{len(sizes):,} blobs read")
    lost: dict[str, tuple[str, ...]] = {}
    calls = 0
    with opened(at, LEDGER_TABLES) as (_, connection):
        for rows in pages(connection, "key, value", "results", "seq"):
            calls += len(rows)
            for _, key, value in rows:
                gone = tuple(sha for sha, (size, _) in refs(value).items() if sizes.get(sha) != size)
                if gone:
                    lost[key] = gone
            progress(f"{calls:,} calls looked at")
    ledger = Ledger(at.tables("ledger"))
    try:
        twice = tuple(ledger.paid_twice())
    finally:
        ledger.close()
    lacking = {folder.name: len(missing_blobs(folder, blobs)) for folder in runs}
    return Check(
        store=str(at), blobs=len(sizes), bytes=sum(sizes.values()), calls=calls, altered=tuple(altered), lost=lost,
        paid_twice=twice, runs={name: count for name, count in lacking.items() if count},
    )  # fmt: skip


def _is_whole(blobs: BlobStore, sha: str) -> bool:
    try:
        blobs.get(sha)
    except PrerequisiteError as error:
        if "was altered" not in str(error):
            raise
        return False
    return True
