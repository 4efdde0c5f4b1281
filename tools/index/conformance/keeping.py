"""The checks of what an `Index` keeps: what is put in, deleted, added later, and with what it was made."""

from __future__ import annotations

import asyncio

from ....runtime.passages import Compare, Passage, Query
from ....runtime.records import BlobRef
from ..filter import matches
from .expectations import Lacks, Opener, modes, opened, refuses, same
from .samples import LetterEmbedder, corpus

__all__ = [
    "deletes_delete",
    "manifest",
    "many_at_once",
    "put_and_get",
    "vectors_added",
    "vectors_later",
    "widening",
]


async def put_and_get(opener: Opener, lacks: Lacks) -> None:
    """What is put in comes back as it was; putting it again changes nothing; a new text takes the old one's place."""
    async with opened(opener) as index:
        same("count of a new index", None if lacks.listing else await index.count(), None if lacks.listing else 0)
        same("search in a new index", await index.search(["anything"], mode="dense"), [[]])
        odd = Passage(
            id='o\'dd "id" %_\\ ünï 漢',
            document="it's; DROP TABLE passages --",
            text='line\n\ttab "quotes" \\ back 🦊',
            title="T",
            headings=("A", "B's"),
            source="/tmp/a b'.md",
            page=3,
            version="v1",
            part=2,
            parts=7,
            start=5,
            end=40,
            meta={"year": 2020, "score": 0.5, "ok": True, "name": "x'y", "empty": ""},
        )
        await index.upsert([*corpus(), odd])
        same("get", await index.get([odd.id, "nobody"]), [odd, None])
        await index.upsert(corpus())
        await index.upsert([])
        if not lacks.listing:
            same("count after putting the same in again", await index.count(), len(corpus()) + 1)
            listed = [passage async for passage in index.iterate()]
            same("iterate", listed, sorted([*corpus(), odd], key=lambda p: p.id))
        changed = odd.model_copy(update={"text": "zzz zzz zzz"})
        await index.upsert([odd.model_copy(update={"text": "first of two"}), changed])
        same("get after a change", await index.get([odd.id]), [changed])
        [hits] = await index.search(["zzz zzz zzz"], k=1, mode="dense")
        same("search after a change", [hit.passage for hit in hits], [changed])


async def deletes_delete(opener: Opener, lacks: Lacks) -> None:
    """What was deleted is found nowhere, not even after reopening; the count says how many there were."""
    async with opened(opener) as index:
        await index.upsert(corpus())
        same("deleted", await index.delete(["p1", "p1", "nobody", "' OR 1=1 --"]), 1)
        same("deleted again", await index.delete(["p1"]), 0)
        same("delete of nothing", await index.delete([]), 0)
        same("get", (await index.get(["p1"]))[0], None)
        same("left", len([p for p in await index.get([p.id for p in corpus()]) if p]), len(corpus()) - 1)
        if not lacks.filters:
            year = Compare(field="meta.year", op="ge", value=2003)
            gone = [p.id for p in corpus() if p.id != "p1" and matches(year, p)]
            same("deleted by filter", await index.delete(where=year), len(gone))
            same("get", await index.get(gone), [None] * len(gone))
        for mode in modes(lacks):
            [hits] = await index.search(["apple banana"], k=50, mode=mode)
            if any(hit.passage.id == "p1" for hit in hits):
                raise AssertionError(f"{mode}: the deleted passage p1 is still found")
    if not lacks.persistence:
        async with opened(opener) as index:
            same("get after reopening", (await index.get(["p1"]))[0], None)


async def widening(opener: Opener, lacks: Lacks) -> None:
    """An index that was begun with words alone takes pictures later; what was there stays as it was."""
    shot = Passage(id="i", document="i.png", image=BlobRef(sha256="7" * 64, media_type="image/png", bytes=1))
    if lacks.images or lacks.persistence:
        return
    async with opened(opener) as index:
        await index.upsert(corpus())
    async with opened(opener, image=LetterEmbedder("pictures")) as index:
        if lacks.widening:
            await refuses("a picture in an index without pictures", index.upsert([shot]))
            return
        await index.upsert([shot])
        await index.upsert([corpus()[0]])
        [hits] = await index.search([Query(image=shot.image)], k=5, mode="dense")
        same("by picture", [h.passage for h in hits], [shot])
        [hits] = await index.search(["apple banana"], k=50, mode="dense")
        same("by words", {h.passage.id for h in hits}, {p.id for p in corpus()})
    async with opened(opener) as index:
        same("number without the picture model", await index.count(), len(corpus()) + 1)
        await refuses("a picture without the picture model", index.upsert([shot]))


async def vectors_later(opener: Opener, lacks: Lacks) -> None:
    """What was put in without an embedder is told apart, and gets its vectors when it is put in with one."""
    if lacks.listing or lacks.manifest:
        return
    async with opened(opener) as index:
        same("kinds of vectors with an embedder of texts", await index.embeds(), {"text"})
        await index.upsert(corpus())
        same("without a vector", [p.id async for p in index.iterate(without="text")], [])
        bare = sorted(p.id for p in corpus())
        same("without a picture's vector", [p.id async for p in index.iterate(without="image")], bare)
        some = Compare(field="document", value="a.md")
        wanted = sorted(p.id for p in corpus() if p.document == "a.md")
        same("of those that a filter finds", [p.id async for p in index.iterate(some, without="image")], wanted)
        await index.delete(bare)
    if lacks.persistence:
        return
    index = await opener()
    try:
        await refuses("to write without the embedder of the vectors that are held", index.embeds())
    finally:
        await index.close()


async def vectors_added(opener: Opener, lacks: Lacks) -> None:
    """An index that was begun without an embedder takes one later, or says that it cannot before anything is put in."""
    if lacks.listing or lacks.manifest or lacks.persistence or lacks.bm25:
        return
    index = await opener()
    try:
        same("kinds of vectors without an embedder", await index.embeds(), set())
        await index.upsert(corpus())
    finally:
        await index.close()
    async with opened(opener) as index:
        if lacks.widening:
            await refuses("vectors in an index without vectors", index.embeds())
            return
        same("kinds of vectors", await index.embeds(), {"text"})
        bare = [p async for p in index.iterate(without="text")]
        same("without a vector", bare, sorted(corpus(), key=lambda p: p.id))
        await index.upsert(bare[:4])
        same("without a vector", [p async for p in index.iterate(without="text")], bare[4:])
        [hits] = await index.search(["apple banana"], k=50, mode="dense")
        same("found by vectors", {h.passage.id for h in hits}, {p.id for p in bare[:4]})
        await index.upsert(bare[4:])
        same("without a vector", [p.id async for p in index.iterate(without="text")], [])
        [hits] = await index.search(["apple banana"], k=50, mode="dense")
        same("found by vectors", {h.passage.id for h in hits}, {p.id for p in corpus()})


async def records(opener: Opener, lacks: Lacks) -> None:
    """Records are kept beside the passages, one under each name; none in an index that is empty and new."""
    if lacks.manifest:
        return
    async with opened(opener) as index:
        await index.annotate("a", 1)
        same("manifest of a new index", index.manifest, None)
        await index.upsert(corpus()[:1])
        await index.annotate("a", {"b": [1, "two"]})
        await index.annotate("c", None)
        await index.upsert(corpus()[1:])
        size = await index.size()
        if size is not None and size <= 0:
            raise AssertionError(f"an index with passages has {size} bytes")
        kept = index.manifest.meta if index.manifest is not None else {}
        same("kept", kept, {"a": {"b": [1, "two"]}, "c": None})
    if not lacks.persistence:
        async with opened(opener) as index:
            same("kept after reopening", index.manifest.meta if index.manifest is not None else {}, kept)


async def manifest(opener: Opener, lacks: Lacks) -> None:
    """What was made with one embedder or chunker is not opened with another, and still there when it is the same."""
    if lacks.manifest:
        return
    async with opened(opener, chunker="chunks-1") as index:
        same("manifest of a new index", index.manifest, None)
        await index.upsert(corpus())
        made = index.manifest
        if made is None or made.text is None:
            raise AssertionError(f"the manifest does not name the embedder: {made!r}")
        same("manifest", (made.text.model, made.text.revision, made.text.dimension), ("letters", "1", 27))
        same("manifest", made.chunker, "chunks-1")
    if lacks.persistence:
        return
    async with opened(opener, chunker="chunks-1") as index:
        same("manifest after reopening", index.manifest, made)
        same("get after reopening", await index.get(["p1"]), [corpus()[0]])
        [hits] = await index.search(["apple banana"], k=3, mode="dense")
        same("hits after reopening", len(hits), 3)
    await refuses("another embedder", opener(text=LetterEmbedder("other")))
    await refuses("another revision", opener(text=LetterEmbedder(revision="2")))
    await refuses("another chunker", opener(text=LetterEmbedder(), chunker="chunks-2"))
    index = await opener()
    try:
        await refuses("dense search without the embedder", index.search(["x"], mode="dense"))
        await refuses("upsert without the embedder", index.upsert([Passage(id="n", document="n", text="n")]))
    finally:
        await index.close()
        await index.close()


async def many_at_once(opener: Opener, lacks: Lacks) -> None:
    """Writes and searches at the same time: nothing is lost, nothing is doubled."""
    batches = [
        [Passage(id=f"m{n:03}", document=f"d{n % 7}", text=f"number {n} apple") for n in range(start, start + 20)]
        for start in range(0, 100, 10)  # neighbours overlap by half
    ]
    async with opened(opener) as index:
        await index.upsert(corpus())
        await asyncio.gather(
            *(index.upsert(batch) for batch in batches),
            *(index.search(["apple"], mode="dense") for _ in range(5)),
            *(index.optimise() for _ in range(2)),
        )
        ids = [f"m{n:03}" for n in range(110)]
        same("there", [p.id for p in await index.get(ids) if p], ids)
        if not lacks.listing:
            same("count", await index.count(), 110 + len(corpus()))
