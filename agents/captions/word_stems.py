"""Words of short answers and captions, without their usual English endings, so that "dogs" is "dog" and "racing" "race"."""

from __future__ import annotations

import re

__all__ = ["stem"]

_ENDING = re.compile(r"(?<=\w{3})(?:ies|es|s|ing|ed|y|e)$")


def stem(word: str) -> str:
    """A word without its ending, of which three letters stay."""
    return _ENDING.sub("", word)
