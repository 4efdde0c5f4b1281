"""Documents put into an index, with progress; those that it holds already are passed over."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ...runtime.protocols import Index
from ..cli import amount

__all__ = ["fill"]


_BATCH = 512


async def fill(index: Index, corpus: Path) -> None:
    """Put the documents in that the index does not hold yet."""
    from ...tools.data import read_corpus

    have = [passage.id async for passage in index.iterate()]
    known, batch, done = set(have), [], 0
    told = time.monotonic()
    for passage in read_corpus(corpus):
        done += 1
        if passage.id in known:
            continue
        batch.append(passage)
        if len(batch) >= _BATCH:
            await index.upsert(batch)
            batch = []
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"{amount(done)} documents indexed", file=sys.stderr, flush=True)
    await index.upsert(batch)
    await index.optimise()
