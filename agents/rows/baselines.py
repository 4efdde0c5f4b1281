"""Rows that no language model writes: real ones held back, noise, and copies. What a teacher's rows are compared with.

- `OraclePool` gives unseen real rows of the right label. It tests the machine and shows the ceiling; it is no teacher.
- `Noise` changes words at random: swaps, deletions, insertions (Wei & Zou 2019, EDA, arXiv 1901.11196). Its fourth operation,
  synonyms of WordNet, is left out: the word to insert is one of another row of the same label instead.
- `Copies` gives the row itself again: more updates on the same rows.

All draw by a seed alone, so that a killed run draws the same again.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Collection, Sequence

from ...runtime.errors import BadInput
from ...runtime.records import Row
from .teacher import Ask, Draft, Written

__all__ = ["Copies", "Noise", "OraclePool"]

_CHANGED = 0.1  # share of words, EDA's alpha
_LOOKED_AT = 200  # rows of a label that neighbours are looked for in: a larger pool would cost minutes of embedding


class OraclePool:
    """Real rows that were held back, as if a perfect teacher had written them.

    Args:
        pool: labelled rows that are in no other part of the data.
        embed: unit vectors of texts, to draw from the `near` nearest rows of the same label; None: from all of that label.
        near: small values give near copies, which teach little.
    """

    source = "oracle (unseen real rows, no teacher)"
    revision = "1"

    def __init__(
        self,
        pool: Sequence[Row],
        *,
        embed: Callable[[Sequence[str]], Awaitable[list[list[float]]]] | None = None,
        near: int = 40,
    ) -> None:
        if not pool:
            raise BadInput("the pool of the oracle has no rows that are not seeds, dev or test rows already.")
        if near < 1:
            raise BadInput(f"near={near!r}: give 1 or more.")
        self.model = f"oracle of {len(pool)} real rows"
        self.embed, self.near = embed, near
        self._by_label: dict[str, list[Row]] = {}
        for row in pool:
            self._by_label.setdefault(row.label, []).append(row)

    async def write(self, asks: Sequence[Ask], *, n: int, seed: int, taken: Collection[str]) -> list[Written]:
        """For each ask, up to `n` unused rows of its label."""
        used = set(taken)
        written = []
        for place, ask in enumerate(asks):
            rng = random.Random(f"oracle/{seed}/{place}/{ask.seed.id}")
            choices = [row for row in await self._near(ask.seed) if row.text not in used]
            drawn = rng.sample(choices, min(n, len(choices)))
            used |= {row.text for row in drawn}
            drafts = tuple(Draft(text=row.text, label=row.label, meta={**row.meta, "pool_id": row.id}) for row in drawn)
            written.append(Written(seed=ask.seed.id, n=n, teacher=self.model, revision=self.revision, drafts=drafts))
        return written

    async def _near(self, row: Row) -> list[Row]:
        same = self._by_label.get(row.label, [])
        if self.embed is None or len(same) <= self.near:
            return same
        # by their hash and not drawn: nearly the same rows in every repeat, so that each is embedded once
        same = sorted(same, key=lambda other: hashlib.sha256(other.text.encode()).digest())[:_LOOKED_AT]
        import numpy as np

        vectors = np.asarray(await self.embed([row.text, *(other.text for other in same)]))
        order = np.argsort(-(vectors[1:] @ vectors[0]), kind="stable")[: self.near]
        return [same[int(place)] for place in order]


class Noise:
    """The row with a tenth of its words swapped, deleted or inserted."""

    source = "noise (EDA)"
    model = "EDA-like noise"
    revision = "1"

    def __init__(self, rows: Sequence[Row]) -> None:
        self._words: dict[str, list[str]] = {}
        for row in rows:
            self._words.setdefault(row.label, []).extend(row.text.split())

    async def write(self, asks: Sequence[Ask], *, n: int, seed: int, taken: Collection[str]) -> list[Written]:
        """`n` noisy copies of each row."""
        written = []
        for place, ask in enumerate(asks):
            rng = random.Random(f"noise/{seed}/{place}/{ask.seed.id}")
            drafts = tuple(
                Draft(text=self._changed(ask.seed, rng), label=ask.seed.label, meta=ask.seed.meta) for _ in range(n)
            )
            written.append(Written(seed=ask.seed.id, n=n, teacher=self.model, revision=self.revision, drafts=drafts))
        return written

    def _changed(self, row: Row, rng: random.Random) -> str:
        words = row.text.split()
        for _ in range(max(1, round(_CHANGED * len(words)))):
            operation = rng.choice(("swap", "delete", "insert"))
            if operation == "insert" or len(words) < 2:
                words.insert(rng.randrange(len(words) + 1), rng.choice(self._words.get(row.label) or words))
            elif operation == "swap":
                a, b = rng.sample(range(len(words)), 2)
                words[a], words[b] = words[b], words[a]
            else:
                del words[rng.randrange(len(words))]
        return " ".join(words)


class Copies:
    """The row itself, `n` times."""

    source = "copies of the seeds"
    model = "copies"
    revision = "1"

    async def write(self, asks: Sequence[Ask], *, n: int, seed: int, taken: Collection[str]) -> list[Written]:
        """Each row again."""
        return [
            Written(
                seed=ask.seed.id, n=n, teacher=self.model, revision=self.revision,
                drafts=tuple(Draft(text=ask.seed.text, label=ask.seed.label, meta=ask.seed.meta) for _ in range(n)),
            )
            for ask in asks
        ]  # fmt: skip
