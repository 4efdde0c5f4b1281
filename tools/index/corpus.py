"""A corpus in BEIR's layout put into an index; the documents that it holds already are passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...runtime.protocols import Index
from ..data import read_corpus

__all__ = ["fill"]

_BATCH = 512


async def fill(
    index: Index,
    corpus: Path,
    *,
    progress: Callable[[int], None] = lambda documents: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Put the documents in that the index does not hold yet, or holds without a vector that they would get now.

    `progress` is told how many documents were read, and `stop` is asked, after each batch. What was put in until then is kept.

    Raises:
        BadInput: a line of the corpus that cannot be read, or the index was opened without an embedder of vectors that it holds.
    """
    embeds = await index.embeds()
    held = {passage.id async for passage in index.iterate()}
    for space in embeds:
        held -= {passage.id async for passage in index.iterate(without=space) if passage.fills(space)}
    batch, documents = [], 0
    for passage in read_corpus(corpus):
        documents += 1
        if passage.id in held:
            continue
        batch.append(passage)
        if len(batch) >= _BATCH:
            await index.upsert(batch)
            batch = []
            progress(documents)
            if stop():
                break
    await index.upsert(batch)
    await index.optimise()
