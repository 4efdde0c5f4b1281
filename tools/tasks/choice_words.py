"""The words by which choices are compared: "two", "2" and "the two" are one choice, "2nd" is none of them."""

from __future__ import annotations

import re

from ..entailment import quantities

__all__ = ["choice_words"]

_ARTICLES = frozenset(["a", "an", "the"])
_MINUS = ("minus", "negative")
_WORD = re.compile(r"[^\W_]+")


def choice_words(text: str) -> list[str]:
    """The words of a text in small letters, numbers as digits, without articles where more is left."""
    words, at = list[str](), 0
    for quantity in quantities(text.lower()):
        if quantity.scale == "number" and quantity.start >= at and quantity.unit != "st":
            words += _WORD.findall(text[at : quantity.start].lower())
            number = f"{quantity.low:.12g}" if quantity.low == quantity.high else quantity.text.lower()
            words.append(f"-{number}" if words and words[-1] in _MINUS and words.pop() else number)
            at = quantity.end
    words += _WORD.findall(text[at:].lower())
    return [word for word in words if word not in _ARTICLES] or words
