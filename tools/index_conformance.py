"""What every `Index` must do, as checks that can be run on a store of your own; no test framework is needed.

    from inloop.tools.index_conformance import CHECKS, Lacks

    @pytest.mark.parametrize("check", CHECKS)
    async def test_my_store(check, tmp_path):
        async def opener(**given):                  # text=, image=, chunker= as of open_index
            return await MyIndex(tmp_path / "index", **given).open()
        await CHECKS[check](opener, Lacks())

`opener` opens the same place each time; the place is empty before a check. A check that finds a fault raises
`AssertionError` with what was wrong. What a store is known to lack is named in `Lacks`: the check then is that it says
so (`BadInput`), for a filter that is ignored in silence gives wrong results.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..runtime.errors import BadInput
from ..runtime.passages import And, Compare, Filter, Mode, Not, Or, Passage, Query
from ..runtime.records import BlobRef
from .index_filter import matches
from .index_samples import LetterEmbedder, corpus, leaves, odd_meta, tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..runtime.protocols import Index

__all__ = ["CHECKS", "Lacks", "LetterEmbedder", "Opener", "check_all"]

Opener = Callable[..., Awaitable["Index"]]


@dataclass(frozen=True)
class Lacks:
    """What a store cannot do and refuses."""

    persistence: bool = False
    filters: bool = False
    text_order: bool = False
    """lt, le, gt, ge of texts."""
    bm25: bool = False
    images: bool = False
    listing: bool = False
    """count and iterate."""
    manifest: bool = False
    widening: bool = False
    """Pictures in an index that was begun without them."""


async def check_all(opener: Callable[[], Opener], lacks: Lacks = Lacks()) -> dict[str, str]:
    """Run every check, each on the place of a new opener; by check, "" or what was wrong."""
    outcomes = {}
    for name, check in CHECKS.items():
        try:
            await check(opener(), lacks)
            outcomes[name] = ""
        except AssertionError as error:
            outcomes[name] = str(error)
    return outcomes


async def put_and_get(opener: Opener, lacks: Lacks) -> None:
    """What is put in comes back as it was; putting it again changes nothing; a new text takes the old one's place."""
    async with _opened(opener) as index:
        _same("count of a new index", None if lacks.listing else await index.count(), None if lacks.listing else 0)
        _same("search in a new index", await index.search(["anything"], mode="dense"), [[]])
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
        _same("get", await index.get([odd.id, "nobody"]), [odd, None])
        await index.upsert(corpus())
        await index.upsert([])
        if not lacks.listing:
            _same("count after putting the same in again", await index.count(), len(corpus()) + 1)
            listed = [passage async for passage in index.iterate()]
            _same("iterate", listed, sorted([*corpus(), odd], key=lambda p: p.id))
        changed = odd.model_copy(update={"text": "zzz zzz zzz"})
        await index.upsert([odd.model_copy(update={"text": "first of two"}), changed])
        _same("get after a change", await index.get([odd.id]), [changed])
        [hits] = await index.search(["zzz zzz zzz"], k=1, mode="dense")
        _same("search after a change", [hit.passage for hit in hits], [changed])


async def deletes_delete(opener: Opener, lacks: Lacks) -> None:
    """What was deleted is found nowhere, not even after reopening; the count says how many there were."""
    async with _opened(opener) as index:
        await index.upsert(corpus())
        _same("deleted", await index.delete(["p1", "p1", "nobody", "' OR 1=1 --"]), 1)
        _same("deleted again", await index.delete(["p1"]), 0)
        _same("delete of nothing", await index.delete([]), 0)
        _same("get", (await index.get(["p1"]))[0], None)
        _same("left", len([p for p in await index.get([p.id for p in corpus()]) if p]), len(corpus()) - 1)
        if not lacks.filters:
            year = Compare(field="meta.year", op="ge", value=2003)
            gone = [p.id for p in corpus() if p.id != "p1" and matches(year, p)]
            _same("deleted by filter", await index.delete(where=year), len(gone))
            _same("get", await index.get(gone), [None] * len(gone))
        for mode in _modes(lacks):
            [hits] = await index.search(["apple banana"], k=50, mode=mode)
            if any(hit.passage.id == "p1" for hit in hits):
                raise AssertionError(f"{mode}: the deleted passage p1 is still found")
    if not lacks.persistence:
        async with _opened(opener) as index:
            _same("get after reopening", (await index.get(["p1"]))[0], None)


async def dense_search(opener: Opener, lacks: Lacks) -> None:
    """The cosine's order, similarity (1 + cosine) / 2 in [0, 1], k hits, equal ones by id."""
    embedder = LetterEmbedder()
    async with _opened(opener) as index:
        passages = corpus()
        await index.upsert(passages)
        asked = "apple pie and cherries"
        [query, *vectors] = await embedder.texts([asked, *[p.indexed for p in passages]])
        cosine = {
            p.id: sum(a * b for a, b in zip(query, vector, strict=True))
            for p, vector in zip(passages, vectors, strict=True)
        }
        wanted = sorted(cosine, key=lambda key: (-round(cosine[key], 5), key))
        [hits] = await index.search([asked], k=len(passages) + 5, mode="dense")
        _same("number of hits", len(hits), len(passages))
        for hit in hits:
            _close(f"similarity of {hit.passage.id}", hit.similarity, (1 + cosine[hit.passage.id]) / 2)
        _same("order", sorted([hit.passage.id for hit in hits], key=wanted.index), wanted)
        similarities = [hit.similarity for hit in hits]
        _same("order by similarity", similarities, sorted(similarities, reverse=True))
        two = await index.search([asked, "zebra"], k=3, mode="dense")
        _same("hits of two queries", [len(found) for found in two], [3, 3])
        _same("the same alone and in company", [h.passage.id for h in two[0]], [h.passage.id for h in hits[:3]])
        [found] = await index.search([Query(vector=tuple(query))], k=3, mode="dense")
        _same("by vector", [h.passage.id for h in found], [h.passage.id for h in hits[:3]])
        twins = [Passage(id=key, document="twins", text="qqq") for key in ("t3", "t1", "t2")]
        await index.upsert(twins)
        [found] = await index.search(["qqq"], k=3, mode="dense")
        _same("equal ones by id", [h.passage.id for h in found], ["t1", "t2", "t3"])
        await _refuses("a vector of another length", index.search([Query(vector=(1.0, 0.0))], mode="dense"))
        await _refuses("an empty query", index.search(["  "], mode="dense"))
        await _refuses("k=0", index.search(["x"], k=0, mode="dense"))


async def word_search(opener: Opener, lacks: Lacks) -> None:
    """BM25: rare words weigh more, stems match, what has none of the words is not found; any text is a query."""
    async with _opened(opener) as index:
        await index.upsert(corpus())
        if lacks.bm25:
            await _refuses("mode=bm25", index.search(["apple"], mode="bm25"))
            return
        [hits] = await index.search(["quicksilver"], mode="bm25")
        _same("the one with the word", [h.passage.id for h in hits], ["p7"])
        [hits] = await index.search(["the apples"], mode="bm25", k=50)
        having = {p.id for p in corpus() if "apple" in p.indexed.lower()}
        _same("those with the stem", {h.passage.id for h in hits}, having)
        if not all(0 < h.similarity <= 1 for h in hits):
            raise AssertionError(f"similarities out of (0, 1]: {[h.similarity for h in hits]}")
        [hits] = await index.search(["apple quicksilver"], mode="bm25", k=50)
        _same("the rare word weighs more", hits[0].passage.id, "p7")
        _same("no word of it", await index.search(["xylophone", "the of and", "?!"], mode="bm25"), [[], [], []])
        for odd in ('it\'s "quoted" AND (OR) NOT -x +y', "a:b^2 ~*?", "\\ / [] {} ' ;--", "漢字", "🦊", "x" * 5000):
            await index.search([odd], mode="bm25")
        await index.upsert([Passage(id="late", document="d", text="a latecomer with quicksilver quicksilver")])
        [hits] = await index.search(["quicksilver"], mode="bm25")
        _same("a passage put in later", {h.passage.id for h in hits}, {"late", "p7"})
        await index.upsert([Passage(id="late", document="d", text="nothing of that any more")])
        await index.optimise()
        [hits] = await index.search(["quicksilver"], mode="bm25")
        _same("a passage whose words were changed", {h.passage.id for h in hits}, {"p7"})


async def hybrid_search(opener: Opener, lacks: Lacks) -> None:
    """Reciprocal rank fusion of both rankings, 1 for what is first in each; a reranker has the last word."""
    async with _opened(opener) as index:
        await index.upsert(corpus())
        if lacks.bm25:
            await _refuses("mode=hybrid", index.search(["apple"], mode="hybrid"))
            return
        asked = "apple orchard in spring"
        [dense], [worded], [hybrid] = [await index.search([asked], k=100, mode=mode) for mode in _modes(lacks)]
        ranks = [{hit.passage.id: rank for rank, hit in enumerate(hits, 1)} for hits in (dense, worded)]
        for hit in hybrid:
            wanted = sum(1 / (60 + rank[hit.passage.id]) for rank in ranks if hit.passage.id in rank) / (2 / 61)
            _close(f"similarity of {hit.passage.id}", hit.similarity, wanted)
        _same("found by either", {h.passage.id for h in hybrid}, set(ranks[0]) | set(ranks[1]))
        [hits] = await index.search([asked], k=2, mode="hybrid", reranker=_ByLength())
        longest = sorted(hybrid, key=lambda h: (-len(h.passage.indexed), h.passage.id))[:2]
        _same("reranked", [h.passage.id for h in hits], [h.passage.id for h in longest])


async def filters(opener: Opener, lacks: Lacks) -> None:
    """Every filter finds what `index_filter.matches` finds, alone and inside a search, or is refused."""
    passages = [*corpus(), *odd_meta()]
    async with _opened(opener) as index:
        await index.upsert(passages)
        if lacks.filters:
            one = Compare(field="document", value="a.md")
            await _refuses("a filter in a search", index.search(["x"], mode="dense", where=one))
            await _refuses("a filter in delete", index.delete(where=one))
            return
        rng = random.Random(0)
        trees = [*leaves(), *[tree(rng, 3) for _ in range(150)]]
        for where in trees:
            try:
                found = await index.count(where)
            except BadInput:
                if lacks.text_order and _orders_text(where):
                    continue
                raise AssertionError(f"{where!r} was refused") from None
            ids = sorted(p.id for p in passages if matches(where, p))
            if found != len(ids):
                raise AssertionError(f"{where!r} counts {found} passages and not {len(ids)}: {ids}")
        for where in trees[::7]:
            if lacks.text_order and _orders_text(where):
                continue
            ids = sorted(p.id for p in passages if matches(where, p))
            _same(f"iterate {where!r}", [p.id async for p in index.iterate(where)], ids)
            for mode in _modes(lacks):
                [hits] = await index.search(["apple"], k=100, mode=mode, where=where)
                having = {p.id for p in passages if p.id in ids and (mode != "bm25" or "apple" in p.indexed.lower())}
                _same(f"{mode} with {where!r}", {h.passage.id for h in hits}, having)
        # the filter holds before the k are chosen: the one match is far from the query and must still be found
        rare = Compare(field="id", value="p7")
        [hits] = await index.search(["apple banana"], k=1, mode="dense", where=rare)
        _same("a rare match", [h.passage.id for h in hits], ["p7"])


async def pictures(opener: Opener, lacks: Lacks) -> None:
    """Pictures and captions in one index: found by picture, by caption, and by words among the pictures."""
    shots = [
        Passage(
            id=f"i{n}",
            document=f"{n}.png",
            text=caption,
            media="image/png",
            image=BlobRef(sha256=f"{n}" * 20 + "0123456789abcdef" * 2 + "0" * 12, media_type="image/png", bytes=n),
        )
        for n, caption in ((1, "a fox"), (2, ""), (3, "an apple on a table"))
    ]
    async with _opened(opener, image=LetterEmbedder("pictures")) as index:
        if lacks.images:
            await _refuses("a picture", index.upsert(shots))
            return
        await index.upsert([*corpus(), *shots])
        _same("get", await index.get(["i2"]), [shots[1]])
        [hits] = await index.search([Query(image=shots[1].image)], k=5, mode="dense")
        _same("by picture", hits[0].passage, shots[1])
        _close("similarity", hits[0].similarity, 1.0)
        _same("only pictures", {h.passage.id for h in hits}, {"i1", "i2", "i3"})
        [hits] = await index.search(["a fox"], k=1, mode="dense")
        _same("by caption", [h.passage.id for h in hits], ["i1"])
        [hits] = await index.search([Query(text="abc", space="image")], k=9, mode="dense")
        _same("by words among pictures", {h.passage.id for h in hits}, {"i1", "i2", "i3"})
        [hits] = await index.search([Query(text="a fox", image=shots[2].image)], k=2, mode="dense")
        _same("by both", {h.passage.id for h in hits}, {"i1", "i3"})


async def widening(opener: Opener, lacks: Lacks) -> None:
    """An index that was begun with words alone takes pictures later; what was there stays as it was."""
    shot = Passage(id="i", document="i.png", image=BlobRef(sha256="7" * 64, media_type="image/png", bytes=1))
    if lacks.images or lacks.persistence:
        return
    async with _opened(opener) as index:
        await index.upsert(corpus())
    async with _opened(opener, image=LetterEmbedder("pictures")) as index:
        if lacks.widening:
            await _refuses("a picture in an index without pictures", index.upsert([shot]))
            return
        await index.upsert([shot])
        await index.upsert([corpus()[0]])
        [hits] = await index.search([Query(image=shot.image)], k=5, mode="dense")
        _same("by picture", [h.passage for h in hits], [shot])
        [hits] = await index.search(["apple banana"], k=50, mode="dense")
        _same("by words", {h.passage.id for h in hits}, {p.id for p in corpus()})
    async with _opened(opener) as index:
        _same("number without the picture model", await index.count(), len(corpus()) + 1)
        await _refuses("a picture without the picture model", index.upsert([shot]))


async def manifest(opener: Opener, lacks: Lacks) -> None:
    """What was made with one embedder or chunker is not opened with another, and still there when it is the same."""
    if lacks.manifest:
        return
    async with _opened(opener, chunker="chunks-1") as index:
        _same("manifest of a new index", index.manifest, None)
        await index.upsert(corpus())
        made = index.manifest
        if made is None or made.text is None:
            raise AssertionError(f"the manifest does not name the embedder: {made!r}")
        _same("manifest", (made.text.model, made.text.revision, made.text.dimension), ("letters", "1", 27))
        _same("manifest", made.chunker, "chunks-1")
    if lacks.persistence:
        return
    async with _opened(opener, chunker="chunks-1") as index:
        _same("manifest after reopening", index.manifest, made)
        _same("get after reopening", await index.get(["p1"]), [corpus()[0]])
        [hits] = await index.search(["apple banana"], k=3, mode="dense")
        _same("hits after reopening", len(hits), 3)
    await _refuses("another embedder", opener(text=LetterEmbedder("other")))
    await _refuses("another revision", opener(text=LetterEmbedder(revision="2")))
    await _refuses("another chunker", opener(text=LetterEmbedder(), chunker="chunks-2"))
    index = await opener()
    try:
        await _refuses("dense search without the embedder", index.search(["x"], mode="dense"))
        await _refuses("upsert without the embedder", index.upsert([Passage(id="n", document="n", text="n")]))
    finally:
        await index.close()
        await index.close()


async def many_at_once(opener: Opener, lacks: Lacks) -> None:
    """Writes and searches at the same time: nothing is lost, nothing is doubled."""
    batches = [
        [Passage(id=f"m{n:03}", document=f"d{n % 7}", text=f"number {n} apple") for n in range(start, start + 20)]
        for start in range(0, 100, 10)  # neighbours overlap by half
    ]
    async with _opened(opener) as index:
        await index.upsert(corpus())
        await asyncio.gather(
            *(index.upsert(batch) for batch in batches),
            *(index.search(["apple"], mode="dense") for _ in range(5)),
            *(index.optimise() for _ in range(2)),
        )
        ids = [f"m{n:03}" for n in range(110)]
        _same("there", [p.id for p in await index.get(ids) if p], ids)
        if not lacks.listing:
            _same("count", await index.count(), 110 + len(corpus()))


CHECKS: dict[str, Callable[[Opener, Lacks], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        put_and_get,
        deletes_delete,
        dense_search,
        word_search,
        hybrid_search,
        filters,
        pictures,
        widening,
        manifest,
        many_at_once,
    )
}
"""The checks by name; each takes an opener and what the store lacks."""


class _ByLength:
    model, revision = "by length", "1"

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float | None]:
        return [len(text) / (1 + len(text)) for text in texts]


def _modes(lacks: Lacks) -> tuple[Mode, ...]:
    return ("dense",) if lacks.bm25 else ("dense", "bm25", "hybrid")


def _orders_text(where: Filter) -> bool:
    match where:
        case Compare(op=op, value=str()):
            return op not in ("eq", "ne")
        case And(of=of) | Or(of=of):
            return any(_orders_text(one) for one in of)
        case Not(of=inner):
            return _orders_text(inner)
    return False


@asynccontextmanager
async def _opened(opener: Opener, **given: Any) -> AsyncIterator[Index]:
    index = await opener(text=LetterEmbedder(), **given)
    try:
        yield index
    finally:
        await index.close()


async def _refuses(what: str, call: Awaitable[Any]) -> None:
    try:
        got = await call
    except BadInput:
        return
    raise AssertionError(f"{what} is not refused with BadInput: it gave {got!r:.200}")


def _same(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {found!r:.1000} and not {wanted!r:.1000}")


def _close(what: str, found: float, wanted: float) -> None:
    if not math.isclose(found, wanted, abs_tol=2e-5):
        raise AssertionError(f"{what}: {found!r} and not {wanted!r}")
