"""CIDEr-D: how much a caption says what people say of the picture (Vedantam et al. 2015, section 5).

For n = 1..4 the n-grams of caption and reference are weighted by how rare they are over all pictures, the caption's counts are
clipped at the reference's, and the cosines are averaged, with a penalty for another length (a Gaussian, sigma 6), times 10.
Words are runs of letters and digits in lower case; nothing is stemmed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from ...runtime.errors import BadInput

__all__ = ["Cider"]

_N, _SIGMA = 4, 6.0
_WORD = re.compile(r"\w+")
_Grams: TypeAlias = Counter[tuple[str, ...]]


class Cider:
    """CIDEr-D with the document frequencies of the pictures in `corpus`: the references of each.

    A corpus of one picture has no rare words: every score is then 0.

    Raises:
        BadInput: an empty corpus.
    """

    def __init__(self, corpus: Sequence[Sequence[str]]) -> None:
        if not corpus:
            raise BadInput("CIDEr needs the captions of at least one picture to know which words are rare.")
        self._pictures = math.log(len(corpus))
        self._seen: _Grams = Counter()
        for references in corpus:
            self._seen.update({gram for text in references for gram in _grams(_words(text))})

    def score(self, caption: str, references: Sequence[str]) -> float:
        """0 to 10, the mean over the references; 0 without references."""
        mine = _words(caption)
        vectors = self._vectors(mine)
        total = 0.0
        for text in references:
            other = _words(text)
            cosines = [_cosine(a, b) for a, b in zip(vectors, self._vectors(other), strict=True)]
            total += sum(cosines) / _N * math.exp(-((len(mine) - len(other)) ** 2) / (2 * _SIGMA**2))
        return 10 * total / len(references) if references else 0.0

    def _vectors(self, words: list[str]) -> list[dict[tuple[str, ...], float]]:
        found: list[dict[tuple[str, ...], float]] = [{} for _ in range(_N)]
        for gram, count in _grams(words).items():
            found[len(gram) - 1][gram] = count * (self._pictures - math.log(max(1, self._seen[gram])))
        return found


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _grams(words: list[str]) -> _Grams:
    return Counter(tuple(words[place : place + n]) for n in range(1, _N + 1) for place in range(len(words) - n + 1))


def _cosine(mine: dict[tuple[str, ...], float], other: dict[tuple[str, ...], float]) -> float:
    product = sum(min(weight, other[gram]) * other[gram] for gram, weight in mine.items() if gram in other)
    length = math.sqrt(sum(w * w for w in mine.values())) * math.sqrt(sum(w * w for w in other.values()))
    return product / length if length else 0.0
