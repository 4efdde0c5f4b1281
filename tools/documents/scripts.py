"""Words in every script: where they begin, how many there are, and what stands for them where no blanks part them.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without blanks between words. Where their words end only a
dictionary can tell; letters in overlapping pairs find the same texts without one (Nie, Gao et al. 2000 for Chinese).
"""

from __future__ import annotations

import itertools
import unicodedata

import regex

__all__ = ["folded", "is_unspaced", "pairs", "runs", "word_count"]

_IDEOGRAPHS = r"\p{Han}"
_SYLLABIC = r"\p{Hiragana}\p{Katakana}ー"
_ALPHABETIC = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(r"\w*[^\W_]\w*")
_UNSPACED = regex.compile(rf"[{_IDEOGRAPHS}{_SYLLABIC}{_ALPHABETIC}]+")
_RUN = regex.compile(rf"[{_IDEOGRAPHS}{_SYLLABIC}{_ALPHABETIC}]+|[^{_IDEOGRAPHS}{_SYLLABIC}{_ALPHABETIC}]+")
_LETTER = regex.compile(r"\X")  # a letter with the marks that stand on it
_IDEOGRAPH = regex.compile(rf"[{_IDEOGRAPHS}]")
_LETTERS_OF_A_WORD = ((regex.compile(rf"[{_ALPHABETIC}]"), 3), (regex.compile(rf"[{_IDEOGRAPHS}{_SYLLABIC}]"), 2))
"""How many letters a word has on average, rounded up."""


def folded(text: str) -> str:
    """`text` as it is compared: compatibility forms and case folded, signs without width gone."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return plain if plain.isascii() else regex.sub(r"\p{Cf}+", "", plain)


def is_unspaced(text: str) -> bool:
    """Whether a letter of a script without blanks between words is in it."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def runs(text: str) -> list[str]:
    """The words of `text` as blanks and punctuation part them, parted also where a script without blanks begins or ends."""
    found: list[str] = []
    for word in _WORD.findall(text):
        found += [run[0] for run in _RUN.finditer(word)] if is_unspaced(word) else [word]
    return found


def pairs(run: str) -> list[str]:
    """Overlapping pairs of the letters of `run`, and each ideograph, which may be a word alone, by itself."""
    letters = _LETTER.findall(run)
    single = [letter for letter in letters if _IDEOGRAPH.match(letter)] if len(letters) > 1 else letters
    return [*single, *(first + second for first, second in itertools.pairwise(letters))]


def word_count(text: str) -> int:
    """How many words `text` has; of a script without blanks, as many as its letters make on average: an estimate.

    Two ideographs or kana, or three letters of Thai, Lao, Khmer or Burmese, are counted as one word.
    """
    count = 0
    for run in runs(text):
        length = len(_LETTER.findall(run)) if is_unspaced(run) else 0
        size = next((size for letters, size in _LETTERS_OF_A_WORD if length and letters.search(run)), 0)
        count += -(-length // size) if size else 1
    return count
