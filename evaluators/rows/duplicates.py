"""Is a text a copy of another one: exactly, in its words (ROUGE-L), or in its meaning (cosine of embeddings)?

The model: `KnownTexts` holds what a new text must not repeat, in named groups ("seeds", "rows", "dev", "test"), and says of
a new text which known one is nearest, by which measure. What is near in a group that may be trained on is a duplicate; near
in dev or test it is a leak. The caller decides: this module measures.

ROUGE-L is the F measure over the longest common subsequence of words (Lin 2004), words being runs of letters and digits in
lower case. RapidFuzz computes it with bit operations, a few microseconds a pair, so that all groups are always looked at.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq

from ...runtime.errors import BadInput
from ...runtime.records import Record

__all__ = ["Contamination", "Embed", "KnownTexts", "Match", "contamination", "normal", "rouge_l"]

Embed = Callable[[Sequence[str]], Awaitable[list[list[float]]]]
"""Unit vectors of texts."""

_WORD = re.compile(r"\w+")


def normal(text: str) -> str:
    """The text as exact comparison sees it: its words in lower case. A text without words is its signs."""
    return " ".join(_words(text)) or " ".join(text.split())


def rouge_l(a: str, b: str) -> float:
    """ROUGE-L F of two texts, 0 to 1; 0 where one of them has no words."""
    return _f(_words(a), _words(b), 0.0)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _f(a: Sequence[str], b: Sequence[str], least: float) -> float:
    """ROUGE-L F; 0 at once where even a full overlap would stay below `least`."""
    if not a or not b or 2 * min(len(a), len(b)) < least * (len(a) + len(b)):
        return 0.0
    return 2 * LCSseq.similarity(a, b) / (len(a) + len(b))


class Match(Record):
    """The known text that is nearest to a new one. `measure`: "exact", "rouge-l" or "cosine"; `value` is 1 for exact."""

    group: str
    text: str
    measure: str
    value: float

    def __str__(self) -> str:
        """As a reason in a table."""
        how = "the same words as" if self.measure == "exact" else f"{self.measure} {self.value:.2f} to"
        return f"{how} {self.text!r} ({self.group})"


class KnownTexts:
    """What a new text must not repeat.

    Args:
        rouge: a ROUGE-L F above this is a match; 1 turns it off (LLM2LLM used 0.95, Self-Instruct 0.7).
        cosine: a cosine above this is a match; needs `embed`.
        embed: gives unit vectors of texts; None: meaning is not compared.
    """

    def __init__(self, *, rouge: float = 0.7, cosine: float = 0.95, embed: Embed | None = None) -> None:
        if not 0 < rouge <= 1 or not 0 < cosine <= 1:
            raise BadInput(f"rouge={rouge!r} and cosine={cosine!r} must lie above 0 and not above 1.")
        self.rouge, self.cosine, self.embed = rouge, cosine, embed
        self._exact: dict[str, tuple[str, str]] = {}
        self._texts: list[tuple[str, str, list[str]]] = []
        self._vectors: list[NDArray[np.float64]] = []  # one array an `add`

    async def add(self, group: str, texts: Sequence[str]) -> None:
        """Know these texts from now on."""
        if self.embed is not None and texts:
            self._vectors.append(np.asarray(await self.embed(texts), dtype=np.float64))
        for text in texts:
            self._exact.setdefault(normal(text), (group, text))
            self._texts.append((group, text, _words(text)))

    async def nearest(self, texts: Sequence[str]) -> list[Match | None]:
        """For each text the match that is nearest, or None: exact before ROUGE-L before cosine."""
        vectors = await self.embed(texts) if self.embed is not None and texts and self._texts else None
        if len(self._vectors) > 1:
            self._vectors = [np.concatenate(self._vectors)]
        return [self._nearest(text, vectors[place] if vectors else None) for place, text in enumerate(texts)]

    def _nearest(self, text: str, vector: list[float] | None) -> Match | None:
        same = self._exact.get(normal(text))
        if same is not None:
            return Match(group=same[0], text=same[1], measure="exact", value=1.0)
        words = _words(text)
        scored = [(_f(words, other, self.rouge), place) for place, (_, _, other) in enumerate(self._texts)]
        value, place = max(scored, default=(0.0, -1), key=lambda pair: pair[0])
        if value > self.rouge:
            return Match(group=self._texts[place][0], text=self._texts[place][1], measure="rouge-l", value=value)
        if vector is not None:
            cosines = self._vectors[0] @ np.asarray(vector)
            place = int(cosines.argmax())
            if cosines[place] > self.cosine:
                group, other, _ = self._texts[place]
                return Match(group=group, text=other, measure="cosine", value=min(1.0, float(cosines[place])))
        return None


class Contamination(Record):
    """How near the added rows come to texts that are only measured on.

    `exact`: rows with the words of one of them; `above`: rows with a ROUGE-L above `threshold`; `mean`, `highest`: of each row's
    largest ROUGE-L (None without rows); `nearest`: (row, text, ROUGE-L) of the nearest pairs, the nearest first.
    """

    group: str
    rows: int
    texts: int
    threshold: float
    exact: int = 0
    above: int = 0
    mean: float | None = None
    highest: float | None = None
    nearest: tuple[tuple[str, str, float], ...] = ()


def contamination(
    rows: Sequence[str], groups: Mapping[str, Sequence[str]], *, threshold: float = 0.7, shown: int = 5
) -> list[Contamination]:
    """Compare every row with every text of each group; the same whatever was refused before, so that it is a report and no filter."""
    found = []
    for group, texts in groups.items():
        known = {normal(text) for text in texts}
        words = [(text, _words(text)) for text in texts]
        pairs: list[tuple[str, str, float]] = []
        for row in rows:
            mine = _words(row)
            value, text = max(((_f(mine, other, 0.0), text) for text, other in words), default=(0.0, ""))
            pairs.append((row, text, round(value, 4)))
        pairs.sort(key=lambda pair: (-pair[2], pair[0]))
        values = [value for _, _, value in pairs]
        found.append(
            Contamination(
                group=group,
                rows=len(rows),
                texts=len(texts),
                threshold=threshold,
                exact=sum(normal(row) in known for row in rows),
                above=sum(value > threshold for value in values),
                mean=round(sum(values) / len(values), 4) if values else None,
                highest=values[0] if values else None,
                nearest=tuple(pairs[:shown]),
            )
        )
    return found
