"""Whose: which number and which word of a source belongs to what, by its clauses."""

from __future__ import annotations

import re
from collections.abc import Callable

from .quantities import Quantity
from .reading import Text, subject_of
from .verbs import ACTS, PARTICIPLES

__all__ = ["other_owner", "split"]

_FULL_NAME = 2  # words of a name
_GOES_ON = re.compile(
    rf"(?:and|but|or)\s(?:\w+ly\s|then\s|later\s|also\s)?(?:is|are|was|were|has|have|had|can|could|will|would|must|may|\w+ed|{'|'.join(sorted(PARTICIPLES))})\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"(?P<head>\w+),\s(?:who|which)\s(?P<said>[^,;:.]*)", re.IGNORECASE)


def other_owner(said: Text, told: Text) -> str | None:
    """A quantity that a source tells of what ", which ..." or ", who ..." stands behind, and a statement of something else."""
    for match in _RELATIVE.finditer(told.text):
        owners, inside = (
            {token.stem for token in told.tokens if match.start(part) <= token.start < match.end(part)}
            for part in ("head", "said")
        )
        for quantity in said.quantities:
            there = [other for other in told.quantities if other.within(quantity)]
            within = there and all(match.start("said") <= other.start < match.end("said") for other in there)
            outside = said.stems - inside - owners
            if within and not owners & said.stems and outside & (told.stems - inside):
                return quantity.text
    return None


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
    """Clauses that speak of somebody else; one without a name speaks of whom the one before it names first."""
    spoken_of: dict[int, list[str]] = {}
    for token in told.tokens:
        if token.name:
            spoken_of.setdefault(told.clause(token.start), []).append(token.stem)

    def rival(clause: int) -> bool:
        if clause in spoken_of:
            return bool(set(spoken_of[clause]) - names)
        nearest = next((spoken_of[number] for number in range(clause, -1, -1) if number in spoken_of), [])
        return bool(nearest) and names.isdisjoint(nearest[:_FULL_NAME])

    return rival
