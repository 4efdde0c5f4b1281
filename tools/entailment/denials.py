"""Denials: what a text says not to be so, and of what."""

from __future__ import annotations

import re

from .reading import AUXILIARY, Text, stem, subject_of

__all__ = ["denials", "denied_elsewhere", "denied_of_another", "denies_the_same", "takes_back"]

_DENIES = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|lacks?|lacked|lacking|fail(?:s|ed)?\sto|refus(?:es|ed)\sto"
    r"|no\slonger|unable|except(?:ing)?|excluding|nicht|keine?[mnrs]?|nie|niemals|ohne|ne|pas|jamais|sans|nunca|jamás|sin|non|mai|senza)\b|n['’]t\b",
    re.IGNORECASE,
)
_OF_ANOTHER = "true so case correct right fact false wrong longer anymore yet now today".split()
_VERB_DENIED = re.compile(
    r"\b(?:is|are|was|were|do|does|did|can|could|may|might|must|should|has|have|had|will|would)\s(?:not|never)\b|n['’]t\b|\bcannot\b",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"(?:\band|\bbut|,)\s*not\s+(?:an?\s|the\s|to\s)?(\w+)|\bnot\s+(?:an?\s|the\s|to\s)?(\w+)\b[\w\s,]{0,20}\bbut\b"
    r"|\b(?:instead\sof|rather\sthan)\s+(?:an?\s|the\s)?(\w+)",
    re.IGNORECASE,
)


def denials(text: str) -> int:
    """How often a text says that something is not so."""
    return len(_DENIES.findall(text))


def takes_back(told: Text) -> bool:
    """Whether a text says of what it said that it is not so: "..., but this is not true"."""
    return any(_DENIES.search(told.words_of({clause})) and not _own_words(told, clause) for _, clause in told.clauses)


def denied_of_another(said: Text, told: Text) -> bool:
    """Whether a source denies in clauses of their own what else is said of the same one: "Dogs are not ..., but they may be ..."."""
    who = {token.stem for token in subject_of(told.text)}
    clauses = {told.clause(token.start) for token in told.tokens if token.stem in said.stems - who}
    positive = told.words_of({clause for clause in clauses if not _DENIES.search(told.words_of({clause}))})
    denying = {clause for _, clause in told.clauses if _DENIES.search(told.words_of({clause}))} - clauses
    own = {clause: _own_words(told, clause) - who for clause in denying}  # "but it is not" denies the statement itself
    return (
        not any(_DENIES.search(told.words_of({clause})) for clause in clauses)
        and AUXILIARY.search(positive) is not None
        and all(own[clause] and _VERB_DENIED.search(told.words_of({clause})) for clause in denying)
    )


def denies_the_same(said: Text, told: Text) -> bool:
    """Whether the words right behind the denials of a statement stand right behind denials of the source, too."""
    ours, theirs = (_denied_words(text) for text in (said, told))
    return bool(ours) and ours <= theirs


def _denied_words(text: Text) -> set[str]:
    following = (
        (match, next((each for each in text.tokens if each.start >= match.end()), None))
        for match in _DENIES.finditer(text.text)
    )
    return {
        token.stem
        for match, token in following
        if token is not None and text.clause(token.start) == text.clause(match.start())
    }


def _own_words(told: Text, clause: int) -> set[str]:
    """What a clause says of its own, without the words that speak of what another one says."""
    stems = {token.stem for token in told.tokens if told.clause(token.start) == clause}
    return stems - {stem(word) for word in _OF_ANOTHER}


def denied_elsewhere(said: Text, told: Text) -> str | None:
    """The word that a statement denies beside another, where the source says it: "boil and not simmer" of "simmer and not boil"."""
    ours, theirs = (
        {stem(each) for match in _CONTRAST.finditer(text.text) for each in match.groups() if each}
        for text in (said, told)
    )
    wrong = ((ours & told.stems) - theirs) | ((theirs & said.stems) - ours)
    return next((token.text for token in said.tokens if token.stem in wrong), None)
