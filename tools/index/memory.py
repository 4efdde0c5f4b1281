"""`memory:`: an index that lives as long as its process. Exact search with NumPy, BM25 with bm25s; no files, no server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from ...runtime.errors import PrerequisiteError
from ...runtime.passages import Filter, Manifest, Passage, SpaceName
from ..documents import RAG_REMEDY
from .base import BaseIndex, Row, Vector
from .filter import matches
from .fusion import Ranking

if TYPE_CHECKING:
    from ...runtime.protocols import Embedder, TextEmbedder

__all__ = ["MemoryIndex"]


class MemoryIndex(BaseIndex):
    """See `tools.index.open_index`; the measure for all other stores."""

    def __init__(
        self,
        url: str = "memory:",
        *,
        text: TextEmbedder | None = None,
        image: Embedder | None = None,
        chunker: str = "",
    ) -> None:
        super().__init__(url, text=text, image=image, chunker=chunker)
        self._rows: dict[str, Row] = {}
        self._matrices: dict[str, tuple[list[Row], np.ndarray[Any, np.dtype[np.float32]]]] = {}
        self._bm25: tuple[list[Row], Any] | None = None
        self._writers = asyncio.Lock()

    async def _stored(self) -> Manifest | None:
        return self._manifest

    def _writing(self) -> AbstractAsyncContextManager[None]:
        return self._writers

    async def _write(self, rows: Sequence[Row], manifest: Manifest) -> None:
        self._rows |= {row.passage.id: row for row in rows}
        self._matrices, self._bm25 = {}, None

    async def _keep(self, manifest: Manifest) -> None:
        return  # the base has it

    async def _remove(self, ids: Sequence[str], where: Filter | None) -> int:
        gone = {key for key in ids if key in self._rows}
        if where is not None:
            gone |= {key for key, row in self._rows.items() if matches(where, row.passage)}
        for key in gone:
            del self._rows[key]
        self._matrices, self._bm25 = {}, None
        return len(gone)

    async def _near(self, space: SpaceName, vectors: Sequence[Vector], k: int, where: Filter | None) -> list[Ranking]:
        if space not in self._matrices:
            kept = [(row, vector) for row in self._rows.values() if (vector := getattr(row, space)) is not None]
            self._matrices[space] = [row for row, _ in kept], np.array([vector for _, vector in kept], dtype=np.float32)
        rows, matrix = self._matrices[space]
        if not rows:
            return [[] for _ in vectors]
        wanted = [place for place, row in enumerate(rows) if matches(where, row.passage)]
        products = matrix[wanted] @ np.array(vectors, dtype=np.float32).T
        return [_best([rows[place] for place in wanted], column, k) for column in products.T]

    async def _worded(self, texts: Sequence[str], k: int, where: Filter | None) -> list[Ranking]:
        if self._bm25 is None:
            kept = [(row, words) for row in self._rows.values() if (words := self._terms(row.passage.indexed))]
            self._bm25 = [row for row, _ in kept], _bm25s([words for _, words in kept])
        rows, bm25 = self._bm25
        wanted = [place for place, row in enumerate(rows) if matches(where, row.passage)]
        found: list[Ranking] = []
        for text in texts:
            asked = [word for word in self._terms(text) if bm25 is not None and word in bm25.vocab_dict]
            scores = bm25.get_scores(asked) if asked else np.zeros(len(rows), dtype=np.float32)
            positive = [place for place in wanted if scores[place] > 0]
            found.append(_best([rows[place] for place in positive], scores[positive], k))
        return found

    async def get(self, ids: Sequence[str]) -> list[Passage | None]:
        """The passages with these ids, in order; None for one that is not there."""
        return [self._rows[key].passage if key in self._rows else None for key in ids]

    async def count(self, where: Filter | None = None) -> int:
        """How many passages `where` finds."""
        return sum(matches(where, row.passage) for row in self._rows.values())

    async def iterate(self, where: Filter | None = None, *, without: SpaceName | None = None) -> AsyncIterator[Passage]:
        """Every passage once, by id; with `without` only those that hold no vector of that kind."""
        for key in sorted(self._rows):
            row = self._rows.get(key)
            if row is None or (without is not None and getattr(row, without) is not None):
                continue
            if matches(where, row.passage):
                yield row.passage


def _bm25s(corpus: list[list[str]]) -> Any:
    try:
        import bm25s
    except ImportError as error:
        raise PrerequisiteError(f"searching by words in memory needs bm25s: {error}", remedy=RAG_REMEDY) from None
    if not corpus:
        return None
    bm25 = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    bm25.index(corpus, show_progress=False)
    return bm25


def _best(rows: list[Row], scores: Any, k: int) -> Ranking:
    """The `k` best rows by score, equal ones by id."""
    if len(rows) > 4 * k:
        least = np.partition(scores, len(rows) - k)[len(rows) - k]
        keep = np.flatnonzero(scores >= least)
        rows, scores = [rows[place] for place in keep], scores[keep]
    ranked = sorted(zip(rows, scores.tolist(), strict=True), key=lambda item: (-item[1], item[0].passage.id))
    return [(row.passage, score) for row, score in ranked[:k]]
