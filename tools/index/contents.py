"""What an index holds: documents, passages and pictures, how many of them have which vectors, and what the last runs left undone.

An index that was filled in part is read as it is: what lacks a vector is counted, and so is what a run did not come to.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ...runtime.passages import SPACES, Space, SpaceName
from ...runtime.records import Record

if TYPE_CHECKING:
    from ...runtime.protocols import Index

__all__ = [
    "COLLECTION",
    "Collection",
    "Contents",
    "Noted",
    "collections_of",
    "contents",
    "folder_size",
    "keep_collection",
]

COLLECTION = "collection"
"""The name in a passage's `meta` under which its collection stands."""
_RECORDS = "collections"
_MOST_REASONS = 100


class Noted(Record):
    """A file with what there is to say about it."""

    file: str
    reason: str


class Collection(Record):
    """What the last run over a folder knew of it; kept in the index. Times are seconds since 1970."""

    name: str
    folder: str
    chunk: int
    """Most characters of a passage."""
    begun: float
    ended: float | None = None
    """None while a run is under way, and after one that was killed."""
    files: int = 0
    failed: int = 0
    """Files that could not be read."""
    reasons: tuple[Noted, ...] = ()
    """Why, of the first hundred of them."""
    left: int = 0
    """Files that were not looked at, because the run was to stop."""


class Contents(Record):
    """What an index holds now, of all collections."""

    url: str
    documents: int = 0
    passages: int = 0
    pictures: int = 0
    vectors: dict[SpaceName, int] = Field(default_factory=dict)
    """By kind: passages that have such a vector."""
    lacking: dict[SpaceName, int] = Field(default_factory=dict)
    """By kind: passages that could have one, in an index that has vectors of this kind, and have none."""
    text: Space | None = None
    image: Space | None = None
    chunker: str = ""
    terms: str = ""
    bytes: int | None = None
    collections: tuple[Collection, ...] = ()
    pending: dict[str, int] = Field(default_factory=dict)
    """By collection: files of the last run that are neither in the index nor among those that failed."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing lacks a vector and no run left anything undone."""
        return not any(self.lacking.values()) and not self.pending


def folder_size(folder: Path) -> int:
    """Bytes of the files in a folder; one that vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += 0 if path.is_dir() else path.lstat().st_size
    return total


async def contents(index: Index) -> Contents:
    """Count what an index holds, in one walk over its passages.

    Raises:
        BadInput: its store cannot list what it holds.
        PrerequisiteError: the store cannot be read.
    """
    manifest = index.manifest
    if manifest is None:
        return Contents(url=index.url)
    documents: dict[str, set[str]] = {}
    passages = pictures = 0
    async for passage in index.iterate():
        documents.setdefault(str(passage.meta.get(COLLECTION, "")), set()).add(passage.document)
        passages += 1
        pictures += passage.image is not None
    vectors: dict[SpaceName, int] = {}
    lacking: dict[SpaceName, int] = {}
    for space in SPACES:
        if getattr(manifest, space) is not None:
            bare = [passage.fills(space) async for passage in index.iterate(without=space)]
            vectors[space], lacking[space] = passages - len(bare), sum(bare)
    collections = collections_of(index)
    pending = {
        each.name: number
        for each in collections
        if (number := each.files - each.failed - len(documents.get(each.name, ()))) > 0
        and (each.ended is None or each.left)
    }
    return Contents(
        url=index.url, documents=sum(map(len, documents.values())), passages=passages, pictures=pictures, vectors=vectors,
        lacking=lacking, text=manifest.text, image=manifest.image, chunker=manifest.chunker, terms=manifest.terms, bytes=await index.size(),
        collections=collections, pending=pending,
    )  # fmt: skip


def collections_of(index: Index) -> tuple[Collection, ...]:
    """What was kept of each collection, by name."""
    records = index.manifest.meta.get(_RECORDS, {}) if index.manifest is not None else {}
    return tuple(Collection.model_validate(record) for _, record in sorted(records.items()))


async def keep_collection(
    index: Index, collection: Collection, *, failed: Sequence[Noted] | None = None, left: int = 0
) -> None:
    """Keep what a run knows of its folder; with `failed` the run has ended. In an index that is empty and new nothing is kept."""
    if failed is not None:
        ended = {"failed": len(failed), "reasons": tuple(failed[:_MOST_REASONS]), "left": left, "ended": time.time()}
        collection = collection.model_copy(update=ended)
    records = {each.name: each for each in collections_of(index)} | {collection.name: collection}
    await index.annotate(_RECORDS, {name: each.model_dump(mode="json") for name, each in records.items()})
