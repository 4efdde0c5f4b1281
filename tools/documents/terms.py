"""The words of a text as BM25 counts them: folded, without stop words, stemmed. The same for documents and queries.

Unicode words; Lucene's English stop words; Snowball's stemmer of the script: English (Porter 2) for Latin, and for the others
of their most written language (the Arabic one also takes vowel signs and the
stretching tatweel away, and the article). Scripts that put no blanks between words are counted in overlapping pairs of letters, and so
is Korean, whose particles hang on its words.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import regex

from ...runtime.errors import PrerequisiteError
from .scripts import folded, is_unspaced, pairs, runs

__all__ = ["RAG_REMEDY", "TERMS", "terms"]

RAG_REMEDY = "install the extra: pip install 'inloop[rag]'"

TERMS = "terms 2"
"""The number of these rules. It is raised when they change: an index whose words were counted by others is not searched."""

_STOP = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to"
    " was will with".split()
)
_LONGEST = 64  # a longer "word" is a hash or a sequence: what tells such ones apart is at their start
_HANGUL = regex.compile(r"\p{Hangul}+")
_STEMMERS = {
    "arabic": regex.compile(r"\p{Arabic}"),
    "hindi": regex.compile(r"\p{Devanagari}"),
    "russian": regex.compile(r"\p{Cyrillic}"),
    "greek": regex.compile(r"\p{Greek}"),
    "armenian": regex.compile(r"\p{Armenian}"),
    "tamil": regex.compile(r"\p{Tamil}"),
}
_KEYBOARDS = str.maketrans("یکہ", "يكه")  # letters of Persian and Urdu keyboards in Arabic words


def terms(text: str) -> list[str]:
    """The terms of `text` in order, with repetitions.

    Raises:
        PrerequisiteError: the package PyStemmer (extra `rag`) is not installed.
    """
    found: list[str] = []
    english: list[str] = []
    for run in runs(folded(text)):
        if run.isascii():
            english += [run[:_LONGEST]] if run not in _STOP else []
            continue
        found += _stemmer("english")(english)
        english = []
        if is_unspaced(run) or _HANGUL.search(run):
            found += pairs(run)
        else:
            found += _stemmed(run[:_LONGEST])
    return [*found, *_stemmer("english")(english)]


def _stemmed(word: str) -> Sequence[str]:
    language = next((name for name, script in _STEMMERS.items() if script.search(word)), "english")
    return _stemmer(language)([word.translate(_KEYBOARDS)])


@functools.cache
def _stemmer(language: str) -> Callable[[Sequence[str]], Sequence[str]]:
    try:
        import Stemmer
    except ImportError as error:
        raise PrerequisiteError(f"searching by words needs PyStemmer: {error}", remedy=RAG_REMEDY) from None
    stemmer: Any = Stemmer.Stemmer(language)
    stem: Callable[[Sequence[str]], Sequence[str]] = stemmer.stemWords
    return stem
