"""A prompt in pieces that can each be left out: which of its words did it is found by painting it without them.

A piece is what frames the picture ("a photo of"), what stands between two commas, a phrase that a preposition or a conjunction begins
("on a wooden table"), or a word before a noun ("centred", "three"). What the sentence is about stays: without it there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .noun_phrases import with_article
from .vocabulary import ART_NOUNS, ARTICLES, FRAMES, RELATIONS, TYING

__all__ = ["MOST_PIECES", "Piece", "pieces_of"]

MOST_PIECES = 12

_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")
_PAUSES = frozenset(",;:.!?()，、；：。—–")
_LONGEST_RELATION = max(len(relation.split()) for relation in RELATIONS)
_STARTS = frozenset([*RELATIONS, *(TYING - {"is", "are", "zero", "any", "there"}), "or", "of", "under", "during"])


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some words of a prompt, and the prompt without them."""

    text: str
    without: str


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        return self.text.casefold()


def pieces_of(text: str, most: int = MOST_PIECES) -> list[Piece]:
    """The pieces of `text` in its order, at most `most`, of which the longest are kept; one may lie in another."""
    found: dict[str, tuple[int, int]] = {}
    for start, end in _spans(text):
        without = _tidy(text[:start], text[end:])
        if without and without != text:
            found.setdefault(without, (start, end))
    longest = sorted(found.items(), key=lambda entry: entry[1][0] - entry[1][1])[:most]
    return [
        Piece(text=text[start:end].strip(" ,;:，、；："), without=without)
        for without, (start, end) in sorted(longest, key=lambda entry: (entry[1][0], -entry[1][1]))
    ]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where pieces begin and end; that of a clause takes the pause before it along."""
    words = [_Word(match.group(), *match.span()) for match in _TOKEN.finditer(text)]
    clauses: list[list[_Word]] = [[]]
    for word in words:
        if word.text in _PAUSES:
            clauses.append([])
        else:
            clauses[-1].append(word)
    clauses = [clause for clause in clauses if clause]
    for before, clause in pairwise([[], *clauses]):
        if before:
            yield before[-1].end, clause[-1].end
        yield from _within(clause)


def _within(clause: Sequence[_Word]) -> Iterator[tuple[int, int]]:
    """The pieces of a clause: its frame, the phrases after the first, and the words before its nouns."""
    frame = _frame(clause)
    if frame:
        yield clause[0].start, clause[frame].start
    rest = clause[frame:]
    starts = [0, *(place for place in _phrase_starts(rest) if place), len(rest)]
    for number, (first, last) in enumerate(pairwise(starts)):
        phrase = rest[first:last]
        if number:
            yield phrase[0].start, phrase[-1].end
        begun = _relation(phrase, 0)
        for word, following in pairwise(phrase[begun:]):
            if word.key not in ARTICLES:
                yield word.start, following.start


def _frame(clause: Sequence[_Word]) -> int:
    """How many words of a clause say that it is a picture ("a vintage photo of"); 0 where something else is said."""
    for place, word in enumerate(clause[:4]):
        if word.key in FRAMES | ART_NOUNS:
            of = place + 1
            return of + 1 if len(clause) > of + 1 and clause[of].key in ("of", "showing", "with") else 0
    return 0


def _phrase_starts(words: Sequence[_Word]) -> Iterator[int]:
    place = 0
    while place < len(words):
        length = _relation(words, place)
        if length:
            yield place
        place += max(1, length)


def _relation(words: Sequence[_Word], place: int) -> int:
    """How many words from `place` on are one preposition or conjunction."""
    for length in range(min(_LONGEST_RELATION, len(words) - place), 0, -1):
        if " ".join(word.key for word in words[place : place + length]) in _STARTS:
            return length
    return 0


def _tidy(before: str, after: str) -> str:
    """What is left, as one would write it: single spaces, no pause at the start or twice, "a" or "an" as the next word asks."""
    before = before.rstrip()
    if (article := re.search(r"\ba(n?)$", before, re.IGNORECASE)) and after.strip():
        before = before[: article.start(1)] + with_article(after.lstrip(), mass=True).split()[0][1:]
    text = " ".join(f"{before} {after}".split())
    text = re.sub(r"\s+([,;:.!?，、；：。])", r"\1", text)
    text = re.sub(r"^[\s,;:.，、；：。]+|([,;:，、；：])(?=[,;:.，、；：。])", "", text)
    return text.strip(" ,;:，、；：")
