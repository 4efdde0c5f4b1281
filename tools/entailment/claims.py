"""What a statement says beside a source, part by part: numbers, dates, names, negation, opposites, roles and words.

A source bears a statement out where it bears out every part; one part that it lacks or says otherwise is enough that it does not,
whatever a model thinks of the whole. The rules read English; of other languages they read numbers, dates and the words themselves,
so that such a statement is borne out by a source that says it in the same words.

They do not understand a text. "Otherwise" is said where a source says something else in the same place: other numbers of one kind, a
negation on one side, an opposite, two roles exchanged. Everything else that differs is "not told".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .quantities import Quantity
from .reading import WORD, Text, Token, leans, letters, stem, subject_of, unspaced

__all__ = ["Comparison", "compare"]

Outcome = Literal["borne out", "otherwise", "not told"]


class Comparison(NamedTuple):
    """What came of a statement beside a source; `why` names the part that decided."""

    outcome: Outcome
    why: str = ""


_OTHER_WORDS = Comparison(
    "not told", "the source does not say it in these words, and its language is read by its letters alone"
)
_DENIES = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|lacks?|lacked|lacking|fail(?:s|ed)?\sto|refus(?:es|ed)\sto"
    r"|no\slonger|unable|nicht|keine?[mnrs]?|nie|niemals|ohne|ne|pas|jamais|sans|nunca|jamás|sin|non|mai|senza)\b|n['’]t\b",
    re.IGNORECASE,
)
_DOUBTS = re.compile(
    r"\b(?:if|whether|unless|(?-i:may)|might|could|would|should|allegedly|reportedly|rumou?rs?|supposedly|probably|perhaps|possibly|maybe|planned|plans"
    r"|proposed|false|falsely|untrue|myth|deny|denies|denied|claimed|claims)\b",
    re.IGNORECASE,
)
_OPPOSITES = """rise/fall rose/fell risen/fallen increase/decrease increase/reduce raise/lower grow/shrink grew/shrank gain/lose gained/lost
    more/less more/fewer higher/lower larger/smaller bigger/smaller greater/smaller longer/shorter older/younger heavier/lighter
    faster/slower taller/shorter high/low large/small big/small long/short old/new old/young hot/cold warm/cool early/late earlier/later
    before/after above/below over/under open/close open/shut begin/end began/ended start/stop first/last north/south east/west
    northern/southern eastern/western left/right up/down inside/outside indoor/outdoor allow/forbid allow/prohibit permit/prohibit
    permit/forbid legal/illegal possible/impossible true/false win/lose won/lost buy/sell bought/sold lend/borrow lent/borrowed
    arrive/leave arrived/left enter/leave entered/left accept/reject include/exclude enable/disable present/absent alive/dead born/died
    public/private male/female man/woman men/women boy/girl husband/wife father/mother son/daughter brother/sister summer/winter
    day/night morning/evening black/white wet/dry full/empty rich/poor strong/weak easy/difficult safe/dangerous best/worst
    better/worse maximum/minimum most/least always/never all/none everybody/nobody everyone/nobody both/neither many/few
    required/optional mandatory/optional free/paid import/export add/remove build/demolish built/demolished create/destroy success/failure
    succeed/fail promote/inhibit upper/lower major/minor cause/prevent positive/negative positively/negatively activate/inhibit
    enhance/impair improve/worsen induce/suppress activate/suppress""".split()
_PASSIVE = re.compile(
    r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?(\w+(?:ed|en|wn|ne|lt|de|ung|ilt|ought|aught|ld))\b(?=.*\bby\b)",
    re.IGNORECASE,
)
_JOINS = re.compile(
    r"\b(?:in|at|on|from|after|before|during|for|with|since|under|until|by|among|because|is|are|was|were)\b|,",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[。！？!?\n]")
_NEAR = 20  # characters between a quantity and the same one in another unit
_MOST = 0.85  # share of a statement's words from which on a source speaks of the same thing


def compare(statement: str, source: str, *, title: str = "", before: str = "", words: bool = True) -> Comparison:
    """Hold a statement against a sentence (or two) of a source.

    Args:
        statement: one sentence.
        source: what is cited for it.
        title: what the source stands under: title and headings. Names, words and dates may stand there, other numbers may not.
        before: the sentence before. Where the source leans on it, as "It was built in 1903." does, what it begins with may be named.
        words: whether every content word of the statement must stand in the source. Without it a paraphrase can be borne out, as far as
            the other parts go: a model is to judge the rest.
    """
    if unspaced(statement):
        said_whole = letters(statement) in {letters(line) for line in (source, *_SENTENCE_END.split(source))}
        return Comparison("borne out") if said_whole else _OTHER_WORDS
    if letters(statement) == letters(source):
        return Comparison("borne out")
    said, told, above = Text.read(statement), Text.read(source), Text.read(title)
    subject = subject_of(before) if leans(source) else ()
    known = _Known(told, above, subject)
    lacking = [token for token in said.tokens if not known.has(token)]
    for decide in (_quantities, _names, _negation, _opposites):
        if (comparison := decide(said, told, above, known, lacking)) is not None:
            return comparison
    if words and (doubt := _DOUBTS.search(_spoken_of(said, told))) and not _DOUBTS.search(statement):
        return Comparison("not told", f"the source says it with {doubt[0].lower()!r}")
    if words and lacking:
        return Comparison("not told", f"{lacking[0].text!r} does not stand there")
    if (exchanged := _exchanged(said, told)) is not None:
        return Comparison("otherwise", f"{exchanged[0]!r} and {exchanged[1]!r} have each other's place")
    if (split := _split(said, told)) is not None:
        return Comparison("not told", f"{split[0]!r} and {split[1]!r} stand in different parts of the sentence")
    if words and (moved := _moved(said, told)) is not None:
        return Comparison("not told", f"{moved!r} stands in another place there")
    return Comparison("borne out")


@dataclass(frozen=True)
class _Known:
    """What a source says, with what it stands under and what it leans on."""

    told: Text
    above: Text
    subject: tuple[Token, ...]

    def has(self, token: Token) -> bool:
        """Whether a content word stands there, or as the initials of words there: "BHA" for "Brunmoor Harbour Authority"."""
        if token.stem in self.told.stems or self._abbreviates(token):
            return True
        leant = [*self.subject, *(other for other in self.above.tokens if token.name or leans(self.told.text))]
        return token.stem in {other.stem for other in leant}

    def _abbreviates(self, token: Token) -> bool:
        named = [*self.told.tokens, *self.above.tokens, *self.subject]
        initials = "".join(other.text[0] for other in named if other.text[0].isupper())
        return token.text.isupper() and 2 <= len(token.text) <= 6 and token.text in initials


def _quantities(said: Text, told: Text, above: Text, known: _Known, lacking: Sequence[Token]) -> Comparison | None:
    for quantity in said.quantities:
        there = [other for other in told.quantities if quantity.same_kind(other)]
        if quantity.scale == "date" and not there:
            there = [other for other in above.quantities if quantity.same_kind(other)]
        if any(other.within(quantity) for other in there):
            continue
        what = "number" if quantity.scale == "number" else quantity.scale
        rival = next((other for other in there if other.apart(quantity)), None)
        if rival is None:
            return Comparison("not told", f"the {what} {quantity.text!r} does not stand there")
        sure = _same_thing(said, lacking) and all(other.apart(quantity) for other in there)
        why = f"the {what} {quantity.text!r}, and the source says {rival.text!r}"
        return Comparison("otherwise" if sure else "not told", why)
    return None


def _names(said: Text, told: Text, above: Text, known: _Known, lacking: Sequence[Token]) -> Comparison | None:
    if name := next((token for token in lacking if token.name), None):
        return Comparison("not told", f"the name {name.text!r} does not stand there")
    stems = {token.stem for token in said.tokens}
    leant = [token for token in said.tokens if token.name and not _Known(told, told, ()).has(token)]
    other = next((token for token in told.tokens if token.name and token.stem not in stems), None)
    if leant and other is not None:  # "Her pupil Jon Falk carved it." says nothing of what she carved
        return Comparison("not told", f"the source says it of {other.text!r}, not of {leant[0].text!r}")
    return None


def _negation(said: Text, told: Text, above: Text, known: _Known, lacking: Sequence[Token]) -> Comparison | None:
    denied, denies = len(_DENIES.findall(said.text)), len(_DENIES.findall(_spoken_of(said, told)))
    if denied == denies:
        return None
    one_sided = not denied or not denies
    sure = one_sided and _same_thing(said, lacking) and _same_time(said, told)
    return Comparison(
        "otherwise" if sure else "not told", "the source denies it" if denies else "it denies what the source says"
    )


def _opposites(said: Text, told: Text, above: Text, known: _Known, lacking: Sequence[Token]) -> Comparison | None:
    here, there = (
        {stem(match[0]): match[0] for match in WORD.finditer(text)} for text in (said.text, _spoken_of(said, told))
    )
    for pair in _opposite_stems():
        for one, other in (pair, pair[::-1]):
            if one in here and other in there and one not in there and other not in here:
                rest = [token for token in lacking if token.stem != one]
                outcome: Outcome = "otherwise" if _same_thing(said, rest) and _same_time(said, told) else "not told"
                return Comparison(outcome, f"{here[one]!r}, and the source says {there[other]!r}")
    return None


@functools.cache
def _opposite_stems() -> tuple[tuple[str, str], ...]:
    pairs = (pair.partition("/") for pair in _OPPOSITES)
    return tuple((stem(one), stem(other)) for one, _, other in pairs)


def _same_thing(said: Text, lacking: Sequence[Token]) -> bool:
    """Whether a source speaks of what a statement speaks of, by the words of the statement that it lacks."""
    return len(lacking) <= (1 - _MOST) * len(said.tokens)


def _same_time(said: Text, told: Text) -> bool:
    """Whether a source gives no time that the statement does not: what was so once need not be so."""
    return all(
        any(other.scale == quantity.scale for quantity in said.quantities)
        for other in told.quantities
        if other.scale != "number"
    )


def _spoken_of(said: Text, told: Text) -> str:
    """The clauses of a source that speak of what the statement speaks of: the fewest that have all of its words."""
    stems = said.stems
    by_clause: dict[int, set[str]] = {}
    for token in told.tokens:
        if token.stem in stems:
            by_clause.setdefault(told.clause(token.start), set()).add(token.stem)
    chosen, covered = set[int](), set[str]()
    for clause, shared in sorted(by_clause.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        if shared - covered:
            chosen.add(clause)
            covered |= shared
    return told.words_of(chosen)


def _passives(text: Text) -> set[str]:
    """The stems of the verbs that are said in the passive, with who does it."""
    return {stem(match[1]) for match in _PASSIVE.finditer(text.text)}


def _exchanged(said: Text, told: Text) -> tuple[str, str] | None:
    """Two words that stand around a third in the statement, and around it the other way in the source; the same way where the one says in
    the passive what the other says in the active.
    """
    turned = _passives(said) ^ _passives(told)
    places: dict[str, list[int]] = {}
    for token in told.tokens:
        places.setdefault(token.stem, []).append(token.start)
    row = [token for token in said.tokens if len(places.get(token.stem, ())) == 1]
    for i, first in enumerate(row):
        for j in range(i + 2, len(row)):
            for pivot in row[i + 1 : j]:
                there = [places[token.stem][0] for token in (first, pivot, row[j])]
                wrong = there if pivot.stem in turned else there[::-1]
                if wrong[0] < wrong[1] < wrong[2] and len({told.clause(place) for place in there}) == 1:
                    return first.text, row[j].text
    return None


def _standing(quantity: Quantity, told: Text) -> list[int]:
    """Where a source says a quantity: one in a parenthesis after another, "1,204 m (3,950 ft)", stands where that does as well."""
    places: list[int] = []
    for before, other in zip((None, *told.quantities), told.quantities, strict=False):
        if other.within(quantity):
            between = "" if before is None else told.text[before.end : other.start].rstrip()
            beside = between.endswith("(") and len(between) < _NEAR
            places += [before.start, other.start] if before is not None and beside else [other.start]
    return places


def _moved(said: Text, told: Text) -> str | None:
    """What stands elsewhere in the source than in the statement, where both have the same words.

    Words may be left out. One block may change its place where a preposition, a comma or "is" joins it ("In 2020 ..." at the end, "the chair
    is Olof Ek"); what is told in the active may be said in the passive.
    """
    places = [
        (token.text, token.start, [other.start for other in told.tokens if other.stem == token.stem])
        for token in said.tokens
    ] + [(quantity.text, quantity.start, _standing(quantity, told)) for quantity in said.quantities]
    last, used, breaks = -1, set[int](), list[tuple[str, str]]()
    end = 0
    row = sorted((row for row in places if row[2]), key=lambda row: row[1])
    for text, start, candidates in row:
        free = [place for place in candidates if place not in used]
        if not free:
            return text  # it is said once there, and twice here
        place = next((place for place in free if place > last), free[0])
        if place < last:
            breaks.append((text, said.text[end:start]))
        used.add(place)
        last, end = place, start + len(text)
    turned = bool(_passives(said) ^ _passives(told))
    if not breaks or (turned and len(breaks) <= 2):
        return None
    joined = _JOINS.search(breaks[0][1]) is not None or _JOINS.match(said.text) is not None
    rotated = last < min((place for _, _, candidates in row[:1] for place in candidates), default=-1)
    return None if len(breaks) == 1 and joined and rotated else breaks[0][0]


def _split(said: Text, told: Text) -> tuple[str, str] | None:
    """Two parts of the statement that the source says of different things: where the one stands there, the other has a rival."""
    parts: list[tuple[str, set[int], Callable[[int], bool]]] = []
    for quantity in said.quantities:
        same = [other for other in told.quantities if other.within(quantity)]
        clauses = {told.clause(other.start) for other in same}
        if any(other.start < min((token.start for token in told.tokens), default=0) for other in same):
            continue  # "In 1913 ..." holds of all that follows
        parts.append((quantity.text, clauses, _rival_quantity(quantity, told)))
    names = {token.stem for token in said.tokens if token.name}
    for token in said.tokens:
        clauses = {told.clause(other.start) for other in told.tokens if other.stem == token.stem}
        parts.append((token.text, clauses, _rival_name(names, told) if token.name else (lambda clause: False)))
    for i, (first, here, first_rival) in enumerate(parts):
        for second, there, second_rival in parts[i + 1 :]:
            if here and there and not here & there and (all(map(second_rival, here)) or all(map(first_rival, there))):
                return first, second
    return None


def _rival_quantity(quantity: Quantity, told: Text) -> Callable[[int], bool]:
    rivals = {
        told.clause(other.start)
        for other in told.quantities
        if quantity.same_kind(other) and not other.within(quantity)
    }
    return rivals.__contains__


def _rival_name(names: set[str], told: Text) -> Callable[[int], bool]:
    """Clauses that speak of somebody else; one without a name speaks of whom the one before it speaks of."""
    spoken_of: dict[int, set[str]] = {}
    for token in told.tokens:
        if token.name:
            spoken_of.setdefault(told.clause(token.start), set()).add(token.stem)

    def rival(clause: int) -> bool:
        nearest = next((spoken_of[number] for number in range(clause, -1, -1) if number in spoken_of), set())
        return bool(nearest - names)

    return rival
