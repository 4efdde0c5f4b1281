"""Sentences of a text with their places in it: `text[start:end]` is the sentence, always.

Rules for texts in Latin script: a sentence ends at . ! ? (with closing quotes and brackets), before a blank and what can
begin a sentence, but not after a known abbreviation, an initial, or inside of a number; it ends at an empty line, and at
a line end before a list item. East Asian full stops end it without a blank.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Span", "sentences"]


class Span(NamedTuple):
    """A piece of a text: `start` and `end` are offsets in characters."""

    start: int
    end: int
    text: str


_ABBREVIATIONS = frozenset(
    """al approx art ca cf co corp dept dr ed eds e.g eq eqs est et etc ext fig figs i.e inc jr ltd max mr mrs ms no nos p pp
    prof ref refs resp sec sp spp sr st subsp suppl tab var viz vol vs""".split()
)
_END = re.compile(
    r"(?P<stop>[.!?]+[\"'”’)\]]*)(?P<blank>\s+)(?=[\"'“‘(\[]*[A-Z0-9À-ÞΑ-ΩА-Я\[(<>≥≤±~*-])"
    r"|(?P<line>\n[ \t]*\n\s*|\n(?=\s*(?:[-*•]|\d+[.)])\s))|(?<=[。！？])\s*"
)
_WORD_BEFORE = re.compile(r"(\S+)$")


def sentences(text: str) -> list[Span]:
    """The sentences of `text` in order, without the blanks around them; empty ones are left out."""
    found: list[Span] = []
    start = 0
    for match in _END.finditer(text):
        if match["stop"] is not None and _goes_on(text, start, match):
            continue
        end = match.end("stop") if match["stop"] is not None else match.start()
        _take(text, start, end, found)
        start = match.end()
    _take(text, start, len(text), found)
    return found


def _goes_on(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether this stop is that of an abbreviation or an initial."""
    if match["stop"] != ".":
        return False
    before = _WORD_BEFORE.search(text, start, match.start())
    if before is None:
        return False
    if before.start(1) == start and before[1].isdigit() and len(before[1]) < 3:
        return True  # the number of a list item
    word = before[1].lstrip("([\"'“‘").casefold()
    if word in _ABBREVIATIONS:
        # "no." and "etc." also end sentences; a number or a small letter after them says that they do not
        return word not in ("no", "etc", "al", "max", "art", "est") or not text[match.end()].isupper()
    return len(word) == 1 and word.isalpha() and before[1].lstrip("([").isupper() and before.start(1) > start


def _take(text: str, start: int, end: int, found: list[Span]) -> None:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    clean = piece.strip()
    if clean:
        found.append(Span(start + left, start + left + len(clean), clean))
