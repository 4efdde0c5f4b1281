"""A text as it is held against another: content words with the names among them, quantities, and the clauses they stand in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..documents import terms
from .quantities import Quantity, quantities
from .verbs import base_form
from .words import STOP

__all__ = [
    "AUXILIARY",
    "WORD",
    "Text",
    "Token",
    "leans",
    "letters",
    "plain_stem",
    "pronoun",
    "spoken_of",
    "stem",
    "subject_of",
    "unspaced",
]

_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CLAUSE = re.compile(
    r"[,;:()–—]|\s-\s|\b(?:and|but|while|whereas|although|though|or|because|when|which|who)\b|(?<=[.!?])\s",
    re.IGNORECASE,
)
_INSERTED = re.compile(r",(?=\s(?:who|whom|whose|which|where)\b[^,;:.()]*(,))")
_PRONOUN = re.compile(
    r"^(?:(?:it|he|she|they|its|his|her|their)\b"
    r"|(?:this|these|that|those)\s(?:is|are|was|were|has|have|had|will|can|could|does|do|did|must)\b)",
    re.IGNORECASE,
)
_ACTS = re.compile(
    r"(?!\w+(?:s|ing|ed|ly)\b)[A-Z]\w{2,}\s(?:is|was|has|had|will|can|would|did|does|\w+ed|led|wrote|won|sold|bought)\b"
)
_NO_CONTENT = STOP | {"cannot"}
_LABELLED = re.compile(r"\b(?:[A-Z]?[a-z]+)\sA$")  # "Group A", "vitamin A"; not "RESULTS A total"
_CALLED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Sir|Lady|Captain)\.?(?:\s[A-Z]\w+)*)\s$"
)  # "Mrs To", "Dr Amara We"
_WEEKDAY = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?$")
AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|will|can|could|may|might|must|shall|should|would|do|does|did)\b"
)


@dataclass(frozen=True)
class Token:
    """A content word: its stem, where it stands, and whether it is written as a name."""

    stem: str
    text: str
    start: int
    name: bool


@dataclass(frozen=True)
class Text:
    """A text, read: content words, quantities, and by each place where a clause begins or goes on, the clause's number."""

    text: str
    tokens: tuple[Token, ...]
    quantities: tuple[Quantity, ...]
    clauses: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, text: str) -> Text:
        amounts = tuple(quantities(text))
        tokens = []
        for match in WORD.finditer(text):
            word = re.sub(r"['’]s$", "", match[0])
            called = word[0].isupper() and _CALLED.search(text[: match.start()])
            if word.casefold() in _NO_CONTENT and not called and not _LABELLED.search(text[: match.end()]):
                continue
            if any(q.start <= match.start() < q.end for q in amounts):
                continue
            first = not text[: match.start()].strip() or text[: match.start()].rstrip()[-1:] in ".!?\n"
            leads = first and re.match(r"\s+[A-Z]", text[match.end() :]) is not None  # Olof Ek is ...
            acts = first and _ACTS.match(text, match.start()) is not None  # Petra seconded ...
            name = (word[0].isupper() and (not first or leads or acts)) or any(letter.isupper() for letter in word[1:])
            tokens.append(Token(stem(word), word, match.start(), name))
        return cls(text, tuple(tokens), amounts, _clauses(text, tokens, amounts))

    def clause(self, place: int) -> int:
        """The number of the clause that a place is in."""
        return [number for start, number in self.clauses if start <= place][-1]

    def words_of(self, clauses: Collection[int]) -> str:
        """The text of some clauses."""
        ends = [start for start, _ in self.clauses[1:]] + [len(self.text)]
        spans = zip(self.clauses, ends, strict=True)
        return " ".join(self.text[start:end] for (start, number), end in spans if number in clauses)

    @property
    def stems(self) -> set[str]:
        return {token.stem for token in self.tokens}

    def stems_within(self, start: int, end: int) -> set[str]:
        """The stems of the words that begin at these places, `end` left out."""
        return {token.stem for token in self.tokens if start <= token.start < end}


def leans(sentence: str) -> bool:
    """Whether a sentence leans on the one before it, as "It was built in 1903." does."""
    return bool(pronoun(sentence))


def pronoun(sentence: str) -> str:
    """The pronoun that a sentence begins with, in small letters; "" where it begins with none."""
    match = _PRONOUN.match(sentence.strip())
    return match[0].split()[0].lower() if match else ""


def subject_of(sentence: str) -> tuple[Token, ...]:
    """What a sentence begins with: its words before the first auxiliary, three where there is none."""
    tokens = [token for token in Text.read(sentence).tokens if not _WEEKDAY.match(token.text)]
    verb = AUXILIARY.search(sentence)
    return tuple(token for token in tokens if token.start < verb.start()) if verb else tuple(tokens[:3])


def spoken_of(said: Text, told: Text) -> str:
    """The clauses of a source that speak of what a statement speaks of: the fewest that have all of its words and numbers."""
    by_clause: dict[int, set[str]] = {}
    for token in told.tokens:
        if token.stem in said.stems:
            by_clause.setdefault(told.clause(token.start), set()).add(token.stem)
    for quantity in told.quantities:
        same = {other.text for other in said.quantities if quantity.within(other)}
        if same and told.clause(quantity.start) in by_clause:
            by_clause[told.clause(quantity.start)] |= same
    chosen, covered = set[int](), set[str]()
    for clause, shared in sorted(by_clause.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        if shared - covered:
            chosen.add(clause)
            covered |= shared
    return told.words_of(chosen)


def _clauses(text: str, tokens: Sequence[Token], amounts: Sequence[Quantity]) -> tuple[tuple[int, int], ...]:
    """Where clauses begin, by number. What a parenthesis or ", who ... ," interrupts goes on after it; a number alone belongs to what is before it, as in
    "at 7:45 and 6 p.m.".
    """
    within = {place for amount in amounts for place in range(amount.start, amount.end)}
    within |= {amount.end for amount in amounts if amount.text.endswith(".")}  # a.m.
    breaks = [match for match in _CLAUSE.finditer(text) if match.start() not in within]
    inserted = list(_INSERTED.finditer(text))
    opens, closes = {match.start() for match in inserted}, {match.start(1) for match in inserted}
    clauses, around, last = [(0, 0)], list[int](), 0
    stops = [*(match.start() for match in breaks[1:]), len(text)]
    for match, stop in zip(breaks, stops, strict=bool(breaks)):
        start = match.start()
        if match[0] == "(" or start in opens:
            around.append(clauses[-1][1])
        elif (match[0] == ")" or start in closes) and around:
            clauses.append((start, around.pop()))
            continue
        inside = any(start <= token.start < stop for token in tokens)
        if inside or sum(start <= amount.start < stop for amount in amounts) != 1:
            last += 1
            clauses.append((start, last))
    return tuple(clauses)


def letters(text: str) -> str:
    """The letters, marks and digits of a text in small letters, with what stands in and before its numbers: 1.5 is not 15."""
    return "".join(
        character
        for place, character in enumerate(text.casefold())
        if unicodedata.category(character)[0] in "LMN" or _in_number(text.casefold(), place)
    )


def _in_number(text: str, place: int) -> bool:
    """Whether a sign belongs to the number after it: "-5", "1.5", "1:2"; blanks and a dash after a letter do not."""
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    return not text[place].isspace() and after.isdigit() and not before.isalpha()


def stem(word: str) -> str:
    """The stem of a word; of a form of an irregular verb, that of its base form. What is written in capitals, as LED, is no verb."""
    return plain_stem(word if len(word) > 1 and word.isupper() else base_form(word.casefold()))


def plain_stem(word: str) -> str:
    """The stem of a word as it is written: "left" is not "leave"."""
    return next(iter(terms(word)), word.casefold())


def unspaced(text: str) -> bool:
    """Whether a text is written in a script that puts no blanks between words."""
    return _UNSPACED.search(text) is not None
