"""Doubts: what a source does not say itself, but as a possibility, a plan, an untruth, or as what somebody said."""

from __future__ import annotations

import re

from .reading import Text, spoken_of, stem
from .verbs import ACTS
from .words import STOP

__all__ = ["lacking_doubt"]

_DOUBTS = tuple(
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), re.compile(rf"\b(?:{words}|{enough})\b", re.IGNORECASE))
    for words, enough in (
        (
            r"(?-i:may)|might|could|allegedly|reportedly|rumou?rs?|supposedly|probably|perhaps|possibly|maybe"
            r"|(?:is|are|was|were)\s(?:thought|believed|said|expected|supposed|assumed|reported|estimated)\sto",
            "can|likely",
        ),
        ("would|should", "must"),
        (
            r"planned|plans|proposed|(?:intend|hope|aim|want|attempt|offer|threaten|promise|agree)(?:s|d|ed)?\sto|(?:try|tries|tried|forgot|forgets?)\sto"
            r"|(?:was|were)\sto|(?:is|are|was|were)\s(?:asked|told|ordered|invited|urged|advised|due)\sto|expect(?:s|ed)?\s(?:\w+\s){0,3}to",
            "planning|intended|hoped",
        ),
        (rf"(?:almost|nearly)(?=\s(?:{ACTS.pattern})\b)|hardly|barely|scarcely", "close"),
        ("seldom|rarely", "sometimes|occasionally|few|not"),
        ("false|falsely|untrue|myth|deny|denies|denied|claimed|claims", "not"),
        ("if|whether|unless", "when|where|once|until|provided|depends"),
    )
)
"""What casts doubt, by kind, and what says as much in a statement."""
_PAST = re.compile(r"\b(?:was|were|used\sto|had\sbeen)\b", re.IGNORECASE)
_IS = re.compile(r"\b(?:is|are)\b", re.IGNORECASE)
_SAYS = (
    r"\b(?:says?|said|thinks?|thought|told|(?:complain|expect|believ|hop|fear|suspect|argu|alleg|predict|forecast|warn|assum|guess|doubt|maintain"
    r"|assert|insist|stat|announc|promis|declar|claim|estimat|worr)(?:e|es|ed|s|ies|ied)?)\b"
)
_REST = r"(?:[^;.]|\.(?=\S))*"  # of a sentence, with the numbers in it
_REPORTED = re.compile(
    rf"(?P<verb>{_SAYS})(?=[^,;:.()]{{0,40}}?\b(?:that|will|would)\b|\s(?:it|he|she|they|there|the|an?|his|her|its|their|no|all)\b)(?P<said>{_REST})",
    re.IGNORECASE,
)
_ACCORDING = re.compile(
    rf"(?:^|[.;]\s)according\sto\b[^,;.]*,(?P<behind>{_REST})|(?P<said>{_REST})\baccording\sto\b", re.IGNORECASE
)
_REPORTS = re.compile(rf"{_SAYS}|\baccording to\b|\bin the (?:view|opinion|words) of\b", re.IGNORECASE)
_OURSELVES = re.compile(r"\b(?:we|I)\s(?:\w+\s)?$", re.IGNORECASE)


def lacking_doubt(said: Text, told: Text) -> str | None:
    """A word that casts doubt on what a source says, for which a statement has none of its kind."""
    spoken = spoken_of(said, told)
    for doubts, enough in _DOUBTS:
        word = doubts.search(spoken)
        if word is not None and not enough.search(said.text) and stem(_verb(word[0])) not in said.stems:
            return word[0].lower()
    if _PAST.search(spoken) and not _PAST.search(said.text) and _IS.search(said.text) and not _IS.search(spoken):
        return "was"
    return None if _REPORTS.search(said.text) else _reported(said, told)


def _verb(doubt: str) -> str:
    """Of "was asked to", what can be said otherwise: "asked"."""
    return next((part for part in doubt.lower().split() if part not in STOP), doubt)


def _reported(said: Text, told: Text) -> str | None:
    """The word by which a source says that somebody else says it, as "complained" in "He complained that it was open"."""
    for match in _REPORTED.finditer(told.text):
        verb = stem(match["verb"])
        within = told.stems_within(*match.span("said"))
        if verb not in said.stems and not _OURSELVES.search(told.text[: match.start()]) and _mostly(said, within):
            return match["verb"].lower()
    for match in _ACCORDING.finditer(told.text):
        if _mostly(said, told.stems_within(*match.span("said" if match["behind"] is None else "behind"))):
            return "according to"
    return None


def _mostly(said: Text, stems: set[str]) -> bool:
    """Whether more than half of the words of a statement are among these."""
    return 2 * len(said.stems & stems) > len(said.stems)
