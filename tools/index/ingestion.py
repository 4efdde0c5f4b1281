"""A folder into an index, and again: what is new is added, what changed is replaced, what is gone is deleted.

Invariants:

- A document is in the index whole, under one version, or it is done again: `version` is the hash of its bytes and of how
  they are cut, and every passage says how many there are. So a run that was killed is simply run again.
- Passages of a new version are put in before those of the old one are taken out: a document never vanishes meanwhile.
- A document is unchanged when it also has the vectors that it would get now: an index that was made without an embedder, or
  by a run that was killed between two batches, gets what it lacks, in all its collections.
- One file's fault stops no other: it is in the report with its reason, and what was indexed of it before stays.
- Else nothing in the index is touched: a run's documents are those of its collection.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ...runtime.errors import BadInput, CallFailed, PrerequisiteError
from ...runtime.passages import And, Compare, Passage, SpaceName
from ...runtime.records import Record
from ..documents import (
    Chunker,
    Document,
    Hints,
    kinds_in_words,
    media_of,
    parse,
    pictures_of_pages,
    rules_of,
    unread_pages,
)
from .contents import COLLECTION, Collection, Noted, keep_collection
from .listing import beside, listing

if TYPE_CHECKING:
    from ...runtime.protocols import Captioner, Index, PageReader
    from ...runtime.store import BlobStore

__all__ = ["MAX_BYTES", "Ingested", "ingest"]

MAX_BYTES = 64_000_000
"""A larger file is reported and left out, unless a larger limit is given: it is read into memory whole."""
_BATCH = 256
_PDF = "application/pdf"
_LINK = "a link that leads out of the folder is not followed: index what it leads to by itself, or copy it here"

Progress = Callable[[int, int, str], None]
"""Called with the number of files done, of all files, and the name of the one that comes."""


class Ingested(Record):
    """What a run did, in documents, and what the index holds of the collection now."""

    collection: str
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    embedded: int = 0
    """Documents, of all collections, that were there unchanged and got vectors that they lacked."""
    deleted: int = 0
    passages: int = 0
    """Put in by this run."""
    failed: tuple[Noted, ...] = ()
    """Files that could not be read; what was indexed of them before is still there."""
    notes: tuple[Noted, ...] = ()
    skipped: dict[str, int] = Field(default_factory=dict)
    """How many files of kinds that are not read, by the end of their names."""
    left: int = 0
    """Files that were not looked at, because the run was to stop."""


@dataclass
class _Run:
    """Passages of many documents, put in together: an embedder is fastest with full batches."""

    index: Index
    collection: Collection
    replaced: set[str]
    """Documents of which the index holds something else."""
    waiting: list[Passage] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Documents that the embedder or the index did not take, with the reason."""
    put: int = 0

    async def add(self, passages: Sequence[Passage]) -> None:
        for passage in passages:
            self.waiting.append(passage)
            if len(self.waiting) >= _BATCH:
                await self.flush()

    async def flush(self) -> None:
        waiting, self.waiting = self.waiting, []
        try:
            await self.put_in(waiting)
        except (BadInput, CallFailed):  # of one passage: find out whose, and keep the others
            for document in dict.fromkeys(passage.document for passage in waiting):
                try:
                    await self.put_in([passage for passage in waiting if passage.document == document])
                except (BadInput, CallFailed) as error:
                    self.refused[document] = str(error)

    async def put_in(self, passages: Sequence[Passage]) -> None:
        """Put passages in; of a document that is whole now, what is of another version is taken out."""
        new = self.index.manifest is None
        await self.index.upsert(passages)
        if new and passages:
            await keep_collection(self.index, self.collection)
        self.put += len(passages)
        for last in passages:
            if last.part == last.parts - 1 and last.document in self.replaced and last.document not in self.refused:
                same = Compare(field="document", value=last.document)
                await self.index.delete(where=And(of=(same, Compare(field="version", op="ne", value=last.version))))


async def ingest(
    root: Path,
    index: Index,
    *,
    collection: str = "",
    chunker: Chunker | None = None,
    blobs: BlobStore | None = None,
    captioner: Captioner | None = None,
    ocr: PageReader | None = None,
    encoding: str = "",
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Ingested:
    """Bring the documents of a folder (or one file) into an index, so that they are as the folder is.

    A document's id is `COLLECTION/path`, with the folder's name as the collection unless one is given. A picture's
    caption is the text file beside it (`x.png.txt` or `x.txt`), else what `captioner` says. `ocr` reads the pages of a
    PDF that have no text or a broken one. A link that leads out of the folder is not followed. `encoding` is that of texts that
    are not UTF-8 and do not say theirs. `stop` is asked before each file;
    what was read until then is kept, and nothing is deleted.

    Raises:
        BadInput: the folder is not there or holds nothing that can be read, or the index was opened without an embedder of
            vectors that it holds.
        PrerequisiteError: a package, a model or the store is missing.
    """
    embeds = await index.embeds()
    chunker = chunker or Chunker()
    listed = listing(root)
    files, left = listed.files, 0
    collection = collection or _named(root.resolve().name) or "root"
    base = root if root.is_dir() else root.parent
    mine = Compare(field=f"meta.{COLLECTION}", value=collection)
    known = await _known(index, mine, embeds)
    record = Collection(name=collection, folder=str(root), chunk=chunker.size, begun=time.time(), files=len(files))
    await keep_collection(index, record)
    run = _Run(index, record, replaced=set(known))
    failed: list[Noted] = []
    notes = [Noted(file=_named(path.relative_to(base).as_posix()), reason=_LINK) for path in listed.links]
    outcomes: dict[str, str] = {}
    seen: set[str] = set()
    for done, path in enumerate(files):
        if stop():
            left = len(files) - done
            break
        name = _named(path.relative_to(base).as_posix())
        key = f"{collection}/{name}"
        seen.add(key)
        if progress is not None:
            progress(done, len(files), name)
        try:
            if _named(str(path)) != str(path):
                raise BadInput(f"the path {_named(str(path))!r} is not UTF-8: rename it.")
            data = _read(path, max_bytes)
            caption = _caption(path, listed.captions)
            version = _version(path, data, caption, chunker, captioner, ocr, encoding)
            if known.get(key) == {version}:
                outcomes[key] = "unchanged"
                continue
            hints = Hints(encoding=encoding, recognised=await _recognised(path, data, ocr, blobs))
            document = await _document(path, data, key, caption, blobs, captioner, hints)
            meta = {**document.meta, COLLECTION: collection}
            document = document.model_copy(update={"version": version, "source": str(path), "meta": meta})
            passages = chunker.passages(document)
            if not passages:
                raise BadInput(f"{name!r} holds no text.")
            await run.add(passages)
        except (BadInput, CallFailed) as error:
            failed.append(Noted(file=name, reason=str(error)))
            continue
        except FileNotFoundError:
            seen.discard(key)
            lost = "it is a link to what is not there" if path.is_symlink() else "it vanished while the folder was read"
            failed.append(Noted(file=name, reason=lost))
            continue
        except OSError as error:
            failed.append(Noted(file=name, reason=f"it cannot be read: {error.strerror or error}"))
            continue
        notes += [Noted(file=name, reason=note) for note in document.notes]
        outcomes[key] = "embedded" if known.get(key) == {_bare(version)} else "changed" if key in known else "added"
    await run.flush()
    late, unembedded = (0, 0) if left else await _complete(run, embeds, stop)
    left += unembedded
    for key, reason in run.refused.items():
        outcomes.pop(key, None)
        failed.append(Noted(file=key.removeprefix(f"{collection}/"), reason=reason))
    counts = Counter(outcomes.values())
    gone = sorted(set(known) - seen) if root.is_dir() and not left else []
    for key in gone:
        await index.delete(where=And(of=(mine, Compare(field="document", value=key))))
    if run.put or gone:
        await index.optimise()
    await keep_collection(index, record, failed=failed, left=left)
    if progress is not None and not left:
        progress(len(files), len(files), "")
    return Ingested(
        collection=collection, added=counts["added"], changed=counts["changed"], unchanged=counts["unchanged"],
        embedded=counts["embedded"] + late, deleted=len(gone), passages=run.put, failed=tuple(failed), notes=tuple(notes), skipped=listed.skipped,
        left=left,
    )  # fmt: skip


def _named(path: str) -> str:
    """A path that can be written down: bytes that are not UTF-8, which Python keeps as half letters, spelt out."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _read(path: Path, max_bytes: int) -> bytes:
    if not path.is_file():  # a pipe or a device with a harmless name would never end
        if path.exists():
            raise BadInput(f"{path.name!r} is no ordinary file.")
        raise FileNotFoundError(path)
    with path.open("rb") as opened:
        data = opened.read(max_bytes + 1)
        if len(data) > max_bytes:
            size = os.fstat(opened.fileno()).st_size
            raise BadInput(
                f"{path.name!r} has {size / 1e6:.0f} MB, more than the limit of {max_bytes / 1e6:.0f} MB: split it, or raise"
                " the limit (--max-mb)."
            )
    return data


def _caption(path: Path, captions: set[Path]) -> str:
    for near in beside(path) if media_of(path) == "image/*" else ():
        if near in captions or (not captions and near.is_file()):
            return near.read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _version(
    path: Path,
    data: bytes,
    caption: str,
    chunker: Chunker,
    captioner: Captioner | None,
    ocr: PageReader | None,
    encoding: str,
) -> str:
    media = media_of(path) or ""
    rules = f"rules {rules_of(media)} {encoding}{f' {ocr.model} {ocr.revision}' if ocr and media == _PDF else ''}"
    how = f"{chunker.key}\0{rules}\0{caption}\0{f'{captioner.model} {captioner.revision}' if captioner else ''}\0"
    return hashlib.sha256(how.encode("utf-8", "surrogatepass") + data).hexdigest()[:32]


async def _recognised(path: Path, data: bytes, ocr: PageReader | None, blobs: BlobStore | None) -> dict[int, str]:
    """By page, what `ocr` reads on the pages of a PDF that have no text of their own."""
    if ocr is None or blobs is None or media_of(path) != _PDF:
        return {}
    recognised = {}
    for number, picture in pictures_of_pages(data, path.name, unread_pages(data, path.name)):
        [recognised[number]] = await ocr.pages([blobs.put_image(picture)])
    return recognised


async def _document(
    path: Path, data: bytes, key: str, caption: str, blobs: BlobStore | None, captioner: Captioner | None, hints: Hints
) -> Document:
    media = media_of(path)
    if media is None:
        raise BadInput(f"{path.name!r} is of no kind that is read: {kinds_in_words()} are.")
    try:
        document = parse(data, media, id=key, name=path.name, blobs=blobs, caption=caption, hints=hints)
    except PrerequisiteError as error:  # a package that only files of this kind need: the others are read
        raise BadInput(f"{error.problem}: {error.remedy}") from None
    if document.image is not None and not caption and captioner is not None:
        [said] = await captioner.caption([(document.image, None)])
        document = document.model_copy(update={"text": said.strip()})
    return document


async def _complete(run: _Run, embeds: frozenset[SpaceName], stop: Callable[[], bool]) -> tuple[int, int]:
    """Give the vectors to what lacks them still: passages of other collections, and of files that can no longer be read.

    How many documents got theirs, and how many did not because the run was to stop.
    """
    bare: dict[str, list[str]] = {}
    for space in sorted(embeds):
        async for passage in run.index.iterate(without=space):
            if passage.fills(space) and passage.document not in run.refused:
                bare.setdefault(passage.document, []).append(passage.id)
    for done, (document, ids) in enumerate(bare.items()):
        if stop():
            await run.flush()
            return done, len(bare) - done
        passages = [passage for passage in await run.index.get(list(dict.fromkeys(ids))) if passage is not None]
        if all(passage.image is None for passage in passages):
            await run.add(passages)
            continue
        try:  # the picture itself may be in a store that is not this one
            await run.put_in(passages)
        except (BadInput, CallFailed, PrerequisiteError) as error:
            run.refused[document] = f"it lacks a vector; index its folder again: {error}"
    await run.flush()
    return sum(document not in run.refused for document in bare), 0


def _bare(version: str) -> str:
    return f"{version} without a vector"


async def _known(index: Index, mine: Compare, embeds: frozenset[SpaceName]) -> dict[str, set[str]]:
    """By document of the collection, the versions that the index holds; one that is there in part, or lacks a vector of those that
    it would get now, is named so.
    """
    bare = {
        passage.document
        for space in embeds
        async for passage in index.iterate(mine, without=space)
        if passage.fills(space)
    }
    parts: dict[tuple[str, str], tuple[int, int]] = {}
    async for passage in index.iterate(mine):
        have, _ = parts.get((passage.document, passage.version), (0, 0))
        parts[passage.document, passage.version] = have + 1, passage.parts
    known: dict[str, set[str]] = {}
    for (document, version), (have, wanted) in parts.items():
        name = f"{version} in part" if have != wanted else _bare(version) if document in bare else version
        known.setdefault(document, set()).add(name)
    return known
