"""What a prompt denies: such a question is asked positively, and its right answer is no.

VQA models are poor at "Is there no disc?"; asked "Is there a disc?", they need not understand the negation.
"""

from __future__ import annotations

import re

from .noun_phrases import with_article

__all__ = ["denied", "positive"]

_NO_SUCH = re.compile(r"^(is|are) there (?:no|not any|not an?|not) (.+?)\?*$", re.IGNORECASE)
_CONTRACTED = re.compile(r"^(is|are|does|do|has|have|can)n't\b", re.IGNORECASE)
_NOT = re.compile(r"^((?:is|are|does|do|has|have|can)\b.*?) not\b(?! only)", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:no|not|without|absent|absence|lack|lacks|lacking|never|none|nobody|nothing|zero)\b|n't\b", re.IGNORECASE
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)")


def denied(text: str) -> bool:
    """Whether a text denies something, what is quoted in it apart."""
    return bool(_DENIED.search(_QUOTED.sub("", text)))


def positive(question: str) -> tuple[str, bool]:
    """A yes/no question without its negation, and whether it had one."""
    if match := _NO_SUCH.match(question):
        thing = match[2] if match[1].lower() == "are" else with_article(match[2])
        return f"{match[1]} there {thing}?", True
    if match := _CONTRACTED.match(question):
        return match[1] + question[match.end() :], True
    bare = _QUOTED.sub(lambda quoted: "\0" * len(quoted[0]), question)
    if match := _NOT.match(bare):
        return question[: len(match[1])] + question[match.end() :], True
    return question, False
