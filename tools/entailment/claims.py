"""What a statement says beside a source, part by part: numbers, dates, names, negation, opposites, roles and words.

A source bears a statement out where it bears out every part; one part that it lacks or says otherwise is enough that it does not,
whatever a model thinks of the whole. The rules read English; of other languages they read numbers, dates and the words themselves,
so that such a statement is borne out by a source that says it in the same words.

They do not understand a text. "Otherwise" is said where a source says something else in the same place: other numbers of one kind, a
negation on one side, an opposite, two roles exchanged. Everything else that differs is "not told".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .attribution import denied_of_other, other_doer, other_owner, other_rate, split
from .conditions import another_case, lacking_condition, turned_condition
from .denials import denials, denied_elsewhere, denied_of_another, denies_the_same, takes_back
from .doubts import lacking_doubt
from .opposites import opposite_stems, opposites_in, sides_taken
from .quantifiers import lacking_quantifier
from .quantities import Quantity
from .reading import WORD, Text, Token, leans, letters, plain_stem, pronoun, spoken_of, stem, subject_of, unspaced
from .roles import (
    bound_otherwise,
    exchanged,
    moved,
    other_agent,
    other_date,
    other_end,
    other_object,
    sides_exchanged,
)

__all__ = ["Comparison", "compare"]

Outcome = Literal["borne out", "otherwise", "not told"]


class Comparison(NamedTuple):
    """What came of a statement beside a source; `why` names the part that decided."""

    outcome: Outcome
    why: str = ""


_OTHER_WORDS = Comparison(
    "not told", "the source does not say it in these words, and its language is read by its letters alone"
)


_APART = re.compile(
    r"\b(unlike|in contrast (?:to|with)|as opposed to|except(?: for)?|apart from|other than|instead of|rather than|however (?:many|much|\w+)|no matter"
    r"|regardless of|irrespective of|whether or not)\b[^,;:.()]*",
    re.IGNORECASE,
)
_SHARES = re.compile(r"\bthe (?:rest|others|remaining|remainder)\b", re.IGNORECASE)  # told without numbers of their own
_SPEAKER = re.compile(r"(?:we|i|our|my)\b", re.IGNORECASE)
_JOINTS = ("before", "after", "until", "because", "than")
_TURNED = {"before": "after", "after": "before"}
_SENTENCE_END = re.compile(r"[。！？!?\n]")
_FEWEST = 2  # words of a statement that say of what it is
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
    said, told, above = Text.read(statement), Text.read(source), Text.read(title)
    if letters(statement) == letters(source) and [q.unit for q in said.quantities] == [q.unit for q in told.quantities]:
        return Comparison("borne out")
    if said.tokens and said.stems.isdisjoint(told.stems):
        return Comparison("not told", "the source has none of its words")
    subject = subject_of(before) if leans(source) else ()
    known = _Known(told, above, subject)
    lacking = [token for token in said.tokens if not known.has(token)]
    for decide in (_pronoun, _quantities, _names, _negation, _quantifiers, _set_apart, _opposites):
        if (comparison := decide(_Sides(said, told, above, known, lacking, words))) is not None:
            return comparison
    if (doubt := lacking_doubt(said, told)) is not None:
        return Comparison("not told", f"the source says it with {doubt!r}")
    if (condition := lacking_condition(said, told)) is not None:
        return Comparison("not told", f"the source says it only {condition!r}")
    if words and lacking:
        return Comparison("not told", f"{lacking[0].text!r} does not stand there")
    return _roles(said, told, words=words) or Comparison("borne out")


def _roles(said: Text, told: Text, *, words: bool) -> Comparison | None:
    compared = opposites_in(said, told)
    # "A is longer than B", "B is shorter than A"
    turned = compared and sides_exchanged(said, told, "than", "than") is True
    for joint in _JOINTS:
        if sides_exchanged(said, told, joint, joint) and not (joint == "than" and compared):
            return Comparison("otherwise", f"what is before {joint!r} and what is after it have each other's place")
    if not turned and (pair := exchanged(said, told)) is not None:
        why = f"{pair.first!r} and {pair.second!r} have each other's place"
        return Comparison("otherwise" if pair.sure else "not told", why)
    if (agent := other_agent(said, told)) is not None:
        return Comparison("otherwise", f"the source does not say that {agent!r} did it")
    if thing := other_object(said, told) or other_end(said, told) or other_date(said, told):
        return Comparison("not told", f"the source says it otherwise of {thing!r}")
    if (name := other_doer(said, told)) is not None:
        return Comparison("not told", f"the source says something else of {name!r}")
    if (part := other_owner(said, told) or other_rate(said, told)) is not None:
        return Comparison("not told", f"the source says {part!r} of something else")
    if (word := bound_otherwise(said, told)) is not None:
        return Comparison("not told", f"{word!r} stands in another place there")
    if (parts := split(said, told)) is not None:
        return Comparison("not told", f"{parts[0]!r} and {parts[1]!r} stand in different parts of the sentence")
    if (word := another_case(said, told)) is not None:
        return Comparison("not told", f"the source says {word!r} of another case")
    if words and not turned and (word := moved(said, told)) is not None:
        return Comparison("not told", f"{word!r} stands in another place there")
    return None


@dataclass(frozen=True)
class _Sides:
    """A statement and a source as they are held against each other; `lacking`: the statement's words that are nowhere there."""

    said: Text
    told: Text
    above: Text
    known: _Known
    lacking: Sequence[Token]
    words: bool


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


def _pronoun(sides: _Sides) -> Comparison | None:
    """Of a statement like "They had children.", which says nothing that could be looked up, unless the source begins so, too."""
    if (speaker := _SPEAKER.match(sides.said.text)) is not None:
        if re.search(rf"\b{speaker[0]}\b", sides.told.text, re.IGNORECASE):
            return None
        return Comparison("not told", f"the source does not say that {speaker[0].lower()!r} did it")
    word = pronoun(sides.said.text)
    if not word or pronoun(sides.told.text) == word:
        return None
    return Comparison("not told", f"the statement does not say whom or what it means by {word!r}")


def _quantities(sides: _Sides) -> Comparison | None:
    for quantity in sides.said.quantities:
        # which things are counted is a word like others, so a model may judge it: "134 employees" are people
        there = [other for other in sides.told.quantities if quantity.same_kind(other)]
        if not sides.words and not any(other.unit == quantity.unit for other in there):
            there = [other for other in sides.told.quantities if quantity.same_kind(other, counted=False)]
        above = sides.above.quantities if quantity.scale == "date" and not there else ()
        if any(other.within(quantity, counted=False) for other in (*there, *above)):
            continue
        # "three to five pale eggs", "412 joined": the word behind a number need not be what is counted
        same = [other for other in sides.told.quantities if other.within(quantity, counted=False)]
        if any(_counts(sides.told, other, quantity.unit) for other in same):
            continue
        what = "number" if quantity.scale == "number" else quantity.scale
        rival = next((other for other in there if other.apart(quantity)), None)
        if rival is None:
            return Comparison("not told", f"the {what} {quantity.text!r} does not stand there")
        sure = (
            not same
            and not _SHARES.search(sides.told.text)
            and _same_thing(sides.said, sides.told, sides.lacking)
            and all(other.apart(quantity) for other in there)
        )
        why = f"the {what} {quantity.text!r}, and the source says {rival.text!r}"
        return Comparison("otherwise" if sure else "not told", why)
    return None


def _counts(told: Text, number: Quantity, unit: str) -> bool:
    """Whether what is counted comes later in the clause of a number, behind words that describe it."""
    following = [token for token in told.tokens if token.start >= number.end]
    return stem(unit) in {each.stem for each in following if told.clause(each.start) == told.clause(number.start)}


def _names(sides: _Sides) -> Comparison | None:
    said, told = sides.said, sides.told
    if name := next((token for token in sides.lacking if token.name), None):
        return Comparison("not told", f"the name {name.text!r} does not stand there")
    stems = {token.stem for token in said.tokens}
    leant = [token for token in said.tokens if token.name and not _Known(told, told, ()).has(token)]
    # where a pronoun is whom the title names, the others that are named do something else there; without one, all that are named do
    named = subject_of(told.text) if leans(told.text) else told.tokens
    outside = leans(told.text)
    other = next((token for token in named if token.name and not (outside and token.stem in stems)), None)
    if leant and other is not None:  # "Her pupil Jon Falk carved it." says nothing of what she carved
        return Comparison("not told", f"the source says it of {other.text!r}, not of {leant[0].text!r}")
    return None


def _negation(sides: _Sides) -> Comparison | None:
    said, told = sides.said, sides.told
    denied, denies = denials(said.text), denials(spoken_of(said, told))
    if not denied and takes_back(told):
        return Comparison("not told", "the source takes it back, or denies it for a case")
    if denies and not denied and denied_of_another(said, told):
        denies = 0
    if turned_condition(said, told):
        if denied % 2 != denies % 2:  # "not ... if" is "... unless"
            return None
        return Comparison("not told", "one says it of the case that the other excepts")
    if denied and not denies and denies_the_same(said, told):
        denies = denied
    if denied == denies:
        if denied and denied_of_other(said, told):
            return Comparison("not told", "the source denies it of something else")
        if denied and (word := denied_elsewhere(said, told)):
            return Comparison("not told", f"the source does not deny {word!r} but something else")
        return None
    one_sided = not denied or not denials(told.text)
    sure = one_sided and _same_thing(said, told, sides.lacking) and _same_time(said, told)
    return Comparison(
        "otherwise" if sure else "not told", "the source denies it" if denies else "it denies what the source says"
    )


def _quantifiers(sides: _Sides) -> Comparison | None:
    word = lacking_quantifier(sides.said, sides.told)
    return None if word is None else Comparison("not told", f"the source does not say {word!r}")


def _set_apart(sides: _Sides) -> Comparison | None:
    """Of what a source names only to say that it is otherwise, or does not matter: "Unlike the ferry, it ...", "however many shares"."""
    said, told = sides.said, sides.told
    spans = [match.span() for match in _APART.finditer(told.text) if match[1].lower() not in said.text.lower()]
    for token in said.tokens:
        places = [other.start for other in told.tokens if other.stem == token.stem]
        if places and all(any(start <= place < end for start, end in spans) for place in places):
            return Comparison("not told", f"the source sets {token.text!r} apart")
    return None


def _opposites(sides: _Sides) -> Comparison | None:
    said, told = sides.said, sides.told
    here, there = (
        {plain_stem(match[0]): match[0] for match in WORD.finditer(text)} for text in (said.text, spoken_of(said, told))
    )
    if (side := sides_taken(said, told)) is not None:
        return Comparison("otherwise", f"{side!r}, and the source says the opposite")
    for pair in opposite_stems():
        for one, other in (pair, pair[::-1]):
            if one not in here or other not in there or other in here:
                continue
            why = f"{here[one]!r}, and the source says {there[other]!r}"
            if one in there:  # both stand there: which of them is said of this?
                if _nearer(said, told, other, one):
                    return Comparison("not told", why)
            elif not _turned_round(said, told, here[one], there[other]):
                rest = [token for token in sides.lacking if plain_stem(token.text) != one]
                sure = _same_thing(said, told, rest) and _same_time(said, told)
                return Comparison("otherwise" if sure else "not told", why)
    return None


def _nearer(said: Text, told: Text, one: str, other: str) -> bool:
    """Whether the clause of a source with the word `one` speaks more of what a statement speaks of than that with `other`."""
    shared = Counter(told.clause(token.start) for token in told.tokens if token.stem in said.stems - {one, other})
    shared.update(
        told.clause(quantity.start)
        for quantity in told.quantities
        if any(quantity.within(other) for other in said.quantities)
    )
    most = {one: 0, other: 0}
    for clause, count in shared.items():
        for word in most.keys() & {plain_stem(match[0]) for match in WORD.finditer(told.words_of({clause}))}:
            most[word] = max(most[word], count)
    return most[one] > most[other]


def _turned_round(said: Text, told: Text, here: str, there: str) -> bool:
    """Whether an opposite says the same because what stands around it is turned round: "A is longer than B", "B is shorter than A"."""
    if _TURNED.get(here.lower()) == there.lower():
        return sides_exchanged(said, told, here, there) is True
    return sides_exchanged(said, told, "than", "than") is True


def _same_thing(said: Text, told: Text, lacking: Sequence[Token]) -> bool:
    """Whether a source speaks of what a statement speaks of, by the words of the statement that it lacks."""
    about = len(said.tokens) >= _FEWEST or said.stems <= {token.stem for token in subject_of(told.text)}
    return about and len(lacking) <= (1 - _MOST) * len(said.tokens)


def _same_time(said: Text, told: Text) -> bool:
    """Whether a source gives no time that the statement does not: what was so once need not be so."""
    return all(
        any(other.scale == quantity.scale for quantity in said.quantities)
        for other in told.quantities
        if other.scale != "number"
    )
