"""The words of a text as BM25 counts them: folded, without stop words, stemmed. The same for documents and queries.

Unicode words; Lucene's English stop words; Snowball's stemmer of the script: English (Porter 2) for Latin, and for the others
of their most written language (the Arabic one also takes vowel signs and the
stretching tatweel away, and the article). Scripts that put no blanks between words are counted in overlapping pairs of letters, or, where ICU is
installed (extra `segment`), in the words of its dictionaries; Korean, whose particles hang on its words, in pairs.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import regex

from ...runtime.errors import BadInput, PrerequisiteError
from .scripts import folded, is_unspaced, pairs, runs

__all__ = ["RAG_REMEDY", "SEGMENTED", "TERMS", "check_terms", "terms", "terms_here"]

RAG_REMEDY = "install the extra: pip install 'inloop[rag]'"

TERMS = "terms 2"
"""The number of these rules. It is raised when they change: an index whose words were counted by others is not searched."""
SEGMENTED = f"{TERMS} with ICU"
"""The same with the words of ICU's dictionaries in place of pairs of letters: where an index was made with it, it is searched with it."""

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


def terms(text: str, rules: str = TERMS) -> list[str]:
    """The terms of `text` in order, with repetitions; `rules`: `TERMS` or `SEGMENTED`.

    Raises:
        PrerequisiteError: the package PyStemmer (extra `rag`) is not installed, or of `SEGMENTED` icu4py (extra `segment`).
    """
    apart = _segments if rules == SEGMENTED else pairs
    found: list[str] = []
    english: list[str] = []
    for run in runs(folded(text)):
        if run.isascii():
            english += [run[:_LONGEST]] if run not in _STOP else []
            continue
        found += _stemmer("english")(english)
        english = []
        if is_unspaced(run):
            found += apart(run)
        elif _HANGUL.search(run):
            found += pairs(run)
        else:
            found += _stemmed(run[:_LONGEST])
    return [*found, *_stemmer("english")(english)]


def terms_here() -> str:
    """The rules for a new index: with ICU where it is installed."""
    return SEGMENTED if importlib.util.find_spec("icu4py") else TERMS


def check_terms(rules: str, name: str) -> None:
    """Whether an index that was made with these rules can be searched here; `name` is what errors call it.

    Raises:
        BadInput: they are others.
        PrerequisiteError: it was made with ICU, and that is not installed.
    """
    if rules == SEGMENTED and terms_here() != SEGMENTED:
        raise PrerequisiteError(
            f"{name} was made with the words of ICU, which is not installed",
            remedy="install the extra: pip install 'inloop[segment]'",
        )
    if rules not in (TERMS, SEGMENTED):
        raise BadInput(
            f"the words of {name} were counted by other rules ({rules or 'terms 1'} and not {TERMS}), so that a search would miss some: index"
            " anew under another URL, what was embedded is not paid again."
        )


def _segments(run: str) -> list[str]:
    from icu4py.breakers import WordBreaker

    return [
        word for word in map(str, WordBreaker(run, "en")) if is_unspaced(word)
    ]  # whose dictionaries hold in every locale


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
