"""Sentences of a text with their places in it: `text[start:end]` is the sentence, always.

- In most scripts a sentence ends at . ! ? … or a mark of the script (Arabic ؟ ۔, Devanagari । ॥ and others), with closing quotes and
  brackets, before a blank and what can begin a sentence: a capital, or a letter of a script without capitals; but not after a
  known abbreviation, an initial, or inside of a number.
- East Asian full stops end it without a blank, unless the sentence goes on after its quotation (「行く。」と言った).
- Thai and Lao have no marks: a line end is an end, and in a line of more than `_LONG` letters a blank between two words.
- It ends at an empty line, and at a line end before a list item.
"""

from __future__ import annotations

from typing import NamedTuple

import regex

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
_END = regex.compile(
    r"""(?<=\S)(?P<stop>[.!?…؟۔]+["'”’»)\]]*)(?P<blank>\s+)(?=["'“‘«„(\[]*[\p{Lu}\p{Lt}\p{Lo}0-9\[(<>≥≤±~*-])"""
    r"""|(?P<mark>[।॥።։។៕။༎]+["'”’»)\]]*|[。！？｡]+(?:(?![」』”’）)])|[」』”’）)]++(?![とっ、，])))\s*"""
    r"""|(?P<line>\n[ \t]*\n\s*|\n(?=\s*(?:[-*•]|\d+[.)])\s)|(?<=[\p{Thai}\p{Lao}])[ \t]*\n\s*)"""
    r"""|(?P<phrase>(?<=[\p{Thai}\p{Lao}])[ ]+(?=[\p{Thai}\p{Lao}]))"""
)
_INITIALS = regex.compile(r"(?:\p{Lu}\.)+\p{Lu}\.?")
_OPENS = regex.compile(
    r"(?:The|An?|It|Its|He|She|They|We|You|I|This|These|That|Those|There|In|On|At|By|For|From|But|And|When|If|As|After|Before|No|Yes)\b"
)
_WORD_BEFORE = regex.compile(r"(\S+)$")
_LONG, _PHRASE = 200, 60  # letters of a line without marks that is cut at blanks, and of the shortest piece


def sentences(text: str) -> list[Span]:
    """The sentences of `text` in order, without the blanks around them; empty ones are left out."""
    found: list[Span] = []
    start = 0
    for match in _END.finditer(text):
        if match["stop"] is not None and _goes_on(text, start, match):
            continue
        if match["phrase"] is not None and not _is_long(text, start, match.start()):
            continue
        end = max(match.end("stop"), match.end("mark"), match.start())
        _take(text, start, end, found)
        start = match.end()
    _take(text, start, len(text), found)
    return found


def _goes_on(text: str, start: int, match: regex.Match[str]) -> bool:
    """Whether this stop is that of an abbreviation or an initial."""
    if match["stop"] != ".":
        return False
    before = _WORD_BEFORE.search(text, start, match.start())
    if before is None:
        return False
    if before.start(1) == start and before[1].isdigit() and len(before[1]) < 3:
        return True  # the number of a list item
    word = before[1].lstrip("([\"'“‘").casefold()
    if _INITIALS.fullmatch(before[1].lstrip("([\"'“‘")):  # "D.J. Bernstein", and not "in the U.S. The"
        return _OPENS.match(text, match.end()) is None
    if word in _ABBREVIATIONS:
        # "no." and "etc." also end sentences; a number or a small letter after them says that they do not
        return word not in ("no", "etc", "al", "max", "art", "est") or not text[match.end()].isupper()
    return len(word) == 1 and word.isalpha() and before[1].lstrip("([").isupper() and before.start(1) > start


def _is_long(text: str, start: int, blank: int) -> bool:
    """Whether the line is so long that its sentences must end at blanks, and the piece before this one is no scrap."""
    end = text.find("\n", blank)
    return blank - start >= _PHRASE and (len(text) if end < 0 else end) - start > _LONG


def _take(text: str, start: int, end: int, found: list[Span]) -> None:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    clean = piece.strip()
    if clean:
        found.append(Span(start + left, start + left + len(clean), clean))
