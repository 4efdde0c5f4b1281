"""Any LangChain `VectorStore` as an `Index`, for what is stored there already.

LangChain's contract says nothing about filters, the direction of scores, listing or words (BM25). What it does not say
is refused here rather than guessed, and the similarity is computed anew from the passages' own vectors, for some stores
return distances. Give the store `AsEmbeddings(embedder)` when you make it, with the embedder that is given here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings

from ...runtime.errors import BadInput
from ...runtime.passages import Filter, Manifest, Passage, Space, SpaceName
from ..documents import TERMS
from .base import BaseIndex, Row, Vector
from .fusion import Ranking

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.vectorstores import VectorStore

    from ...runtime.protocols import TextEmbedder

__all__ = ["AsEmbeddings", "LangChainIndex"]

_PASSAGE = "inloop_passage"


class AsEmbeddings(Embeddings):
    """A `TextEmbedder` as LangChain's `Embeddings`."""

    def __init__(self, embedder: TextEmbedder) -> None:
        self.embedder = embedder

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """A unit vector a text."""
        return await self.embedder.texts(texts, role="document")

    async def aembed_query(self, text: str) -> list[float]:
        """The unit vector of a query."""
        return (await self.embedder.texts([text], role="query"))[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `aembed_documents`, where no event loop runs."""
        return asyncio.run(self.aembed_documents(texts))

    def embed_query(self, text: str) -> list[float]:
        """As `aembed_query`, where no event loop runs."""
        return asyncio.run(self.aembed_query(text))


class LangChainIndex(BaseIndex):
    """An `Index` over a `VectorStore`; only dense search. `to_filter` turns a filter into the store's own, if it has one.

    It remembers no manifest: that the store was filled with `text` is for the caller to see to.
    """

    def __init__(
        self,
        store: VectorStore,
        *,
        text: TextEmbedder,
        to_filter: Callable[[Filter], Any] | None = None,
        chunker: str = "",
    ) -> None:
        super().__init__(f"langchain:{type(store).__name__}", text=text, chunker=chunker)
        self._store, self._to_filter, self._embedder = store, to_filter, text
        self._space_of: Space | None = None
        self._writers = asyncio.Lock()

    def _writing(self) -> AbstractAsyncContextManager[None]:
        return self._writers

    async def _stored(self) -> Manifest | None:
        if self._space_of is None:
            [vector] = await self._embedder.texts(["a"], role="query")
            model, revision = self._embedder.model, self._embedder.revision
            self._space_of = Space(model=model, revision=revision, dimension=len(vector))
        return Manifest(text=self._space_of, chunker=self._chunker, terms=TERMS)

    async def _write(self, rows: Sequence[Row], manifest: Manifest) -> None:
        for row in rows:
            if row.text is None:
                raise BadInput(f"the passage {row.passage.id!r} has no words, and {self.url} holds texts only.")
        passages = [row.passage for row in rows]
        there = [p.id for p in await self.get([p.id for p in passages]) if p is not None]
        if there:  # what adding an id again does is not in LangChain's contract
            await self._store.adelete(there)
        await self._store.aadd_texts(
            [passage.indexed for passage in passages],
            [{_PASSAGE: passage.model_dump_json(), **passage.meta} for passage in passages],
            ids=[passage.id for passage in passages],
        )

    async def _keep(self, manifest: Manifest) -> None:
        raise BadInput(f"{self.url} has no place for records: LangChain's stores hold texts.")

    async def _remove(self, ids: Sequence[str], where: Filter | None) -> int:
        if where is not None:
            raise BadInput(f"{self.url} cannot delete by a filter: give ids.")
        there = [passage.id for passage in await self.get(ids) if passage is not None]
        if there:
            await self._store.adelete(there)
        return len(there)

    async def _near(self, space: SpaceName, vectors: Sequence[Vector], k: int, where: Filter | None) -> list[Ranking]:
        given = {}
        if where is not None:
            if self._to_filter is None:
                raise BadInput(f"{self.url} was given no way to filter: give to_filter=, or leave the filter out.")
            given = {"filter": self._to_filter(where)}
        found: list[Ranking] = []
        for vector in vectors:
            documents = await self._store.asimilarity_search_by_vector(list(vector), k=k, **given)
            passages = [_passage(document) for document in documents]
            texts = await self._embedder.texts([p.indexed for p in passages], role="document") if passages else []
            cosines = [sum(a * b for a, b in zip(vector, text, strict=True)) for text in texts]
            found.append(list(zip(passages, cosines, strict=True)))
        return found

    async def _worded(self, texts: Sequence[str], k: int, where: Filter | None) -> list[Ranking]:
        raise BadInput(f"{self.url} has no search by words: search it with mode='dense'.")

    async def get(self, ids: Sequence[str]) -> list[Passage | None]:
        """The passages with these ids, in order; None for one that is not there."""
        try:
            documents = await self._store.aget_by_ids(list(dict.fromkeys(ids)))
        except NotImplementedError:
            raise BadInput(f"{self.url} cannot be asked for passages by their ids.") from None
        found = {passage.id: passage for passage in map(_passage, documents)}
        return [found.get(key) for key in ids]

    async def count(self, where: Filter | None = None) -> int:
        """Not in LangChain's contract: `BadInput`."""
        raise BadInput(f"{self.url} cannot be counted: LangChain's stores do not list what they hold.")

    def iterate(self, where: Filter | None = None, *, without: SpaceName | None = None) -> AsyncIterator[Passage]:
        """Not in LangChain's contract: `BadInput`."""
        raise BadInput(f"{self.url} cannot be listed: LangChain's stores do not list what they hold.")


def _passage(document: Document) -> Passage:
    held = document.metadata.get(_PASSAGE)
    if isinstance(held, str):
        return Passage.model_validate_json(held)
    # put in by someone else: the words, under the id that the store gives
    key = document.id or str(hash(document.page_content))
    return Passage(id=key, document=str(document.metadata.get("source") or key), text=document.page_content)
