"""Conditions: in which case a source says that something is so."""

from __future__ import annotations

import re
from typing import NamedTuple

from .reading import Text

__all__ = ["another_case", "lacking_condition", "turned_condition"]

_CASES = re.compile(r"\b(?:when|whenever|if|unless|while|because|until|once)\b", re.IGNORECASE)
_CASE_ENDS = re.compile(r"[,;.]|\band\b|\bbut\b")
_CONDITION = re.compile(
    r"(?P<more>(?:\b(?:but|and)\s)?\bonly\s)?(?<!\beven\s)(?<!\bas\s)(?<!\bwhat\s)(?P<word>\b(?:if|unless|provided\sthat|on\scondition\sthat|as\slong\sas)\b)"
    r"(?!\s(?:any|so|not|possible|necessary|needed|desired|required|you\s(?:like|wish|want|prefer))\b)",
    re.IGNORECASE,
)
_ANOTHER_SENTENCE = re.compile(r"[;.:!?](?=\s)|,\s(?:but|and|while|whereas)\b", re.IGNORECASE)
_LEADS = re.compile(r"(?:^|[;.:!?]\s|\b(?:but|and|or|that)\s)\s*$", re.IGNORECASE)
_ONLY = re.compile(
    r"\bonly\s(?:on|in|at|for|from|by|with|during|after|before|to|until|under|when|while|where|as|between|within|through)\b",
    re.IGNORECASE,
)
_STATES_A_CASE = re.compile(
    r"\b(?:if|unless|when|whenever|once|until|while|provided|as long as|in case|condition|depends?|subject to|without)\b",
    re.IGNORECASE,
)
_BESIDE = 8  # characters after "only in" in which its date begins


class Case(NamedTuple):
    """What is said to be so, and in which case, by stems, and the word that joins the two, in small letters."""

    word: str
    main: set[str]
    case: set[str]


def lacking_condition(said: Text, told: Text) -> str | None:
    """The word of a condition ("if", "unless", "only on") under which a source says what a statement says without any."""
    if (word := _only(said, told)) is not None:
        return word
    if _STATES_A_CASE.search(said.text):
        return None
    for match in _CONDITION.finditer(told.text):
        ended = _ANOTHER_SENTENCE.search(told.text, match.end())
        stop = ended.start() if ended is not None else len(told.text)
        comma = told.text.find(",", match.end(), stop)
        if not match["more"] and comma > 0 and _LEADS.search(told.text[: match.start()]):
            case, main = _stems(told, match.end(), comma), _stems(told, comma, stop)
        else:
            ends = [each.end() for each in _ANOTHER_SENTENCE.finditer(told.text, 0, match.start())]
            case = _stems(told, match.end(), comma if comma > 0 else stop)
            main = _stems(told, ends[-1] if ends else 0, match.start())
        ours = _stems(said, 0, len(said.text))
        case -= main
        if 2 * len(case & ours) < max(len(case), 1) and 2 * len(main & ours) > len(ours):
            return match["word"].lower()
    return None


def _only(said: Text, told: Text) -> str | None:
    """The words "only on" of "only on Sundays", where a statement says the rest without the Sundays."""
    for match in _ONLY.finditer(told.text):
        here = told.clause(match.start())
        clause = {token.stem for token in told.tokens if told.clause(token.start) == here}
        restricted = next((token.stem for token in told.tokens if token.start >= match.end()), "")
        dated = any(match.end() <= each.start < match.end() + _BESIDE for each in told.quantities)
        spoken = 2 * len(clause & said.stems) > len(said.stems)
        if restricted and not dated and spoken and restricted not in said.stems:
            return match[0].lower()
    return None


def turned_condition(said: Text, told: Text) -> bool:
    """Whether one says of a case with "unless" what the other says of the same case with "if" or "when"."""
    return any(
        (ours.word == "unless") != (theirs.word == "unless") and 2 * len(ours.case & theirs.case) > len(ours.case)
        for ours in _cases(said)
        for theirs in _cases(told)
        if {ours.word, theirs.word} <= {"if", "unless", "when", "whenever"}
    )


def another_case(said: Text, told: Text) -> str | None:
    """A word of what a statement says to be so in a case ("when ...", "if ..."), which the source says of another case."""
    ours = _cases(said)
    if len(ours) != 1:
        return None
    [(_, main, case)] = ours
    theirs = _cases(told)
    best = max(theirs, key=lambda each: len(each.case & case), default=None)
    if best is None or 2 * len(best.case & case) < len(case) or not main:
        return None
    for other in theirs:
        elsewhere = (main & other.main) - best.main
        if other.case != best.case and elsewhere and len(main & other.main) > len(main & best.main):
            return next(token.text for token in reversed(said.tokens) if token.stem in elsewhere)
    return None


def _cases(text: Text) -> list[Case]:
    """The cases of a text; one that a sentence begins with holds of what follows."""
    cases, begins = list[Case](), 0
    matches = list(_CASES.finditer(text.text))
    for place, match in enumerate(matches):
        stop = matches[place + 1].start() if place + 1 < len(matches) else len(text.text)
        ended = _CASE_ENDS.search(text.text, match.end(), stop)
        end = ended.start() if ended is not None else stop
        main = _stems(text, begins, match.start()) or _stems(text, end, stop)
        cases.append(Case(match[0].lower(), main, _stems(text, match.end(), end)))
        begins = end
    return cases


def _stems(text: Text, start: int, end: int) -> set[str]:
    return text.stems_within(start, end) | {
        f"{quantity.low:g}" for quantity in text.quantities if start <= quantity.start < end
    }
