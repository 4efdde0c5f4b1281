"""Whose: which number and which word of a source belongs to what, by its clauses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .denials import denials
from .quantities import Quantity
from .reading import Text, subject_of
from .roles import turned_verbs
from .verbs import ACTS, PARTICIPLES

__all__ = ["denied_of_other", "other_doer", "other_owner", "other_rate", "split"]

_FULL_NAME = 2  # words of a name
_GOES_ON = re.compile(
    rf"(?:and|but|or)\s(?:\w+ly\s|then\s|later\s|also\s)?(?:is|are|was|were|has|have|had|can|could|will|would|must|may|\w+ed|{'|'.join(sorted(PARTICIPLES))})\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"(?P<head>\w+),\s(?:who|which)\s(?P<said>[^,;:.]*)", re.IGNORECASE)
_EVERY = re.compile(r"\b(?:every|each|per)\s(?P<rate>[^\W\d_]+)", re.IGNORECASE)


def other_owner(said: Text, told: Text) -> str | None:
    """A quantity that a source tells of what ", which ..." or ", who ..." stands behind, and a statement of something else."""
    for match in _RELATIVE.finditer(told.text):
        owners, inside = (told.stems_within(*match.span(part)) for part in ("head", "said"))
        for quantity in said.quantities:
            there = [other for other in told.quantities if other.within(quantity)]
            within = there and all(match.start("said") <= other.start < match.end("said") for other in there)
            outside = said.stems - inside - owners
            if within and not owners & said.stems and outside & (told.stems - inside):
                return quantity.text
            behind = told.stems_within(match.end(), len(told.text))
            if within and owners & said.stems and behind & outside and not inside & said.stems:
                return quantity.text  # "Jon, who has led it since 1990, will be chair": he is not chair since 1990
    return None


def other_rate(said: Text, told: Text) -> str | None:
    """What a statement says to be so "every hour" that a source says to be so "every day" and not every hour."""
    ours = {match["rate"].lower() for match in _EVERY.finditer(said.text)}
    held: dict[str, set[str]] = {}
    for match in _EVERY.finditer(told.text):
        behind = [token for token in told.tokens if token.start >= match.end()]
        held.setdefault(match["rate"].lower(), set()).update(
            token.stem for token in behind if told.clause(token.start) == told.clause(match.start())
        )
    if len(ours) != 1 or not ours <= held.keys():
        return None
    others = set[str]().union(*(stems for rate, stems in held.items() if rate not in ours))
    wrong = others - held[next(iter(ours))]
    return next((token.text for token in said.tokens if token.stem in wrong), None)


def other_doer(said: Text, told: Text) -> str | None:
    """A name that a statement has before a verb, where the source has others before it, and this one before another verb.

    "Boats from Lund and Visby sank." of "Boats from Lund arrived, and boats from Visby sank.".
    """
    theirs, turned = _doers(told, by_clause=True), turned_verbs(said, told)
    for verb, doers in _doers(said, by_clause=False):
        if verb in turned:
            continue  # whom it was done to stands before it
        there = [others for other, others in theirs if other == verb]
        elsewhere = {name for other, others in theirs if other != verb for name in others}
        if len(there) == 1 and there[0] and (wrong := (doers & elsewhere) - there[0]):
            return next(token.text for token in said.tokens if token.stem in wrong)
    return None


def _doers(text: Text, *, by_clause: bool) -> list[tuple[str, set[str]]]:
    """The verbs of a text, each with the names that stand before it: in its clause, or back to the verb before it."""
    doers, names = list[tuple[str, set[str]]](), dict[int, set[str]]()
    for token in text.tokens:
        clause = text.clause(token.start) if by_clause else 0
        if token.name:
            names.setdefault(clause, set()).add(token.stem)
        elif ACTS.fullmatch(token.text.lower()):
            doers.append((token.stem, names.pop(clause, set())))
    return doers


def denied_of_other(said: Text, told: Text) -> bool:
    """Whether a source denies something only in clauses that speak of somebody else than the statement names."""
    names = {token.stem for token in said.tokens if token.name}
    denying = [clause for _, clause in told.clauses if denials(told.words_of({clause}))]
    nearest = [_nearest(_names_by_clause(told), clause) for clause in denying]
    return bool(names and names & told.stems) and bool(nearest) and all(_others(each, names) for each in nearest)


def _others(named: Sequence[str], names: set[str]) -> bool:
    """Whether names are those of somebody else; of "group A" and "group B" the letters are compared."""
    letters, ours = ({name for name in each if len(name) == 1} for each in (named, names))
    return letters.isdisjoint(ours) if letters and ours else bool(named) and names.isdisjoint(named)


def _names_by_clause(told: Text) -> dict[int, list[str]]:
    """The names in each clause that has any."""
    names: dict[int, list[str]] = {}
    for token in told.tokens:
        if token.name:
            names.setdefault(told.clause(token.start), []).append(token.stem)
    return names


def _nearest(names: dict[int, list[str]], clause: int) -> list[str]:
    """Whom a clause speaks of: one without a name speaks of whom the one before it names first."""
    if clause in names:
        return names[clause]
    before = next((names[number] for number in range(clause, -1, -1) if number in names), [])
    return before[:_FULL_NAME]


def split(said: Text, told: Text) -> tuple[str, str] | None:
    """Two parts of the statement that the source says of different things: where the one stands there, the other has a rival."""
    parts: list[tuple[str, set[int], Callable[[int], bool]]] = []
    for quantity in said.quantities:
        same = [other for other in told.quantities if other.within(quantity)]
        clauses = {told.clause(other.start) for other in same}
        if any(other.start < min((token.start for token in told.tokens), default=0) for other in same):
            continue  # "In 1913 ..." holds of all that follows
        parts.append((quantity.text, clauses, _rival_quantity(quantity, told)))
    names = {token.stem for token in said.tokens if token.name}
    subject, going_on = {token.stem for token in subject_of(told.text)}, _going_on(told)
    for token in said.tokens:
        clauses = {told.clause(other.start) for other in told.tokens if other.stem == token.stem}
        clauses |= going_on if token.stem in subject else set()
        parts.append((token.text, clauses, _rival_name(names, told) if token.name else (lambda clause: False)))
    for i, (first, here, first_rival) in enumerate(parts):
        for second, there, second_rival in parts[i + 1 :]:
            if here and there and not here & there and (all(map(second_rival, here)) or all(map(first_rival, there))):
                return first, second
    return None


def _going_on(told: Text) -> set[int]:
    """The clauses that say more of the subject: "... was built in 1934 and bought in 1988"."""
    return {clause for _, clause in told.clauses if _GOES_ON.match(told.words_of({clause}))}


def _rival_quantity(quantity: Quantity, told: Text) -> Callable[[int], bool]:
    rivals = {
        told.clause(other.start)
        for other in told.quantities
        if quantity.same_kind(other, counted=not ACTS.fullmatch(other.unit)) and not other.within(quantity)
    }
    return rivals.__contains__


def _rival_name(names: set[str], told: Text) -> Callable[[int], bool]:
    """Clauses that speak of somebody else."""
    named = _names_by_clause(told)

    def rival(clause: int) -> bool:
        nearest = _nearest(named, clause)
        return bool(set(nearest) - names) if clause in named else _others(nearest, names)

    return rival
