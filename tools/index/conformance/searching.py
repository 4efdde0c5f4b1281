"""The checks of what an `Index` finds: by meaning, by words, by both, through a filter, among pictures."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ....runtime.errors import BadInput
from ....runtime.passages import And, Compare, Filter, Not, Or, Passage, Query
from ....runtime.records import BlobRef
from ..filter import matches
from .expectations import Lacks, Opener, close, modes, opened, refuses, same
from .samples import LetterEmbedder, corpus, leaves, odd_meta, tree

__all__ = ["dense_search", "filters", "hybrid_search", "pictures", "word_search"]


async def dense_search(opener: Opener, lacks: Lacks) -> None:
    """The cosine's order, similarity (1 + cosine) / 2 in [0, 1], k hits, equal ones by id."""
    embedder = LetterEmbedder()
    async with opened(opener) as index:
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
        same("number of hits", len(hits), len(passages))
        for hit in hits:
            close(f"similarity of {hit.passage.id}", hit.similarity, (1 + cosine[hit.passage.id]) / 2)
        same("order", sorted([hit.passage.id for hit in hits], key=wanted.index), wanted)
        similarities = [hit.similarity for hit in hits]
        same("order by similarity", similarities, sorted(similarities, reverse=True))
        two = await index.search([asked, "zebra"], k=3, mode="dense")
        same("hits of two queries", [len(found) for found in two], [3, 3])
        same("the same alone and in company", [h.passage.id for h in two[0]], [h.passage.id for h in hits[:3]])
        [found] = await index.search([Query(vector=tuple(query))], k=3, mode="dense")
        same("by vector", [h.passage.id for h in found], [h.passage.id for h in hits[:3]])
        twins = [Passage(id=key, document="twins", text="qqq") for key in ("t3", "t1", "t2")]
        await index.upsert(twins)
        [found] = await index.search(["qqq"], k=3, mode="dense")
        same("equal ones by id", [h.passage.id for h in found], ["t1", "t2", "t3"])
        await refuses("a vector of another length", index.search([Query(vector=(1.0, 0.0))], mode="dense"))
        await refuses("an empty query", index.search(["  "], mode="dense"))
        await refuses("k=0", index.search(["x"], k=0, mode="dense"))


async def word_search(opener: Opener, lacks: Lacks) -> None:
    """BM25: rare words weigh more, stems match, what has none of the words is not found; any text is a query."""
    async with opened(opener) as index:
        await index.upsert(corpus())
        if lacks.bm25:
            await refuses("mode=bm25", index.search(["apple"], mode="bm25"))
            return
        [hits] = await index.search(["quicksilver"], mode="bm25")
        same("the one with the word", [h.passage.id for h in hits], ["p7"])
        [hits] = await index.search(["the apples"], mode="bm25", k=50)
        having = {p.id for p in corpus() if "apple" in p.indexed.lower()}
        same("those with the stem", {h.passage.id for h in hits}, having)
        if not all(0 < h.similarity <= 1 for h in hits):
            raise AssertionError(f"similarities out of (0, 1]: {[h.similarity for h in hits]}")
        [hits] = await index.search(["apple quicksilver"], mode="bm25", k=50)
        same("the rare word weighs more", hits[0].passage.id, "p7")
        same("no word of it", await index.search(["xylophone", "the of and", "?!"], mode="bm25"), [[], [], []])
        for odd in ('it\'s "quoted" AND (OR) NOT -x +y', "a:b^2 ~*?", "\\ / [] {} ' ;--", "漢字", "🦊", "x" * 5000):
            await index.search([odd], mode="bm25")
        await index.upsert([Passage(id="late", document="d", text="a latecomer with quicksilver quicksilver")])
        [hits] = await index.search(["quicksilver"], mode="bm25")
        same("a passage put in later", {h.passage.id for h in hits}, {"late", "p7"})
        await index.upsert([Passage(id="late", document="d", text="nothing of that any more")])
        await index.optimise()
        [hits] = await index.search(["quicksilver"], mode="bm25")
        same("a passage whose words were changed", {h.passage.id for h in hits}, {"p7"})


async def hybrid_search(opener: Opener, lacks: Lacks) -> None:
    """Both rankings joined by their scores, 1 for what is first in each; a reranker has the last word."""
    async with opened(opener) as index:
        await index.upsert(corpus())
        if lacks.bm25:
            await refuses("mode=hybrid", index.search(["apple"], mode="hybrid"))
            return
        asked = "apple orchard in spring"
        [dense], [worded], [hybrid] = [await index.search([asked], k=100, mode=mode) for mode in modes(lacks)]
        near = {hit.passage.id: hit.scores["dense"] for hit in dense}
        said = {hit.passage.id: hit.scores["bm25"] for hit in worded}
        low, high, most = min(near.values()), max(near.values()), max(said.values())
        for hit in hybrid:
            cosine = near.get(hit.passage.id, low)
            wanted = ((cosine - low) / (high - low) + said.get(hit.passage.id, 0.0) / most) / 2
            close(f"similarity of {hit.passage.id}", hit.similarity, wanted)
        same("found by either", {h.passage.id for h in hybrid}, set(near) | set(said))
        [hits] = await index.search([asked], k=2, mode="hybrid", reranker=_ByLength())
        longest = sorted(hybrid, key=lambda h: (-len(h.passage.indexed), h.passage.id))[:2]
        same("reranked", [h.passage.id for h in hits], [h.passage.id for h in longest])


async def filters(opener: Opener, lacks: Lacks) -> None:
    """Every filter finds what `index_filter.matches` finds, alone and inside a search, or is refused."""
    passages = [*corpus(), *odd_meta()]
    async with opened(opener) as index:
        await index.upsert(passages)
        if lacks.filters:
            one = Compare(field="document", value="a.md")
            await refuses("a filter in a search", index.search(["x"], mode="dense", where=one))
            await refuses("a filter in delete", index.delete(where=one))
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
            same(f"iterate {where!r}", [p.id async for p in index.iterate(where)], ids)
            for mode in modes(lacks):
                [hits] = await index.search(["apple"], k=100, mode=mode, where=where)
                having = {p.id for p in passages if p.id in ids and (mode != "bm25" or "apple" in p.indexed.lower())}
                same(f"{mode} with {where!r}", {h.passage.id for h in hits}, having)
        # the filter holds before the k are chosen: the one match is far from the query and must still be found
        rare = Compare(field="id", value="p7")
        [hits] = await index.search(["apple banana"], k=1, mode="dense", where=rare)
        same("a rare match", [h.passage.id for h in hits], ["p7"])


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
    async with opened(opener, image=LetterEmbedder("pictures")) as index:
        if lacks.images:
            await refuses("a picture", index.upsert(shots))
            return
        await index.upsert([*corpus(), *shots])
        same("get", await index.get(["i2"]), [shots[1]])
        [hits] = await index.search([Query(image=shots[1].image)], k=5, mode="dense")
        same("by picture", hits[0].passage, shots[1])
        close("similarity", hits[0].similarity, 1.0)
        same("only pictures", {h.passage.id for h in hits}, {"i1", "i2", "i3"})
        [hits] = await index.search(["a fox"], k=1, mode="dense")
        same("by caption", [h.passage.id for h in hits], ["i1"])
        [hits] = await index.search([Query(text="abc", space="image")], k=9, mode="dense")
        same("by words among pictures", {h.passage.id for h in hits}, {"i1", "i2", "i3"})
        [hits] = await index.search([Query(text="a fox", image=shots[2].image)], k=2, mode="dense")
        same("by both", {h.passage.id for h in hits}, {"i1", "i3"})


class _ByLength:
    model, revision = "by length", "1"

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float | None]:
        return [len(text) / (1 + len(text)) for text in texts]


def _orders_text(where: Filter) -> bool:
    match where:
        case Compare(op=op, value=str()):
            return op not in ("eq", "ne")
        case And(of=of) | Or(of=of):
            return any(_orders_text(one) for one in of)
        case Not(of=inner):
            return _orders_text(inner)
    return False
