"""What all stores share: embedding, the manifest, fusion of rankings, reranking. A store adds how rows are kept and found.

Invariants:

- A vector in the index was made by the embedder that the manifest names; opening it with another one is an error.
- Vectors have length 1, so that the cosine is their product.
- Words were counted by the rules that count them in a search (`tools.documents.TERMS`).
- Rankings are joined as `tools.index.fusion` says, over the best `DEPTH` of each.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Self

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.passages import SPACES, Filter, Hit, Manifest, Mode, Passage, Query, Space, SpaceName
from ...runtime.protocols import Embedder, Reranker, TextEmbedder
from ..documents import TERMS, check_terms, terms, terms_here
from .fusion import DEPTH, Ranking, fuse, reranked

__all__ = ["BaseIndex", "Row", "Vector"]

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """A passage with its vectors; None where it has no words, no picture, or the index no embedder for it."""

    passage: Passage
    text: Vector | None = None
    image: Vector | None = None


class BaseIndex(ABC):
    """An `Index` without its store. `text` embeds words, `image` pictures (and words for looking among pictures)."""

    def __init__(
        self, url: str, *, text: TextEmbedder | None = None, image: Embedder | None = None, chunker: str = ""
    ) -> None:
        self._url = url
        self._text, self._image, self._chunker = text, image, chunker
        self._manifest: Manifest | None = None

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return self._url

    @property
    def manifest(self) -> Manifest | None:
        """What it was made with; None as long as it is empty and new."""
        return self._manifest

    async def open(self, *, create: bool = True) -> Self:
        """Look whether it is there and was made with these embedders; the same index, for chaining.

        Raises:
            BadInput: nothing there with `create=False`, or made with another embedder or chunker.
            PrerequisiteError: it cannot be reached or read.
        """
        await self._refresh()
        if self._manifest is None and not create:
            raise BadInput(f"there is no index at {self.url!r}: make it with `inloop index`, or check the URL.")
        return self

    @abstractmethod
    async def _stored(self) -> Manifest | None:
        """The manifest as it is stored now; another process may have made or widened it."""

    @abstractmethod
    def _writing(self) -> AbstractAsyncContextManager[None]:
        """Holds other writers off, in all processes; `PrerequisiteError` where that takes too long."""

    @abstractmethod
    async def _write(self, rows: Sequence[Row], manifest: Manifest) -> None:
        """Put rows with different ids in, all or none; make the place where it is new; keep a changed manifest."""

    @abstractmethod
    async def _keep(self, manifest: Manifest) -> None:
        """Keep a manifest whose spaces are those that are stored."""

    @abstractmethod
    async def _remove(self, ids: Sequence[str], where: Filter | None) -> int: ...
    @abstractmethod
    async def _near(
        self, space: SpaceName, vectors: Sequence[Vector], k: int, where: Filter | None
    ) -> list[Ranking]: ...
    @abstractmethod
    async def _worded(self, texts: Sequence[str], k: int, where: Filter | None) -> list[Ranking]: ...
    @abstractmethod
    async def get(self, ids: Sequence[str]) -> list[Passage | None]:
        """The passages with these ids, in order; None for one that is not there."""

    @abstractmethod
    async def count(self, where: Filter | None = None) -> int:
        """How many passages `where` finds, exactly."""

    @abstractmethod
    def iterate(self, where: Filter | None = None, *, without: SpaceName | None = None) -> AsyncIterator[Passage]:
        """Every passage once, by id, a page at a time; with `without` only those that hold no vector of that kind."""

    async def embeds(self) -> frozenset[SpaceName]:
        """The kinds of vectors that a passage gets when it is put in now.

        Raises:
            BadInput: the index holds vectors of a kind that a passage put in now would not get: it would be found by half.
        """
        await self._refresh()
        embedders = {"text": self._text, "image": self._image}
        for name in SPACES:
            space: Space | None = getattr(self._manifest, name, None)
            if space is not None and embedders[name] is None:
                flag = {"text": "--embedder", "image": "--clip"}[name]
                raise BadInput(
                    f"the index {self.url!r} holds {name} vectors of {space.model} and was opened without that model: what"
                    f" is put in now would not be found by them. Give it ({flag}, in Python {name}=), or index into another URL."
                )
        return frozenset(name for name in SPACES if embedders[name] is not None)

    async def annotate(self, name: str, value: Any) -> None:
        """Keep a JSON value in the manifest's `meta`; while the index is empty and new nothing is kept.

        Raises:
            PrerequisiteError: the store cannot be written.
        """
        async with self._writing():
            await self._refresh()
            if self._manifest is not None:
                manifest = self._manifest.model_copy(update={"meta": {**self._manifest.meta, name: value}})
                await self._keep(manifest)
                self._manifest = manifest

    async def size(self) -> int | None:
        """Bytes on the disk; None where that is not known."""
        return None

    async def optimise(self) -> None:  # noqa: B027
        """Tidy up; nothing to do unless the store says so."""

    async def close(self) -> None:  # noqa: B027
        """Let go of files and connections; nothing to do unless the store says so."""

    async def upsert(self, passages: Sequence[Passage]) -> None:
        """Embed the passages and put them in; one with the id of another takes its place.

        Raises:
            BadInput: a picture without words and no embedder of pictures, or an index with vectors that was opened
                without the embedder that made them.
            PrerequisiteError: the embedder cannot be loaded, or the store cannot be written.
        """
        unique = list({passage.id: passage for passage in passages}.values())
        if not unique:
            return
        await self._refresh()
        embedders = {"text": self._text, "image": self._image}
        for name in SPACES:
            space: Space | None = getattr(self._manifest, name, None)
            if space is not None and embedders[name] is None and any(passage.fills(name) for passage in unique):
                raise BadInput(
                    f"the index {self.url!r} holds {name} vectors of {space.model} and was opened without it: passages"
                    f" without such a vector would not be found. Open it with {name}=."
                )
        worded = [passage for passage in unique if passage.indexed and self._text is not None]
        pictured = [passage for passage in unique if passage.image is not None and self._image is not None]
        for passage in unique:
            if not passage.indexed and self._image is None:
                raise BadInput(
                    f"the passage {passage.id!r} of {passage.document!r} is a picture without words, and the index"
                    f" {self.url!r} was opened without an embedder of pictures: give one, or a caption."
                )
        words = await self._text.texts([p.indexed for p in worded], role="document") if worded and self._text else []
        pictures = await self._image.images([p.image for p in pictured if p.image]) if pictured and self._image else []
        texts = {p.id: _unit(vector, p.id) for p, vector in zip(worded, words, strict=True)}
        images = {p.id: _unit(vector, p.id) for p, vector in zip(pictured, pictures, strict=True)}
        rows = [Row(passage=p, text=texts.get(p.id), image=images.get(p.id)) for p in unique]
        async with self._writing():  # two first writes must agree on the manifest
            await self._refresh()
            manifest = self._extended(texts, images)
            await self._write(rows, manifest)
            self._manifest = manifest

    async def delete(self, ids: Sequence[str] = (), *, where: Filter | None = None) -> int:
        """Take out the passages with these ids and those that `where` finds; how many there were.

        Raises:
            BadInput: `ids` is a text.
        """
        if isinstance(ids, str):
            raise BadInput(f"delete takes a list of ids, not the text {ids!r}: give [{ids!r}].")
        if not ids and where is None:
            return 0
        async with self._writing():
            await self._refresh()
            return await self._remove(list(dict.fromkeys(ids)), where) if self._manifest is not None else 0

    async def search(
        self,
        queries: Sequence[Query | str],
        *,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Filter | None = None,
        reranker: Reranker | None = None,
    ) -> list[list[Hit]]:
        """At most `k` hits a query, best first, equal ones by id; `where` holds before the k are chosen.

        A picture or a vector is looked for by vectors in every mode. Of an index without vectors of texts a hybrid
        search is one by words.

        Raises:
            BadInput: k below 1, an unknown mode, an empty query, or one that this index cannot answer.
            PrerequisiteError: an embedder cannot be loaded, or the store cannot be read.
        """
        if isinstance(queries, str):
            raise BadInput(f"search takes a list of queries, not the text {queries!r}: give [{queries!r}].")
        if k < 1 or mode not in ("dense", "bm25", "hybrid"):
            raise BadInput(f"k={k!r} must be 1 or more, and mode={mode!r} one of dense, bm25, hybrid.")
        asked = [_query(query) for query in queries]
        await self._refresh()
        if self._manifest is None or not asked:
            return [[] for _ in asked]
        depth = k if mode != "hybrid" and reranker is None else max(k, DEPTH)
        rankings: list[dict[str, Ranking]] = [{} for _ in asked]
        if mode in ("bm25", "hybrid"):
            places = [place for place, query in enumerate(asked) if query.text.strip() and query.space == "text"]
            for place, ranking in zip(
                places, await self._worded([asked[p].text for p in places], depth, where) if places else [], strict=True
            ):
                rankings[place]["bm25"] = ranking
        for name, spaced in (await self._vectors(asked, mode)).items():
            found = await self._near("image" if name == "image" else "text", list(spaced.values()), depth, where)
            for place, ranking in zip(spaced, found, strict=True):
                rankings[place][name] = ranking
        hits = []
        for query, given in zip(asked, rankings, strict=True):
            if not given:
                raise BadInput(f"mode={mode!r} has nothing to go by in {query!r}: give words, or another mode.")
            fused = fuse(given, limit=k if reranker is None else None)
            hits.append(fused if reranker is None else await reranked(reranker, query.text, fused, k))
        return hits

    async def _vectors(self, asked: Sequence[Query], mode: Mode) -> dict[str, dict[int, Vector]]:
        """By ranking (`dense`, `image`), the vector of each query that has one."""
        found: dict[str, dict[int, Vector]] = {"dense": {}, "image": {}}
        to_embed: dict[str, list[int]] = {"text": [], "image of text": [], "image": []}
        for place, query in enumerate(asked):
            if query.vector is not None:
                space = self._space(query.space)
                if len(query.vector) != space.dimension:
                    raise BadInput(
                        f"a vector of {len(query.vector)} numbers cannot be looked for among those of {space.model},"
                        f" which have {space.dimension}."
                    )
                found["image" if query.space == "image" else "dense"][place] = _unit(query.vector, "the query")
            elif query.text.strip() and query.space == "image":
                to_embed["image of text"].append(place)
            elif query.text.strip() and mode != "bm25":
                assert self._manifest is not None
                if mode == "dense" or self._manifest.text is not None:
                    to_embed["text"].append(place)
            if query.image is not None:
                to_embed["image"].append(place)
        for what, places in to_embed.items():
            if places:
                vectors = await self._embedded([asked[place] for place in places], what)
                name = "dense" if what == "text" else "image"
                found[name] |= {p: _unit(v, "the query") for p, v in zip(places, vectors, strict=True)}
        return {name: spaced for name, spaced in found.items() if spaced}

    def _space(self, name: SpaceName) -> Space:
        space = getattr(self._manifest, name)
        if not isinstance(space, Space):
            raise BadInput(
                f"the index {self.url!r} holds no vectors of {'pictures' if name == 'image' else 'texts'}: search it with"
                " mode='bm25', or index again with an embedder."
            )
        return space

    async def _embedded(self, queries: Sequence[Query], what: str) -> list[list[float]]:
        """Vectors of the queries' words or pictures; `what` is text, image, or image of text."""
        name: SpaceName = "text" if what == "text" else "image"
        space = self._space(name)
        if name == "text" and self._text is not None:
            return await self._text.texts([query.text for query in queries], role="query")
        if name == "image" and self._image is not None:
            if what == "image":
                return await self._image.images([query.image for query in queries if query.image is not None])
            return await self._image.texts([query.text for query in queries])
        raise BadInput(
            f"the index {self.url!r} was opened without the embedder of its {name} vectors, {space.model}: open it with"
            f" {name}=, or search with mode='bm25'."
        )

    async def _refresh(self) -> None:
        """Take the stored manifest over, or refuse it: `BadInput` names both sides and the remedy."""
        manifest = self._manifest = await self._stored()
        if manifest is None:
            return
        if manifest.format > 1:
            raise PrerequisiteError(
                f"the index {self.url!r} has format {manifest.format}, which this inloop does not know",
                remedy="update inloop.",
            )
        for name, embedder in (("text", self._text), ("image", self._image)):
            space: Space | None = getattr(manifest, name)
            if space and embedder and (space.model, space.revision) != (embedder.model, embedder.revision):
                raise BadInput(
                    f"the index {self.url!r} was made with the {name} embedder {space.model} ({space.revision[:12]}), and"
                    f" {embedder.model} ({embedder.revision[:12]}) was given: their vectors cannot be compared. Give the"
                    " first one, or index anew under another URL."
                )
        check_terms(manifest.terms, f"the index {self.url!r}")
        if self._chunker and manifest.chunker and self._chunker != manifest.chunker:
            raise BadInput(
                f"the index {self.url!r} was cut with other chunk settings ({manifest.chunker} and not {self._chunker}):"
                " give the same ones, or index anew under another URL."
            )

    def _terms(self, text: str) -> list[str]:
        """The words of a query, counted as those of the index were."""
        return terms(text, self._manifest.terms if self._manifest is not None else TERMS)

    def _extended(self, texts: Mapping[str, Vector], images: Mapping[str, Vector]) -> Manifest:
        """The manifest with what these vectors add to it."""
        old = self._manifest or Manifest(chunker=self._chunker, terms=terms_here())
        spaces: dict[str, Space | None] = {"text": old.text, "image": old.image}
        for name, vectors, embedder in (("text", texts, self._text), ("image", images, self._image)):
            lengths = {len(vector) for vector in vectors.values()}
            space = spaces[name]
            if not lengths or embedder is None:
                continue
            if len(lengths) > 1 or (space and space.dimension not in lengths):
                raise BadInput(
                    f"{embedder.model} gave vectors of {sorted(lengths)} numbers for the index {self.url!r}"
                    + (f", which holds vectors of {space.dimension}." if space else ": one length is needed.")
                )
            spaces[name] = space or Space(model=embedder.model, revision=embedder.revision, dimension=lengths.pop())
        return old.model_copy(update={**spaces, "chunker": old.chunker or self._chunker})


def _query(query: Query | str) -> Query:
    if isinstance(query, Query):
        return query
    if not query.strip():
        raise BadInput(f"the query {query!r} is empty: give words to look for.")
    return Query(text=query)


def _unit(vector: Sequence[float], what: str) -> Vector:
    norm = math.sqrt(sum(value * value for value in vector))
    if not norm > 0 or not math.isfinite(norm):
        raise BadInput(f"the vector of {what!r} has the length {norm!r}: vectors must be finite and not 0.")
    return tuple(value / norm for value in vector)
