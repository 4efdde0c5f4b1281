"""Which of the choices a reply means.

What a choice says comes before where it stands: of "two, three" the reply "2" is "two", for language models are shown choices without
numbers. The readings, in order:

    1. the reply says a choice, but for capitals, marks, articles, number words, a lead ("the answer is") or a label ("option 2", "b)")
    2. it names a place and nothing else: "B", "(2)", "the second one", "the last"
    3. a choice stands in it, and no other does; of several, in the first clause that has one. What is denied ("not a dog") does not count
    4. a label stands in it: "I take option B", "b) for it barks"
    5. all words of the one stand in the other, but for endings: "popsicle" is "popsicle stick"

A reading that fits two choices is none. A reply that is like no choice means none, and never the nearest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from ...tools.tasks import choice_words
from .replies import short_answer
from .word_stems import stem

__all__ = ["meant_choice"]

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_DENIALS = frozenset(["not", "no", "never", "without", "than", "nor", "neither"])
_LABEL = r"(?:option|choice|answer|letter|number|no\.|nr\.|#)"
_MARKED = re.compile(r"^\W*(?P<place>[a-z]|\d{1,2})\s*[.:)\]]+\s*(?P<rest>.*)$", re.DOTALL)
_LABELLED = re.compile(rf"^\W*(?:the\s+)?{_LABEL}\s*(?:is\s+)?(?P<rest>.+)$", re.DOTALL)
_INSIDE = re.compile(rf"{_LABEL}\s*(?:is\s+)?[(\[]?(?P<place>[a-z]|\d{{1,2}}|[a-z]{{3,5}})\b")
_BRACKETS = re.compile(r"^[(\[{]?\s*(?P<place>[a-z]|\d{1,2})\s*[)\]}]?$")
_ORDINAL = re.compile(
    rf"^(?:the\s+)?(?P<place>{'|'.join([*_ORDINALS, 'last'])}|\d{{1,2}}(?:st|nd|rd|th))(?:\s+(?:one|option|choice|answer))?$"
)
_CLAUSE = re.compile(r"[,;.:!?](?=\s|$)|\n|\b(?:because|since|but|although)\b")


def meant_choice(reply: str, choices: Sequence[str]) -> str:
    """The choice that a reply means, by the readings of the module; "" where it means none, or cannot be told."""
    lines = [line for line in reply.split("\n") if line.strip()]
    texts = [" ".join(each.lower().split()).strip(" .\"'“”*`") for each in (*lines[:1], reply)]
    readings: tuple[Callable[[str, Sequence[str]], str], ...] = (_same, _placed, _named, _labelled, _alike)
    return next((choice for read in readings for text in texts if text and (choice := read(text, choices))), "")


def _same(text: str, choices: Sequence[str]) -> str:
    """The choice that the whole reply says; to the letter before in another form."""
    for each in (text, short_answer(text)):
        if to_the_letter := _only(choice for choice in choices if " ".join(choice.lower().split()) == each):
            return to_the_letter
    bare = [text, short_answer(text)]
    bare += [match["rest"] for each in tuple(bare) for form in (_LABELLED, _MARKED) if (match := form.match(each))]
    forms = {tuple(choice_words(each)) for each in bare} - {()}
    return _only(choice for choice in choices if tuple(choice_words(choice)) in forms)


def _placed(text: str, choices: Sequence[str]) -> str:
    """The choice at the place that the whole reply names."""
    label = _LABELLED.match(text)
    for each in (label["rest"] if label else text, short_answer(text)):
        if ordinal := _ORDINAL.match(each.strip(" .")):
            return _at(ordinal["place"], choices)
        # among numbers a bare number is a number that was not offered
        if place := _BRACKETS.match(each.strip(" .:")):
            bare = each.strip(" .:") == place["place"] and label is None
            return "" if bare and place["place"].isdigit() and _any_number(choices) else _at(place["place"], choices)
    return ""


def _named(text: str, choices: Sequence[str]) -> str:
    """The one choice that stands in the reply, else in the first clause that has one."""
    for part in (text, *_CLAUSE.split(text)):
        there = _standing(part, choices)
        if len(there) == 1:
            return there[0]
        if there and part is not text:
            return ""
    return ""


def _labelled(text: str, choices: Sequence[str]) -> str:
    """The choice whose label stands in the reply, before something else."""
    match = _MARKED.match(text) or _INSIDE.search(text)
    if match is None:
        return ""
    number = _number(match["place"])
    return _at(match["place"] if number is None else f"{number:g}", choices)


def _alike(text: str, choices: Sequence[str]) -> str:
    """The one choice of which all words stand in the reply, or that has all of its words, but for endings."""
    mine = {stem(word) for word in choice_words(short_answer(text))}
    theirs = {choice: {stem(word) for word in choice_words(choice)} for choice in choices}
    return _only(
        choice for choice, stems in theirs.items()
        if mine and stems and (mine <= stems or stems <= mine) and not (mine ^ stems) & _DENIALS
    )  # fmt: skip


def _standing(text: str, choices: Sequence[str]) -> list[str]:
    """The choices that stand in a text undenied; one inside of another's words does not count."""
    words, spans = choice_words(text), list[tuple[int, int, str]]()
    for choice in choices:
        size = len(wanted := choice_words(choice))
        if any(unicodedata.category(sign) == "Lo" for sign in choice):  # scripts without blanks
            start = text.find(choice.lower())
            spans += [(start, start + len(choice), choice)] if start >= 0 else []
            continue
        places = [place for place in range(len(words) - size + 1) if size and words[place : place + size] == wanted]
        spans += [(place, place + size, choice) for place in places if not _denied(words[:place])]
    largest = [
        choice for start, end, choice in spans
        if not any(low <= start and end <= high and (low, high) != (start, end) for low, high, _ in spans)
    ]  # fmt: skip
    return list(dict.fromkeys(largest))


def _denied(before: Sequence[str]) -> bool:
    return bool(before) and (before[-1] in _DENIALS or before[-1] == "t" or list(before[-2:]) == ["instead", "of"])


def _number(text: str) -> float | None:
    """The number that a text is, in digits or as a word; None for any other text."""
    words = choice_words(text)
    return float(words[0]) if len(words) == 1 and re.fullmatch(r"[-+]?\d+(\.\d+)?", words[0]) else None


def _any_number(choices: Sequence[str]) -> bool:
    return any(_number(choice) is not None for choice in choices)


def _at(place: str, choices: Sequence[str]) -> str:
    """The choice at a place: a letter, a number from 1, an ordinal, "last"; "" where there is none."""
    digits = re.match(r"\d+", place)
    if digits:
        index = int(digits[0]) - 1
    elif place == "last":
        index = len(choices) - 1
    else:
        index = _ORDINALS.index(place) if place in _ORDINALS else (ord(place) - ord("a") if len(place) == 1 else -1)
    return choices[index] if 0 <= index < len(choices) else ""


def _only(choices: Iterable[str]) -> str:
    different = list(dict.fromkeys(choices))
    return different[0] if len(different) == 1 else ""
