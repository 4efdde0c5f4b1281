"""Roles: who did what to whom, which number is whose, what was before what, what is so in which case.

Words of a statement that a source has, in another arrangement there. The rules know the order of words, the passive, and the clauses.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .quantities import Quantity
from .reading import Text, leans, stem, subject_of
from .verbs import ACTS, PARTICIPLES

__all__ = [
    "bound_otherwise",
    "exchanged",
    "moved",
    "other_agent",
    "other_date",
    "other_end",
    "other_object",
    "sides_exchanged",
    "turned_verbs",
]

_PASSIVE = re.compile(
    rf"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?(\w+(?:ed|en|wn|ne|lt|de|ung|ilt|ought|aught|ld)|{'|'.join(sorted(PARTICIPLES))})\b"
    r"(?=.*\bby\b)",
    re.IGNORECASE,
)
_SAID_PASSIVE = re.compile(_PASSIVE.pattern.removesuffix(r"(?=.*\bby\b)"), re.IGNORECASE)
_ARTICLE = re.compile(r"\b(?:an?|the|any|each|every|all|no|some|its|their|his|her)\s$", re.IGNORECASE)
_DONE = re.compile(r"\b(?:is|are|was|were|be|been|being|has|have|had)\s(?:\w+ly\s|not\s)?$", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(by|in|at|on|from|to|of|for|with|near|into|through|via|against)\s+(?:(?:the|an?|his|her|its|their)\s+)?$",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"\b(?:after|before|because|when|while|since|until|that|and|but)\s(?:the|an?|his|her|its|their)\s(\w+)\s(?:had\s|has\s|have\s)?$",
    re.IGNORECASE,
)
_NOUN = re.compile(
    r"\w+(?:al|ment|[ts]ion|ance|ence|ure)\b", re.IGNORECASE
)  # "approval": not what is done, but its name
_ORDERS = re.compile(r"\W*(?:(?:please|always|never|do\snot|don['’]t)\s)?", re.IGNORECASE)  # before the verb
_TRANSFERS = "buy purchase acquire get obtain receive borrow inherit rent hire".split()
_JOINS = re.compile(
    r"\b(?:in|at|on|from|after|before|during|for|with|since|under|until|by|among|because|is|are|was|were)\b|,",
    re.IGNORECASE,
)
_NEAR = 20  # characters between a quantity and the same one in another unit
_DATED_BY = re.compile(
    r"\b(until|till|since|from|by|to)\s+(?:(?:the\s)?(?:spring|summer|autumn|winter|end|beginning)(?:\sof)?\s+)?$",
    re.IGNORECASE,
)
_END = re.compile(r"\b(from|to|by)\s+$", re.IGNORECASE)
_BESIDE = 8  # characters after a preposition in which its object begins
_LABEL = re.compile(
    r"\b(?:model|type|version|room|number|no\.|chapter|section|figure|table|route|line|group|class|level|grade|platform|gate|flight|bus|page|step"
    r"|part|phase|series|mark|unit)\s$",
    re.IGNORECASE,
)


def _passives(text: Text) -> set[str]:
    """The stems of the verbs that are said in the passive, with who does it."""
    return {stem(match[1]) for match in _PASSIVE.finditer(text.text)}


class Exchange(NamedTuple):
    """Two words that have each other's place; not `sure` where one may be an adjective here and a verb there, as "opened" is."""

    first: str
    second: str
    sure: bool


def turned_verbs(said: Text, told: Text) -> set[str]:
    """The stems of the verbs that one text has in the passive, and the other in the active or as an order: "is stored" of "Store ..."."""
    turned = _passives(said) ^ _passives(told)
    for one, other in ((said, told), (told, said)):
        if one.tokens and _ORDERS.fullmatch(one.text[: one.tokens[0].start]):
            turned |= {one.tokens[0].stem} & {stem(match[1]) for match in _SAID_PASSIVE.finditer(other.text)}
    return turned


def exchanged(said: Text, told: Text) -> Exchange | None:
    """Two words that stand around a third in the statement, and around it the other way in the source; the same way where the one says in
    the passive what the other says in the active.
    """
    turned = turned_verbs(said, told)
    places: dict[str, list[int]] = {}
    for token in told.tokens:
        places.setdefault(token.stem, []).append(token.start)
    row = [(token.stem, token.text, token.start) for token in said.tokens]
    for quantity in said.quantities:
        if quantity.scale != "number" or not _LABEL.search(said.text[: quantity.start]):
            continue  # dates and measures have their place by a preposition; "model 250" is named by its number
        key = f"number {quantity.low:g}"
        places[key] = [other.start for other in told.quantities if other.within(quantity)]
        row.append((key, quantity.text, quantity.start))
    row = sorted((each for each in row if len(places.get(each[0], ())) == 1), key=lambda each: each[2])
    for i, first in enumerate(row):
        for j in range(i + 2, len(row)):
            for pivot in row[i + 1 : j]:
                there = [places[key][0] for key, _, _ in (first, pivot, row[j])]
                wrong = there if pivot[0] in turned else there[::-1]
                if wrong[0] < wrong[1] < wrong[2] and len({told.clause(place) for place in there}) == 1:
                    sure = not _named_otherwise(pivot[1], told.text, there[1]) and not any(
                        _described(said, here[2], told, place)
                        for here, place in ((first, there[0]), (row[j], there[2]))
                    )
                    return Exchange(first[1], row[j][1], sure)
    return None


def _named_otherwise(word: str, text: str, place: int) -> bool:
    """Whether a text has the noun of a verb at a place, as "approval" of "approve": whose it is stands after it, not before."""
    match = _NOUN.match(text, place)
    return match is not None and match[0].lower() != word.lower()


def _described(said: Text, here: int, told: Text, there: int) -> bool:
    """Whether a word describes in the statement, "an opened bottle", what is done in the source, "has been opened"."""
    return _ARTICLE.search(said.text[:here]) is not None and _DONE.search(told.text[:there]) is not None


def bound_otherwise(said: Text, told: Text) -> str | None:
    """A word that a statement joins by a preposition which in the source joins another of its words: "by Leeds" of "by Ida in Leeds"."""
    ours, theirs = ({token.stem: _bound(text, token.start) for token in text.tokens} for text in (said, told))
    joined = {word: key for key, word in theirs.items() if word}
    for token in said.tokens:
        word, there = ours[token.stem], theirs.get(token.stem, "")
        if word and there and word != there and joined.get(word, token.stem) in ours.keys() - {token.stem}:
            return token.text
    return None


def _bound(text: Text, place: int) -> str:
    """The preposition that stands before a word, in small letters; "" for none."""
    match = _BOUND.search(text.text[:place])
    return match[1].lower() if match else ""


def _standing(quantity: Quantity, told: Text) -> list[int]:
    """Where a source says a quantity: one in a parenthesis after another, "1,204 m (3,950 ft)", stands where that does as well."""
    places: list[int] = []
    for before, other in zip((None, *told.quantities), told.quantities, strict=False):
        if other.within(quantity):
            between = "" if before is None else told.text[before.end : other.start].rstrip()
            beside = between.endswith("(") and len(between) < _NEAR
            places += [before.start, other.start] if before is not None and beside else [other.start]
    return places


def moved(said: Text, told: Text) -> str | None:
    """What stands elsewhere in the source than in the statement, where both have the same words.

    Words may be left out. One block may change its place where a preposition, a comma or "is" joins it ("In 2020 ..." at the end, "the chair
    is Olof Ek"), or takes it along ("in Leeds by Ida"); what is told in the active may be said in the passive.
    """
    places = [
        (token.text, token.start, [other.start for other in told.tokens if other.stem == token.stem])
        for token in said.tokens
    ] + [(quantity.text, quantity.start, _standing(quantity, told)) for quantity in said.quantities]
    last, used, breaks = -1, set[int](), list[tuple[str, str]]()
    end, bound = 0, False
    row = sorted((row for row in places if row[2]), key=lambda row: row[1])
    for text, start, candidates in row:
        free = [place for place in candidates if place not in used]
        if not free:
            return text  # it is said once there, and twice here
        place = next((place for place in free if place > last), free[0])
        if place < last:
            breaks.append((text, said.text[end:start]))
            bound = bool(word := _bound(said, start)) and word == _bound(told, place)
        used.add(place)
        last, end = place, start + len(text)
    turned = bool(turned_verbs(said, told))
    if not breaks or (turned and len(breaks) <= 2):
        return None
    joined = _JOINS.search(breaks[0][1]) is not None or _JOINS.match(said.text) is not None
    rotated = last < min((place for _, _, candidates in row[:1] for place in candidates), default=-1)
    return None if len(breaks) == 1 and (bound or (joined and rotated)) else breaks[0][0]


def other_agent(said: Text, told: Text) -> str | None:
    """Who a statement says did it, in the passive, where the source says in the active that this was done to somebody by what it was
    done to: "The town is owned by the library." of "The town owned it."; and the other way round.
    """
    for one, other, passive_here in ((said, told, True), (told, said, False)):
        for match in _PASSIVE.finditer(one.text):
            by = re.search(r"\bby\b", one.text[match.end() :], re.IGNORECASE)
            verb = stem(match[1])
            active = next((token for token in other.tokens if token.stem == verb), None)
            if by is None or active is None or verb in {stem(each[1]) for each in _SAID_PASSIVE.finditer(other.text)}:
                continue
            patient = {token.stem for token in one.tokens if token.start < match.start()}
            agent = [token for token in one.tokens if token.start > match.end() + by.start()]
            subject = {token.stem for token in other.tokens if token.start < active.start}
            if patient & subject and not any(token.stem in subject for token in agent):
                return agent[0].text if passive_here and agent else active.text
    return _other_subject(said, told)


def _other_subject(said: Text, told: Text) -> str | None:
    """The verb of a statement before which a source has another subject of its own: "after the club had dismissed" him."""
    for token in said.tokens[1:]:
        there = [other for other in told.tokens if other.stem == token.stem]
        if len(there) == 1 and ACTS.fullmatch(there[0].text.lower()) and not _DONE.search(said.text[: token.start]):
            match = _SUBJECT.search(told.text[: there[0].start])
            if match is not None and stem(match[1]) not in said.stems:
                return token.text
    return None


def other_object(said: Text, told: Text) -> str | None:
    """What a statement says something came from or went to, where the source says that of another thing of the statement."""
    for word in ("from", "to"):
        ours, theirs = _objects(said, word), _objects(told, word)
        if ours and theirs and not ours & theirs and theirs & said.stems and (ours <= told.stems or leans(told.text)):
            return next(token.text for token in said.tokens if token.stem in ours)
    given = said.stems & told.stems & {stem(verb) for verb in _TRANSFERS}
    for token in subject_of(said.text) if given else ():  # "bought from Askby" does not say what Askby bought
        there = {_bound(told, other.start) for other in told.tokens if other.stem == token.stem}
        if there and there <= {"from", "to"} and not _bound(said, token.start):
            return token.text
    return None


def _objects(text: Text, word: str) -> set[str]:
    """The stems of the words that follow a preposition directly; none where there are none or two of it."""
    matches = list(re.finditer(rf"\b{word}\b(?:\s(?:the|an?|his|her|its|their|our|my)\b)?", text.text))
    if len(matches) != 1:
        return set()
    nearest = [token for token in text.tokens if 0 <= token.start - matches[0].end() <= _BESIDE]
    return {token.stem for token in nearest}


def other_date(said: Text, told: Text) -> str | None:
    """A date "until" or "since" which a statement says that something was, where the source names another one."""
    for quantity in said.quantities:
        word = _dated_by(quantity, said)
        theirs = [other for other in told.quantities if word and _dated_by(other, told) == word]
        if theirs and all(other.apart(quantity) for other in theirs):
            return quantity.text
    return None


def _dated_by(quantity: Quantity, text: Text) -> str:
    match = _DATED_BY.search(text.text[: quantity.start]) if quantity.scale != "number" else None
    return match[1].lower() if match else ""


def other_end(said: Text, told: Text) -> str | None:
    """A number that a statement joins by "from", "to" or "by", where the source joins it by another of them: "to 8" of "by 8"."""
    for quantity in said.quantities:
        word = _ends(quantity, said)
        theirs = [_ends(other, told) for other in told.quantities if word and other.within(quantity)]
        if theirs and word not in theirs and all(theirs):
            return quantity.text
    return None


def _ends(quantity: Quantity, text: Text) -> str:
    match = _END.search(text.text[: quantity.start]) if quantity.scale == "number" else None
    return match[1].lower() if match else ""


def sides_exchanged(said: Text, told: Text, here: str, there: str) -> bool | None:
    """Whether what stands on one side of the word `here` in a statement stands on the other side of `there` in a source.

    None where one of them has no such word, or nothing of the statement stands around it there.
    """
    ours, theirs = _sides(said, here), _sides(told, there)
    if ours is None or theirs is None:
        return None
    straight = len(ours[1] & theirs[1])
    if here != "than":  # what is said of both, "yields more rye than", stands before it either way
        straight += len(ours[0] & theirs[0])
    crossed = len(ours[0] & theirs[1]), len(ours[1] & theirs[0])
    return None if straight == sum(crossed) else min(crossed) > 0 and sum(crossed) > straight


def _sides(text: Text, word: str) -> tuple[set[str], set[str]] | None:
    """The stems before and after a word; of a sentence that begins with it, those after its clause are before it."""
    match = re.search(rf"\b{re.escape(word)}\b", text.text, re.IGNORECASE)
    if match is None:
        return None
    start, end = match.span()
    comma = text.text.find(",", end)
    first = not text.text[:start].strip() and comma > 0
    after = {token.stem for token in text.tokens if end <= token.start and (not first or token.start < comma)}
    before = {token.stem for token in text.tokens if token.start < start or (first and token.start >= comma)}
    return before - after, after - before
