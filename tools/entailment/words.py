"""Words of English texts: what is compared when two texts are held against each other word by word."""

from __future__ import annotations

import re

import regex

__all__ = ["STOP", "content_words", "numbers", "words"]

_WORD = regex.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")  # its \w knows vowel signs as parts of words (Hindi, Thai, Arabic)
STOP = frozenset(
    """a about above after again all also although am among an and any are as at be because been before being below between both but
    by can could did do does doing done down during each either for from further had has have having he her here hers him his how i
    if in into is it its itself just may me might more most much must my neither no nor not of off on once only or other our out
    over own per same shall she should since so some such than that the their them then there these they this those though through
    thus to too under until up upon us very via was we well were what when where whereas whether which while who whom whose why
    will with within without would yet you your""".split()
)
_ASKING = frozenset("explain describe tell give name list please find show define summarise summarize".split())
_NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z][-–])[-+]?(?:\d+(?:,\d{3})+|\d+)(?:\.\d+)?")
_SPELT = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve".split(),
        (float(number) for number in range(13)),
        strict=True,
    )
)


def words(text: str) -> list[str]:
    """The words of `text` in small letters; what a hyphen, an apostrophe or a point joins is one word."""
    return [match[0].casefold() for match in _WORD.finditer(text)]


def content_words(text: str) -> list[str]:
    """The words that carry what a text is about: without articles, prepositions, auxiliaries and words of asking."""
    return [word for word in words(text) if word not in STOP and word not in _ASKING]


def numbers(text: str) -> list[float]:
    """The numbers in a text as they are written, "1,000" and "two" too; those in names ("p53", "COX-2") are not numbers."""
    found = [float(match[0].replace(",", "").lstrip("+")) for match in _NUMBER.finditer(text)]
    return found + [_SPELT[word] for word in words(text) if word in _SPELT]
