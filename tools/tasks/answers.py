"""Short answers compared as what they are: numbers as numbers, words as words.

A number keeps its sign and its fraction: -5 is not 5, 1/2 is 0.5 and not 12, "1,000" is 1000. Arithmetic is exact
(`fractions.Fraction`): no float comes in.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

__all__ = ["as_number", "same_words", "words"]

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{{1,3}})?"
_RATIO = re.compile(rf"(?P<top>{_DECIMAL})\s*/\s*(?P<bottom>{_DECIMAL})")
_LEAD = re.compile(r"(?:[-+]\s*[$€£¥₹]?|[$€£¥₹]\s*[-+]?)\s*")
_VULGAR = re.compile(r"(?<=\d)[\u00bc-\u00be\u2150-\u215e]")  # "1½" would become "11/2"
# "5km" is 5; "5k" is none, for it is 5000 to some
_UNIT = re.compile(r"(?:\s*[%°]|\s+[^\W\d][^\d]*|(?<=\d)(?!(?:k|b|bn|mn)\b)[^\W\d_]{1,3})?\s*[.!]?", re.IGNORECASE)
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-", "\u2044": "/", "\u2215": "/"})
_TOKEN = re.compile(rf"(?<![\w.])[-+]?{_DECIMAL}(?:\s*/\s*\d+)?(?![\w])|[^\W_]+(?:['\u2019][^\W_]+)*", re.UNICODE)
_ARTICLES = {"a", "an", "the"}


def as_number(text: str) -> Fraction | None:
    """The number that `text` is, or None where it is none, or more than one.

    Known are signs, thousands in groups of three, decimals, exponents, fractions and mixed numbers. A currency sign
    before and a unit behind are passed over (a percent sign too: "50%" is 50). "1,5" is no number: it is 1.5 to some
    and 15 to others.
    """
    found = unicodedata.normalize("NFKC", _VULGAR.sub(r" \g<0>", text)).translate(_MINUS).strip()
    lead = _LEAD.match(found)
    sign = -1 if lead is not None and "-" in lead.group() else 1
    found = found[lead.end() :] if lead is not None else found
    value, end = _leading(found)
    if value is None or not _UNIT.fullmatch(found, end):
        return None
    return sign * value


def words(text: str) -> tuple[str, ...]:
    """A text as its words, without case, punctuation and articles; a number in it stays one, as `str(Fraction)`."""
    plain = unicodedata.normalize("NFKC", text).translate(_MINUS).casefold()
    tokens = []
    for match in _TOKEN.finditer(plain):
        token = match.group()
        number = as_number(token) if any(sign.isdigit() for sign in token) else None
        tokens.append(token.replace("\u2019", "'") if number is None else str(number))
    return tuple(token for token in tokens if token not in _ARTICLES) or tuple(tokens)


def same_words(one: str, other: str) -> bool:
    """Whether two texts have the same `words`; texts of punctuation alone are compared as they are."""
    first, second = words(one), words(other)
    return first == second if first or second else one.strip() == other.strip()


def _leading(text: str) -> tuple[Fraction | None, int]:
    """The unsigned number that `text` begins with, and where it ends."""
    if (ratio := _RATIO.match(text)) is not None:
        bottom = _fraction(ratio["bottom"])
        return (_fraction(ratio["top"]) / bottom, ratio.end()) if bottom else (None, 0)
    if (mixed := re.match(rf"({_DIGITS})\s+(\d+)\s*/\s*(\d+)", text)) is not None:
        bottom = Fraction(mixed[3])
        return (_fraction(mixed[1]) + Fraction(mixed[2]) / bottom, mixed.end()) if bottom else (None, 0)
    if (plain := re.match(_DECIMAL, text)) is not None:
        return _fraction(plain.group()), plain.end()
    return None, 0


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))
