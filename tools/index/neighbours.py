"""Which documents of an index to show a model beside a query: relevant, unlike each other, and not the query itself.

The retriever of RA-CM3 (Yasunaga et al. 2022, arXiv 2211.12561, section 3.1) on any `Index`: a document is a picture with
words, its vector the mean of their two unit vectors, its score the inner product with the query's unit vector. Going down the
scores, one is left out that is a near duplicate of the query, or whose cosine with the query or with one chosen before is above
`diversity`. Query dropout leaves out a share of the query's words, and of its picture's cells, before it is embedded.

The index keeps the two vectors apart. The best means are found exactly, on any store, by the threshold algorithm (Fagin, Lotem
and Naor 2003): both rankings are read to one depth, and a document that neither has shown cannot score above the mean of their
last cosines; the depth doubles until enough documents lie above that.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.passages import Filter, Passage, Query, SpaceName
from ...runtime.protocols import Embedder, Index
from ...runtime.records import BlobRef, Record
from ...runtime.store import BlobStore

__all__ = ["Neighbour", "Neighbours", "Selection", "drop_cells", "drop_words"]

Vector = NDArray[np.float32]

_CELLS = 8
_DEEPEST = 4096
_REMEMBERED = 20_000  # documents whose vectors are kept in memory; 4 KB each at 512 numbers
_SPACES: tuple[SpaceName, ...] = ("text", "image")


class Neighbour(Record):
    """A document that was chosen. `score`: the inner product of its vector with the query's, from -1 to 1."""

    passage: Passage
    score: float


class Selection(Record):
    """How neighbours are chosen.

    `diversity`: the highest cosine of a document's vector with the query's and with those of the documents before it; None: any.
    `duplicate`: the highest cosine of its picture with the query's picture; above it is a near duplicate of the query, as is one
    with the same picture bytes or the same words. None: none is left out for that. `dropout`: the share of the query's words, or
    of its picture's 8 x 8 cells, that are left out, by `seed` (RA-CM3: 0.2 in training, 0 afterwards).
    """

    diversity: float | None = Field(default=0.9, gt=-1, le=1)
    duplicate: float | None = Field(default=0.98, gt=-1, le=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A document with its score and the unit vectors of its words and its picture."""

    score: float
    document: Passage
    words: Vector
    picture: Vector


class Neighbours:
    """Looks neighbours up in `index`, whose words and pictures were both embedded by `embedder`.

    Open it so: `open_index(url, text=clip, image=clip)`. `blobs` holds the pictures of the queries and keeps those with cells
    left out.
    """

    def __init__(self, index: Index, embedder: Embedder, blobs: BlobStore, selection: Selection | None = None) -> None:
        self.index, self.selection = index, selection or Selection()
        self._embedder, self._blobs = embedder, blobs
        self._memory: dict[tuple[str, str], tuple[Vector, Vector]] = {}

    async def find(
        self,
        queries: Sequence[Query],
        *,
        k: int = 2,
        where: Filter | None = None,
        exclude: Sequence[Collection[str]] | None = None,
    ) -> list[list[Neighbour]]:
        """At most `k` documents a query, the best score first, equal ones by id; fewer where the rules leave fewer.

        `exclude`: by query, ids that it must not find (its own). A query is words, a picture, or both (the mean of their unit
        vectors); passages with words alone or a picture alone are left out.

        Raises:
            BadInput: k below 1, a query that is a vector, lists of different lengths, or an index of other embeddings.
            PrerequisiteError: the embedder or the index cannot be read.
        """
        barred = [frozenset[str]()] * len(queries) if exclude is None else [frozenset(ids) for ids in exclude]
        if k < 1 or len(barred) != len(queries):
            raise BadInput(f"k={k!r} must be 1 or more, and {len(queries)} queries need as many lists to exclude.")
        for query in queries:
            if query.vector is not None:
                raise BadInput("neighbours are found for words and pictures: give these, not a vector.")
        if not queries:
            return []
        self._check()
        vectors = await self._vectors(queries)
        found: list[list[Neighbour]] = [[] for _ in queries]
        pending, depth = list(range(len(queries))), 4 * k + 16
        while pending:
            ranked = await self._ranked([vectors[place] for place in pending], depth, where)
            again = []
            for place, (candidates, bound) in zip(pending, ranked, strict=True):
                whole = bound == -math.inf or depth >= _DEEPEST  # past the deepest, the best that was seen
                safe = [one for one in candidates if whole or one.score >= bound]
                found[place] = await self._diverse(queries[place], vectors[place], safe, k, barred[place])
                if len(found[place]) < k and not whole:
                    again.append(place)
            pending, depth = again, 2 * depth
        return found

    def _check(self) -> None:
        manifest, embedder = self.index.manifest, self._embedder
        for name in ("text", "image") if manifest is not None else ():
            space = getattr(manifest, name)
            if space is None or (space.model, space.revision) != (embedder.model, embedder.revision):
                raise BadInput(
                    f"the {name} vectors of the index {self.index.url!r} are {'missing' if space is None else f'those of {space.model!r}'},"
                    f" and neighbours need {embedder.model!r} for words and pictures: index with text=clip, image=clip."
                )

    async def _vectors(self, queries: Sequence[Query]) -> list[Vector]:
        """The unit vector of each query, after dropout."""
        rules = self.selection
        thinned = [self._thinned(query) for query in queries] if rules.dropout else list(queries)
        worded = [query.text for query in thinned if query.text.strip()]
        shown = [query.image for query in thinned if query.image is not None]
        words = iter(await self._embedder.texts(worded) if worded else [])
        pictures = iter(await self._embedder.images(shown) if shown else [])
        vectors = []
        for query in thinned:
            parts = [next(words)] if query.text.strip() else []
            parts += [next(pictures)] if query.image is not None else []
            vectors.append(_unit(np.mean(np.array(parts, dtype=np.float32), axis=0)))
        return vectors

    def _thinned(self, query: Query) -> Query:
        rules = self.selection
        own = hashlib.sha256(query.model_dump_json().encode()).digest()[:8]  # the same whatever it is asked with
        rng = np.random.default_rng([rules.seed, int.from_bytes(own, "big")])
        image = query.image
        if image is not None:
            image = self._blobs.put_image(drop_cells(self._blobs.get_image(image), rules.dropout, rng))
        return query.model_copy(update={"text": drop_words(query.text, rules.dropout, rng), "image": image})

    async def _ranked(
        self, vectors: Sequence[Vector], depth: int, where: Filter | None
    ) -> list[tuple[list[_Candidate], float]]:
        """By query its candidates, the best first, and what a document that was not seen scores at most."""
        rankings = {}
        for space in _SPACES:
            asked = [Query(vector=tuple(vector.tolist()), space=space) for vector in vectors]
            rankings[space] = await self.index.search(asked, k=depth, mode="dense", where=where)
        found = []
        for vector, worded, pictured in zip(vectors, rankings["text"], rankings["image"], strict=True):
            seen = {hit.passage.id: hit.passage for hit in (*worded, *pictured) if _is_document(hit.passage)}
            await self._remember(list(seen.values()))
            candidates = []
            for document in seen.values():
                words, picture = self._memory[_key(document)]
                score = float((words + picture) @ vector) / 2
                candidates.append(_Candidate(score=score, document=document, words=words, picture=picture))
            candidates.sort(key=lambda one: (-one.score, one.document.id))
            lasts = [
                hits[-1].scores[name] if len(hits) == depth else -math.inf
                for hits, name in ((worded, "dense"), (pictured, "image"))
            ]
            found.append((candidates, -math.inf if -math.inf in lasts else sum(lasts) / 2))
        return found

    async def _remember(self, documents: Sequence[Passage]) -> None:
        """Have the documents' unit vectors at hand; the embedder knows them from when they were indexed."""
        if len(self._memory) > _REMEMBERED:
            self._memory.clear()
        new = [document for document in documents if _key(document) not in self._memory]
        words = await self._embedder.texts([document.indexed for document in new]) if new else []
        pictures = await self._embedder.images([document.image for document in new if document.image]) if new else []
        for document, word, picture in zip(new, words, pictures, strict=True):
            self._memory[_key(document)] = np.array(word, dtype=np.float32), np.array(picture, dtype=np.float32)

    async def _diverse(
        self,
        query: Query,
        vector: Vector,
        candidates: Sequence[_Candidate],
        k: int,
        barred: frozenset[str],
    ) -> list[Neighbour]:
        rules = self.selection
        own = None
        if query.image is not None and rules.duplicate is not None:
            [shown] = await self._embedder.images([query.image])
            own = np.array(shown, dtype=np.float32)
        chosen: list[Neighbour] = []
        taken: list[Vector] = []
        for one in candidates:
            if one.document.id in barred or _is_copy(query, one, own, rules):
                continue
            mean = _unit(one.words + one.picture)
            near = (vector, *taken) if rules.diversity is not None else ()
            if any(float(other @ mean) > (rules.diversity or 0.0) for other in near):
                continue
            chosen.append(Neighbour(passage=one.document, score=max(-1.0, min(1.0, one.score))))
            taken.append(mean)
            if len(chosen) == k:
                break
        return chosen


def drop_words(text: str, share: float, rng: np.random.Generator) -> str:
    """The text without a share of its words, chosen by `rng`; one word stays."""
    words = text.split()
    if not words:
        return text
    gone = min(round(share * len(words)), len(words) - 1)
    dropped = set(rng.permutation(len(words))[:gone].tolist())
    return " ".join(word for place, word in enumerate(words) if place not in dropped)


def drop_cells(picture: Any, share: float, rng: np.random.Generator) -> Any:
    """A PIL picture in which a share of its 8 x 8 cells, chosen by `rng`, has the picture's mean colour; one cell stays."""
    from PIL import Image

    pixels = np.array(picture.convert("RGB"))
    rows, columns = (np.linspace(0, side, _CELLS + 1).astype(int) for side in pixels.shape[:2])
    gone = min(round(share * _CELLS**2), _CELLS**2 - 1)
    mean = pixels.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    for cell in rng.permutation(_CELLS**2)[:gone]:
        row, column = divmod(int(cell), _CELLS)
        pixels[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = mean
    return Image.fromarray(pixels)


def _is_document(passage: Passage) -> bool:
    return passage.image is not None and bool(passage.indexed)


def _key(document: Passage) -> tuple[str, str]:
    return document.image.sha256 if document.image else "", document.indexed


def _is_copy(query: Query, one: _Candidate, own: Vector | None, rules: Selection) -> bool:
    """Whether a document is the query over again: the same picture or words, or a picture that is nearly the same."""
    if rules.duplicate is None:
        return False
    if _same(query.image, one.document.image):
        return True
    if query.text.strip() and _plain(query.text) == _plain(one.document.text):
        return True
    return own is not None and float(own @ one.picture) > rules.duplicate


def _same(one: BlobRef | None, other: BlobRef | None) -> bool:
    return one is not None and other is not None and one.sha256 == other.sha256


def _plain(text: str) -> list[str]:
    return text.casefold().split()


def _unit(vector: Vector) -> Vector:
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm > 0 else vector
