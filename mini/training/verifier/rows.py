"""Rows that the verifier learns from: a premise, a statement, and what the first says of the second; made by rule from ordinary text.

FactCC's recipe (Kryscinski et al. 2020): true statements are sentences reworded, false ones are sentences changed, and in half of the
changes that can be turned round the premise is the changed one, so that a changed sentence alone tells nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from .falsehoods import Falsifier
from .rewordings import REWORDINGS, Rewording, synonyms
from .texts import Claim, Text
from .wordnet import WordNet

__all__ = ["OUTCOMES", "Row", "Rows"]

OUTCOMES = ("supports", "contradicts", "not told")
_EQUAL = frozenset(
    {
        "active",
        "number written otherwise",
        "contracted",
        "other words",
        "synonym",
        "first phrase last",
        "last phrase first",
    }
)
"""Rewordings that say neither more nor less, so that they can be turned round."""
_WEAKER = ("addition", "addition", "only", "hedge")
"""Falsehoods that say more than the sentence: it follows from them."""
_SHARES = {"true": 32, "copy": 3, "false": 44, "weaker": 4, "other": 5, "fused": 3, "named": 3, "claim": 6}
"""How many rows of each kind are drawn, in percent."""
_TRIES = 5_000
_NAMED = re.compile(
    r"^((?:The )?[A-Z][\w.+-]*(?: [A-Z][\w.+-]*)*) (is|was|has|can|provides|supports|uses|contains|allows|includes|had|lives|wrote) "
)


class Row(NamedTuple):
    """A premise (it may begin with a title and a line end) and a statement; `kind` is the rule that made them."""

    premise: str
    statement: str
    outcome: str
    kind: str


class Rows:
    """Draws rows of `texts` and `claims`."""

    def __init__(self, texts: Sequence[Text], claims: Sequence[Claim], wordnet: WordNet) -> None:
        self.texts, self.claims = texts, claims
        names = [
            m[0]
            for text in texts[::3]
            for line in text.sentences
            for m in re.finditer(r"(?<=[a-z] )[A-Z][a-z]+(?: [A-Z][a-z]+)*", line)
        ]
        self.falsifier = Falsifier(wordnet, names)
        self._rules: dict[str, Rewording] = {name: rule for name, (_, rule) in REWORDINGS.items()} | {
            "synonym": synonyms(wordnet)
        }
        self._weights = [weight for weight, _ in REWORDINGS.values()] + [2]

    def draw(self, rng: random.Random) -> Row:
        """One row: its kind first, then sentences until one of them can be changed so; another kind where none can."""
        while True:
            [kind] = rng.choices(list(_SHARES), list(_SHARES.values()))
            rule = self.falsifier.kind(rng) if kind == "false" else rng.choices(list(self._rules), self._weights)[0]
            for _ in range(_TRIES):
                text = rng.choice(self.texts)
                place = rng.randrange(len(text.sentences))
                row = self._made(kind, rule, text, place, rng)
                if row is not None and 4 <= len(row.statement.split()) <= 60:
                    return row

    def _made(self, kind: str, rule: str, text: Text, place: int, rng: random.Random) -> Row | None:
        if kind == "claim" and self.claims:
            return _claimed(rng.choice(self.claims), rng)
        if kind == "false":
            return self._false(rule, text, place, rng)
        if kind == "copy":
            return Row(
                self._premise(text, place, text.sentences[place], rng), text.sentences[place], "supports", "copy"
            )
        if kind == "weaker":
            return self._weaker(rng.choice(_WEAKER), text, place, rng)
        if kind == "other":
            other = rng.choice(text.sentences if rng.random() < 0.8 else rng.choice(self.texts).sentences)
            premise = self._premise(text, place, text.sentences[place], rng)
            return (
                None if other in premise else Row(premise, self._reworded(other, rng)[1], "not told", "other sentence")
            )
        if kind == "fused":
            return self._fused(text, place, rng)
        return self._named(text, place, rng) if kind == "named" else self._true(rule, text, place, rng)

    def _true(self, rule: str, text: Text, place: int, rng: random.Random) -> Row | None:
        source = sentence = text.sentences[place]
        statement = self._rules[rule](sentence, rng)
        if statement is None:
            return None
        other, again = self._reworded(statement, rng) if rng.random() < 0.5 else ("copy", statement)
        statement = again
        if {rule, other} <= _EQUAL | {"copy"} and rng.random() < 0.35:
            source, statement = statement, sentence
        return Row(self._premise(text, place, source, rng), statement, "supports", rule)

    def _false(self, kind: str, text: Text, place: int, rng: random.Random) -> Row | None:
        sentence = text.sentences[place]
        base = self._reworded(sentence, rng)[1] if rng.random() < 0.6 else sentence
        falsehood = self.falsifier.change(kind, base, text.sentences, rng)
        if falsehood is None:
            return None
        if falsehood.swaps and rng.random() < 0.5:
            return Row(self._premise(text, place, falsehood.statement, rng), base, falsehood.outcome, kind)
        return Row(self._premise(text, place, sentence, rng), falsehood.statement, falsehood.outcome, kind)

    def _weaker(self, kind: str, text: Text, place: int, rng: random.Random) -> Row | None:
        """What follows from a sentence that says more."""
        sentence = text.sentences[place]
        stronger = self.falsifier.change(kind, sentence, text.sentences, rng)
        return (
            None
            if stronger is None
            else Row(self._premise(text, place, stronger.statement, rng), sentence, "supports", "weaker")
        )

    def _reworded(self, sentence: str, rng: random.Random) -> tuple[str, str]:
        """The sentence after the first rule of some drawn ones that applies, and its name; a copy where none does."""
        for rule in rng.choices(list(self._rules), self._weights, k=5):
            changed = self._rules[rule](sentence, rng)
            if changed is not None and len(changed.split()) >= 4:
                return rule, changed
        return "copy", sentence

    def _premise(self, text: Text, place: int, source: str, rng: random.Random) -> str:
        """The source, alone or among what stands around it, under its title or not."""
        before, after = rng.choice([(0, 0), (0, 0), (0, 0), (1, 0), (0, 1), (1, 1)])
        if re.match(r"(?:It|This|These|They|He|She|Its)\b", source) and rng.random() < 0.7:
            before = 1
        lines = [
            *text.sentences[max(0, place - before) : place],
            source,
            *text.sentences[place + 1 : place + 1 + after],
        ]
        premise = " ".join(lines)
        return f"{text.title}\n{premise}" if text.title and rng.random() < 0.5 else premise

    def _fused(self, text: Text, place: int, rng: random.Random) -> Row | None:
        """Two sentences as one statement, of a premise that holds both of them or one alone."""
        if place + 1 >= len(text.sentences):
            return None
        one, two = text.sentences[place : place + 2]
        if len(one.split()) + len(two.split()) > 45:
            return None
        statement = f"{one.rstrip('.')}, and {two if re.match(r'[A-Z][A-Z]', two) else two[0].lower() + two[1:]}"
        if rng.random() < 0.5:
            return Row(f"{one} {two}", statement, "supports", "fused")
        return Row(rng.choice([one, two]), statement, "not told", "half of it")

    def _named(self, text: Text, place: int, rng: random.Random) -> Row | None:
        """What the title names and the sentence calls "it"."""
        sentence = text.sentences[place]
        match = _NAMED.match(sentence)
        if match is None or match[1] in ("The", "This", "It", "He", "She", "These", "Here", "There", "That", "Both"):
            return None
        leaning = f"It {match[2]} {sentence[match.end() :]}"
        if rng.random() < 0.5:
            return Row(f"{match[1]}\n{leaning}", sentence, "supports", "named by its title")
        other = rng.choice(self.falsifier.names)
        return None if other in sentence else Row(f"{other}\n{leaning}", sentence, "not told", "another title")


def _claimed(claim: Claim, rng: random.Random) -> Row | None:
    """A claim that people wrote, beside one marked sentence, beside all of them, or beside one that is not marked."""
    lines = claim.text.sentences
    if claim.outcome and rng.random() < 0.75:
        places: Sequence[int] = (
            claim.evidence if rng.random() < 0.3 else [rng.choice(claim.evidence)] if claim.evidence else []
        )
        outcome = claim.outcome
    else:
        places, outcome = [rng.randrange(len(lines))], "not told"
        if places[0] in claim.evidence:
            return None
    if not places:
        return None
    premise = " ".join(lines[place] for place in places)
    return Row(f"{claim.text.title}\n{premise}" if rng.random() < 0.6 else premise, claim.claim, outcome, "claim")
