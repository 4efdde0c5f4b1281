"""Embeddings that this process has seen, kept in memory: an experiment reads the same test rows for every student that it trains.

The ledger already keeps each embedding, but to ask it takes a row of SQLite a text. Here it is 1.5 KB of memory a text of MiniLM.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime.protocols import TextEmbedder

__all__ = ["TextMemory"]


class TextMemory:
    """A `TextEmbedder` in front of another; `most` texts are kept, the first ones."""

    def __init__(self, embedder: TextEmbedder, *, most: int = 200_000) -> None:
        self._embedder, self._most = embedder, most
        self._known: dict[tuple[str | None, str], NDArray[np.float32]] = {}

    @property
    def model(self) -> str:
        """The other's."""
        return self._embedder.model

    @property
    def revision(self) -> str:
        """The other's."""
        return self._embedder.revision

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]:
        """One unit vector a text, in order; raises what the other raises."""
        new = list(dict.fromkeys(text for text in texts if (role, text) not in self._known))
        fresh = dict(zip(new, await self._embedder.texts(new, role=role) if new else [], strict=True))
        for text, vector in fresh.items():
            if len(self._known) < self._most:
                self._known[role, text] = np.asarray(vector, dtype=np.float32)
        return [fresh[text] if text in fresh else self._known[role, text].tolist() for text in texts]

    async def aclose(self) -> None:
        """Close the other."""
        await self._embedder.aclose()
