"""In-context examples for visual questions: chosen at random, by the question, or by picture and question together.

The model: examples are passages of an index (the question is what is searched, beside the picture), so that any store of
`tools.index` holds them. By picture and question the similarity is cos(question) + cos(picture), as in PICa and PromptCap; it is
exact, for the search goes deeper until no example that was not seen can be better.

Invariant: a question is never its own example, nor is another question about its own picture, known by its id or its bytes.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence, Set
from typing import Literal

from ...runtime.errors import BadInput
from ...runtime.passages import Hit, Passage, Query
from ...runtime.protocols import Index
from ...runtime.records import BlobRef, Record

__all__ = ["Selection", "Shot", "Shots"]

Selection = Literal["random", "question", "image+question"]
_BATCH = 128


class Shot(Record):
    """One worked example. `known`: passages that go with it; `candidates`: answers with confidences from 0 to 1.

    `tags`: things in the picture, told after the caption; `ocr`: what is written in it, told after these.
    """

    id: str
    question: str
    answer: str
    caption: str = ""
    tags: str = ""
    ocr: str = ""
    image_id: str = ""
    image: BlobRef | None = None
    choices: tuple[str, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()
    known: tuple[str, ...] = ()


class Shots:
    """A pool of examples.

    Args:
        pool: the examples, with different ids.
        by: how they are chosen.
        index: where they are searched; not needed at random. Opened with an embedder of texts, and for "image+question" with
            one of pictures. `fill` puts in what it lacks.
        seed: of the random choice, which depends on it and on the question's id alone.

    Raises:
        BadInput: two examples with one id, no index where one is needed, no pictures where they are compared.
    """

    def __init__(self, pool: Sequence[Shot], *, by: Selection, index: Index | None = None, seed: int = 0) -> None:
        self.by, self.seed = by, seed
        self._index = index
        self._pool = {shot.id: shot for shot in pool}
        if len(self._pool) != len(pool):
            raise BadInput(f"two of the {len(pool)} examples have one id: give each its own.")
        if by != "random" and index is None:
            raise BadInput(f"examples by {by!r} need an index; random ones do not.")
        if by == "image+question" and any(shot.image is None for shot in pool):
            raise BadInput("examples by 'image+question' need a picture each: choose them by 'question'.")

    def __len__(self) -> int:
        return len(self._pool)

    async def fill(self, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Embed the examples and put them into the index; what is there already, and of others, stays.

        `stop` is asked before each batch: where it says so, the rest is left out.
        """
        if self._index is None:
            return
        have = {passage.id: passage async for passage in self._index.iterate() if passage.id in self._pool}
        for space in await self._index.embeds():
            async for passage in self._index.iterate(without=space):
                if passage.fills(space):
                    have.pop(passage.id, None)
        wanted = [_passage(shot, self.by) for shot in self._pool.values()]
        missing = [passage for passage in wanted if not _is_held(passage, have.get(passage.id))]
        for start in range(0, len(missing), _BATCH):
            if stop():
                return
            await self._index.upsert(missing[start : start + _BATCH])

    async def choose(
        self, id: str, question: str, n: int, *, image_id: str = "", image: BlobRef | None = None
    ) -> list[Shot]:
        """At most `n` examples for the question `id`, the most similar first.

        Raises:
            BadInput: "image+question" for a question without a picture.
        """
        if n < 1:
            return []
        sha = None if image is None else image.sha256
        left = {
            shot.id
            for shot in self._pool.values()
            if shot.id != id
            and not (image_id and shot.image_id == image_id)
            and not (sha and shot.image is not None and shot.image.sha256 == sha)
        }
        if self.by == "random":
            digest = hashlib.sha256(f"{self.seed}:{id}".encode()).digest()
            keys = random.Random(int.from_bytes(digest[:8], "big")).sample(sorted(left), min(n, len(left)))
        elif self.by == "question":
            keys = await self._worded(Query(text=question), n, left)
        else:
            if image is None:
                raise BadInput(f"the question {id!r} has no picture: choose examples by 'question'.")
            keys = await self._both(Query(text=question, image=image), n, left)
        return [self._pool[key] for key in keys]

    async def _search(self, query: Query, k: int) -> list[Hit]:
        assert self._index is not None
        [hits] = await self._index.search([query], k=k, mode="dense")
        return hits

    async def _worded(self, query: Query, n: int, left: Set[str]) -> list[str]:
        """The `n` nearest ids of those `left`; an index may hold examples of other pools, so the search may have to go deeper."""
        assert self._index is not None
        size, depth = await self._index.count(), n + len(self._pool) - len(left)
        while True:
            keys = [hit.passage.id for hit in await self._search(query, depth) if hit.passage.id in left]
            if len(keys) >= n or depth >= size:
                return keys[:n]
            depth = min(size, 4 * depth)

    async def _both(self, query: Query, n: int, left: Set[str]) -> list[str]:
        """The ids of those `left` with the `n` highest sums of both cosines (Fagin's threshold algorithm)."""
        assert self._index is not None
        size, depth = await self._index.count(), max(64, 4 * n)
        while True:
            # each space gives its `depth` best, so that a list joined of both has up to twice as many
            words = await self._search(Query(text=query.text), depth)
            pictures = await self._search(Query(image=query.image), depth)
            cosines = [
                {hit.passage.id: value for hit in hits for value in hit.scores.values()} for hits in (words, pictures)
            ]
            floors = [min(found.values(), default=-1.0) for found in cosines]
            cosines = [{key: value for key, value in found.items() if key in left} for found in cosines]
            sums = {key: cosines[0][key] + cosines[1][key] for key in cosines[0].keys() & cosines[1].keys()}
            ranked = sorted(sums, key=lambda key: (-sums[key], key))[:n]
            # what was seen in one space only, or in none, has at most this sum
            half_seen = [cosines[0][key] + floors[1] for key in cosines[0].keys() - sums.keys()]
            half_seen += [cosines[1][key] + floors[0] for key in cosines[1].keys() - sums.keys()]
            best_unseen = max([sum(floors), *half_seen])
            if depth >= size or (len(ranked) == n and sums[ranked[-1]] >= best_unseen):
                return ranked
            depth = min(size, 4 * depth)


def _is_held(passage: Passage, there: Passage | None) -> bool:
    """Whether the index has this very example, and not another one under its id."""
    if there is None or there.text != passage.text:
        return False
    return passage.image is None or (there.image is not None and there.image.sha256 == passage.image.sha256)


def _passage(shot: Shot, by: Selection) -> Passage:
    image = shot.image if by == "image+question" else None
    return Passage(id=shot.id, document=shot.id, text=shot.question, end=len(shot.question), image=image)
