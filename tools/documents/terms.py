"""The words of a text as BM25 counts them: lower case, without stop words, stemmed. The same for documents and queries.

Unicode words; Lucene's English stop words; Snowball's English stemmer (Porter 2). Chinese, Japanese and Korean, which
put no blanks between words, are counted in overlapping pairs of characters.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from ...runtime.errors import PrerequisiteError

__all__ = ["RAG_REMEDY", "terms"]

RAG_REMEDY = "install the extra: pip install 'inloop[rag]'"

_STOP = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to"
    " was will with".split()
)
_WORD = re.compile(r"\w+", re.UNICODE)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+")
_LONGEST = 64  # a longer "word" is a hash or a sequence: what tells such ones apart is at their start


def terms(text: str) -> list[str]:
    """The terms of `text` in order, with repetitions.

    Raises:
        PrerequisiteError: the package PyStemmer (extra `rag`) is not installed.
    """
    words: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).lower()):
        if not word.isascii() and _UNSPACED.search(word):
            words += _pairs(word)
        elif word not in _STOP:
            words.append(word[:_LONGEST])
    return list(_stemmer()(words))


def _pairs(word: str) -> list[str]:
    found: list[str] = []
    done = 0
    for run in _UNSPACED.finditer(word):
        found += [word[done : run.start()]] if run.start() > done else []
        letters = run[0]
        found += [letters[i : i + 2] for i in range(len(letters) - 1)] or [letters]
        done = run.end()
    return [*found, word[done:]] if done < len(word) else found


@functools.cache
def _stemmer() -> Callable[[Sequence[str]], Sequence[str]]:
    try:
        import Stemmer
    except ImportError as error:
        raise PrerequisiteError(f"searching by words needs PyStemmer: {error}", remedy=RAG_REMEDY) from None
    stemmer: Any = Stemmer.Stemmer("english")
    stem: Callable[[Sequence[str]], Sequence[str]] = stemmer.stemWords
    return stem
