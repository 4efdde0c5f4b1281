"""Which words of a prompt no question asks about: a graph that parses is not yet a graph of the whole prompt.

Words are compared by their stems, numbers by their values; words of any script count. What carries no fact of its own (articles,
copulas, "a picture of") need not be asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from .negation import denied
from .scene_graph import Question
from .vocabulary import GROUPS, NUMBERS

__all__ = ["NEGATIONS", "content_words", "dropped_negation", "unasked"]

NEGATIONS = frozenset(
    "no not without never nobody none nothing zero isn't aren't doesn't don't neither nor cannot can't".split()
)
_GLUE = frozenset(
    """a an the this these that those which who whose of to it its itself they their them he his she her him there here is are was were be
    been being and or but with while as so then both each one's some any other another also just very
    picture photo photograph image pictures photos images shot view scene placed located situated positioned has have having does do
    says say saying reads word words written""".split()
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def content_words(text: str) -> list[str]:
    """The words of `text` that carry a fact, as they are written, in order; of any script."""
    return [word for word in _WORD.findall(text) if word.casefold().replace("’", "'") not in _GLUE]


def unasked(text: str, nodes: Sequence[Question]) -> tuple[str, ...]:
    """The content words of `text` that are in no tuple and in no question, each once, in order."""
    asked = {stem for node in nodes for word in _WORD.findall(f"{node.tuple} {node.question}") for stem in _stems(word)}
    if any(node.expected == "no" for node in nodes):
        asked |= NEGATIONS
    missing = [word for word in content_words(text) if not _is_asked(word, asked, " ".join(n.question for n in nodes))]
    return tuple(dict.fromkeys(missing))


def dropped_negation(text: str, tuples: Sequence[str]) -> str:
    """The first negation of `text` where no tuple denies anything, "" otherwise: such a graph asks for the opposite."""
    words = _WORD.findall(_QUOTED.sub(" ", text))
    said = next((word for word in words if word.casefold().replace("’", "'") in NEGATIONS), "")
    return "" if any(denied(fact) for fact in tuples) else said


def _is_asked(word: str, asked: set[str], questions: str) -> bool:
    if _stems(word) & asked or (_unspaced(word) and word in questions):
        return True
    # "blue-and-white", "yin-yang": by their pieces
    pieces = [piece for piece in re.split(r"['’-]", word) if piece]
    return len(pieces) > 1 and all(
        piece.casefold() in _GLUE or len(piece) == 1 or _stems(piece) & asked for piece in pieces
    )


def _unspaced(word: str) -> bool:
    """Whether a word is of a script that puts no blanks between words."""
    return any(unicodedata.name(letter, "").startswith(("CJK", "HIRAGANA", "KATAKANA", "THAI")) for letter in word)


def _stems(word: str) -> set[str]:
    """What a word is known by: its number, or itself without the endings of number and tense."""
    word = word.casefold().replace("’", "'").removesuffix("'s").removesuffix("'")
    number = NUMBERS.get(word) or GROUPS.get(word)
    if number is not None or word.isdecimal():
        return {f"#{number if number is not None else int(word)}", word}
    stems = {word}
    for ending, put in (("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e")):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)] + put
            stems.add(stem)
            if len(stem) > 3 and stem[-1] == stem[-2]:
                stems.add(stem[:-1])
    return stems
