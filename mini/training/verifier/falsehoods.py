"""Changes of a sentence that make it say something else: another number, date, name or word, a "not", an opposite, roles exchanged.

Each rule gives another sentence, or None where it does not apply; what came of it "contradicts" the sentence, or is "not told" by it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ....tools.entailment import content_words
from .other_numbers import other_count, other_digit, other_month, other_number, other_unit
from .wordnet import WordNet

__all__ = ["Falsehood", "Falsifier"]

_ANTONYMS = """increase/decrease increases/decreases increased/decreased increasing/decreasing rise/fall rises/falls rose/fell higher/lower
    high/low more/less before/after first/last always/never all/some larger/smaller larger/fewer positive/negative early/late earlier/later
    with/without supports/lacks fast/slow faster/slower best/worst better/worse above/below left/right open/closed opened/closed
    inhibits/promotes inhibit/promote inhibited/promoted reduces/raises reduced/raised upper/lower many/few both/neither free/paid
    allowed/forbidden enabled/disabled simple/complex new/old newer/older public/private input/output client/server read/write
    true/false male/female men/women north/south east/west northern/southern eastern/western short/long shorter/longer minimum/maximum
    older/younger strong/weak stronger/weaker safe/dangerous cheap/expensive easy/difficult same/different internal/external
    inside/outside local/remote import/export client/host start/stop begins/ends began/ended gain/lose gained/lost won/lost
    accept/reject accepted/rejected include/exclude includes/excludes included/excluded add/remove added/removed summer/winter
    day/night morning/evening hot/cold warm/cool wet/dry full/empty rich/poor young/old activates/inhibits activation/inhibition
    upregulated/downregulated overexpression/deletion presence/absence acute/chronic necessary/unnecessary sufficient/insufficient
    possible/impossible able/unable common/rare frequently/rarely often/seldom usually/rarely mostly/hardly static/dynamic
    at_least/at_most more_than/less_than most/fewest require/forbid requires/forbids mandatory/optional required/optional
    succeed/fail succeeded/failed success/failure buy/sell bought/sold father/mother brother/sister husband/wife son/daughter
    up/down top/bottom light/dark black/white single/multiple manual/automatic manually/automatically directly/indirectly""".split()
_OPPOSITE: dict[str, list[str]] = {}
for _pair in _ANTONYMS:
    _one, _two = _pair.replace("_", " ").split("/")
    _OPPOSITE.setdefault(_one, []).append(_two)
    _OPPOSITE.setdefault(_two, []).append(_one)
_OPPOSITE_AT = re.compile(r"\b(" + "|".join(sorted(_OPPOSITE, key=len, reverse=True)) + r")\b")
_AUXILIARY = r"(?:is|are|was|were|can|could|should|will|would|must|has been|have been|may|might)"
_PLAIN = re.compile(
    r"\b(provides|supports|uses|allows|includes|contains|requires|runs|reads|writes|shows|has|gives|makes|takes|works|needs|comes|offers|lets|helps|means)\b"
)
_BASE = {
    word: word.removesuffix("s") for word in "uses includes provides requires writes gives makes takes comes".split()
} | {"has": "have"}
_NAME = re.compile(r"\b[A-Z][\w+-]*(?: [A-Z][\w+-]*)*")
_VERBISH = re.compile(
    rf"\b(?:{_AUXILIARY}(?: \w+ed)?(?: by)?|\w+(?:ed|es|s)|than|to|from|for|of|in|with|by|into|on|over|under|before|after)\b"
)
_HEDGES = ((r"\bmay be\b", "is"), (r"\bmay have\b", "has"), (r"\b(?:may|might|could|can) (\w+)\b", r"\1"), (r"\bsometimes\b", "always"),
           (r"\bmost\b", "all"), (r"\bsome\b", "all"), (r"\bmany\b", "all"), (r"\bseveral\b", "all"), (r"\b(?:suggests?|indicates?)\b", "proves"),
           (r"\boften\b", "always"), (r"\busually\b", "always"), (r"\bprobably |\bpossibly |\bpotentially ", ""), (r"\blikely to\b", "certain to"))  # fmt: skip
_ONLY = re.compile(rf"\b({_AUXILIARY}|provides|supports|uses|allows|includes|contains|works|runs)\b(?! only)")


_SUBJECT = re.compile(
    r"(?:The|An?|Each|Every|Its|His|Her|Their|Our|Most|Some|Many|[A-Z]\w+s|(?!(?:As|With|If|When|While|In|At|On|For|From|By|After|Before|Here"
    r"|There|This|That|It|They|He|She|We|You|I)\b)[A-Z]\w+)\b"
)
_ACTIVE = re.compile(
    rf"((?:(?!\b{_AUXILIARY}\b)[^,;]){{2,50}}?) (\w+ed|causes?|leads? to|reduces?|increases?|follows?|precedes?|replaces?|contains?|includes?"
    r"|regulates?|uses|inhibits|activates|induces|needs|requires) ((?:the |an? )?[^,;]{3,50}?)\.$"
)
_AFFIRMED = (
    (rf"\b({_AUXILIARY}) not\b", r"\1"),
    (r"\bcannot\b", "can"),
    (r"\b(is|are|was|were|does|do|did)n['’]t\b", r"\1"),
    (r"\b(?:does|do|did) not (\w+)", r"\1"),
    (r"\bwithout\b", "with"),
    (r"\bnever\b", "always"),
    (r"\bno (?=[a-z])", "a "),
    (r"\bneither\b", "both"),
    (r"\bunable to\b", "able to"),
)


class Falsehood(NamedTuple):
    """A changed sentence: by which rule, and what the old one says of it. `swaps`: the old one is as false beside the new one."""

    kind: str
    statement: str
    outcome: str
    swaps: bool


Change = Callable[[str, Sequence[str], random.Random], "str | None"]


class Falsifier:
    """Makes falsehoods of sentences. `names`: names of other documents, put in where the own one has no other."""

    def __init__(self, wordnet: WordNet, names: Sequence[str]) -> None:
        self.wordnet, self.names = wordnet, names
        self._rules: dict[str, tuple[float, str, bool, Change]] = {
            "number": (3, "contradicts", True, other_number),
            "number nearby": (2, "contradicts", True, other_digit),
            "unit": (1, "contradicts", True, other_unit),
            "month": (1, "contradicts", True, other_month),
            "count": (1.5, "contradicts", True, other_count),
            "not more": (4, "contradicts", True, _negated),
            "not less": (1.5, "contradicts", True, _affirmed),
            "opposite": (6, "contradicts", True, self._opposite),
            "name": (3, "not told", False, self._name),
            "word of the text": (6, "not told", False, self._word),
            "word of its kind": (4, "not told", False, self._sibling),
            "exchanged": (7, "contradicts", True, _exchanged),
            "names exchanged": (4, "contradicts", True, _names_exchanged),
            "agent exchanged": (4, "contradicts", True, _agent_exchanged),
            "hedge": (3, "not told", False, _unhedged),
            "only": (1.5, "not told", False, _only),
            "addition": (4, "not told", False, _addition),
            "condition": (1.5, "not told", False, _unconditional),
            "reason": (1, "not told", False, _reversed_reason),
        }
        self._kinds = list(self._rules)
        self._weights = [self._rules[kind][0] for kind in self._kinds]

    def kind(self, rng: random.Random) -> str:
        """The name of a rule, drawn by how often each is to be tried."""
        return rng.choices(self._kinds, self._weights)[0]

    def change(self, kind: str, sentence: str, document: Sequence[str], rng: random.Random) -> Falsehood | None:
        """A falsehood by the rule `kind`; `document` gives other numbers, names and words."""
        _, outcome, swaps, rule = self._rules[kind]
        changed = rule(sentence, document, rng)
        if changed is None or _folded(changed) == _folded(sentence):
            return None
        return Falsehood(kind, changed, outcome, swaps)

    def _opposite(self, sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
        choices = [(m, _OPPOSITE[m[0]]) for m in _OPPOSITE_AT.finditer(sentence)]
        choices += [
            (m, self.wordnet.opposites[m[0]])
            for m in re.finditer(r"\b[a-z]{4,}\b", sentence)
            if m[0] in self.wordnet.opposites
        ]
        if not choices:
            return None
        match, others = rng.choice(choices)
        return sentence[: match.start()] + rng.choice(others) + sentence[match.end() :]

    def _name(self, sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
        names = _names(sentence)
        if not names:
            return None
        match = rng.choice(names)
        near = [other[0] for line in document for other in _names(line) if other[0] not in sentence]
        other = rng.choice(near) if near and rng.random() < 0.7 else rng.choice(self.names)
        return None if other in sentence else sentence[: match.start()] + other + sentence[match.end() :]

    def _word(self, sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
        """A word for another one of the same text, of the same part of speech where WordNet knows it."""
        words = _words(sentence)
        if len(words) < 3:
            return None
        match = rng.choice(words[1:])
        parts = self._parts(match[0])
        others = [
            w
            for line in document
            for w in content_words(line)
            if w.isalpha() and len(w) > 3 and w not in sentence.lower()
        ]
        alike = [w for w in others if self._parts(w) & parts and _ending(w) == _ending(match[0])]
        if not (alike or others):
            return None
        return sentence[: match.start()] + rng.choice(alike or others) + sentence[match.end() :]

    def _sibling(self, sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
        words = [(m, self._kin(m[0])) for m in _words(sentence)]
        words = [(m, kin) for m, kin in words if kin]
        if not words:
            return None
        match, kin = rng.choice(words)
        return sentence[: match.start()] + rng.choice(kin) + sentence[match.end() :]

    def _kin(self, word: str) -> list[str]:
        if word in self.wordnet.siblings:
            return self.wordnet.siblings[word]
        return [f"{other}s" for other in self.wordnet.siblings.get(word[:-1], [])] if word.endswith("s") else []

    def _parts(self, word: str) -> set[str]:
        for form in (
            word,
            word.removesuffix("s"),
            word.removesuffix("es"),
            word.removesuffix("ed"),
            word.removesuffix("d"),
            word.removesuffix("ing"),
        ):
            if form in self.wordnet.parts:
                return self.wordnet.parts[form]
        return set()


def _folded(sentence: str) -> str:
    return re.sub(r"\W+", " ", sentence.casefold()).strip()


def _words(sentence: str) -> list[re.Match[str]]:
    return [m for m in re.finditer(r"\b[a-z]{4,}\b", sentence) if content_words(m[0])]


def _names(sentence: str) -> list[re.Match[str]]:
    return [m for m in _NAME.finditer(sentence) if m.start() > 0 and len(m[0]) > 2]


def _ending(word: str) -> str:
    return next((end for end in ("ing", "ed", "ly", "s") if word.endswith(end)), "")


def _negated(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    places = list(re.finditer(rf"\b{_AUXILIARY}\b(?! not\b|n['’]t)", sentence))
    if places and rng.random() < 0.8:
        match = rng.choice(places)
        return sentence[: match.end()] + rng.choice([" not", " not", " never", " no longer"]) + sentence[match.end() :]
    if (plain := _PLAIN.search(sentence)) is None:
        return None
    return f"{sentence[: plain.start()]}does not {_BASE.get(plain[0], plain[0][:-1])}{sentence[plain.end() :]}"


def _affirmed(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    fitting = [(pattern, instead) for pattern, instead in _AFFIRMED if re.search(pattern, sentence)]
    if not fitting:
        return None
    pattern, instead = rng.choice(fitting)
    return re.sub(pattern, instead, sentence, count=1)


def _swapped(sentence: str, one: re.Match[str], two: re.Match[str]) -> str:
    return sentence[: one.start()] + two[0] + sentence[one.end() : two.start()] + one[0] + sentence[two.end() :]


def _exchanged(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    """Two nouns or so on both sides of a verb or a preposition, exchanged."""
    words = _words(sentence)
    pairs = [
        (one, two)
        for place, one in enumerate(words)
        for two in words[place + 1 : place + 6]
        if one[0] != two[0]
        and _ending(one[0]) == _ending(two[0])
        and _VERBISH.search(sentence[one.end() : two.start()])
    ]
    if not pairs:
        return None
    return _swapped(sentence, *rng.choice(pairs))


def _names_exchanged(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    names = [m for m in _NAME.finditer(sentence) if len(m[0]) > 2 and content_words(m[0].split()[0])]
    pairs = [
        (one, two)
        for place, one in enumerate(names)
        for two in names[place + 1 :]
        if one[0] != two[0] and not re.fullmatch(r"[\s,;/]*(?:and|or|&)?[\s,]*", sentence[one.end() : two.start()])
    ]
    if not pairs:
        return None
    return _swapped(sentence, *rng.choice(pairs))


def _agent_exchanged(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    """Who did it and to whom it was done, exchanged, active or passive."""
    if not _SUBJECT.match(sentence):
        return None
    if match := re.match(
        r"(\w[^,;]{1,40}?) ((?:is|are|was|were) \w+(?:ed|en|de|ne) by) ([^,;]{2,40}?)((?: (?:in|at|on|for|with) [^,;]+)?)\.$",
        sentence,
    ):
        return f"{match[3][0].upper()}{match[3][1:]} {match[2]} {match[1][0].lower()}{match[1][1:]}{match[4]}."
    if match := _ACTIVE.match(sentence):
        return f"{match[3][0].upper()}{match[3][1:]} {match[2]} {match[1][0].lower()}{match[1][1:]}."
    if match := re.search(r"\b(?:more|less|\w+er) (?:\w+ )?than\b", sentence):
        words, after = _words(sentence[: match.start()]), _words(sentence[match.end() :])
        if words and after:
            one, two = rng.choice(words), after[0]
            start, end = match.end() + two.start(), match.end() + two.end()
            return sentence[: one.start()] + two[0] + sentence[one.end() : start] + one[0] + sentence[end:]
    return None


def _unhedged(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    fitting = [(p, r) for p, r in _HEDGES if re.search(p, sentence)]
    if not fitting:
        return None
    pattern, instead = rng.choice(fitting)
    return re.sub(pattern, instead, sentence, count=1)


def _only(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    places = list(_ONLY.finditer(sentence))
    if not places:
        return None
    match = rng.choice(places)
    return sentence[: match.end()] + rng.choice([" only", " always", " exclusively"]) + sentence[match.end() :]


def _addition(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    """With a phrase of another sentence of the text."""
    phrases = [
        m[0]
        for line in document
        if line not in sentence
        for m in re.finditer(
            r" (?:in|at|on|by|with|for|from|because|since|during|through|using|after|before|to) [^,.;()]{4,50}(?=[,.])",
            line,
        )
        if m[0] not in sentence
    ]
    return sentence.rstrip(".") + rng.choice(phrases) + "." if phrases else None


def _unconditional(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    match = re.match(r"(?:If|When|Unless|Provided that) [^,]+, ([a-z].*)$", sentence)
    if match is None:
        match = re.match(
            r"(?:[A-Z][^,]{1,40} (?:claims?|claimed|argues?|argued|believes?|believed|says|said|thinks?|hopes?)) that (.{15,})$",
            sentence,
        )
    return match[1][0].upper() + match[1][1:] if match else None


def _reversed_reason(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    match = re.match(r"([A-Z][^,;]{10,}) (because|before|after|until|so that) ([^,;]{10,})\.$", sentence)
    if match is None:
        return None
    return f"{match[3][0].upper()}{match[3][1:]} {match[2]} {match[1][0].lower()}{match[1][1:]}."
