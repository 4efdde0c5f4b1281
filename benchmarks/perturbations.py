"""True and false statements made of a sentence by rule.

True: a copy, without its last clause, its first phrase moved to the end, without a parenthesis. False: another number, name or word,
a "not" more or less, two words exchanged. Another form of the same word ("structure" for "structures") is none of these; what else remains true
by chance is called false too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from inloop.tools.documents import terms
from inloop.tools.entailment import content_words, quantities

__all__ = ["perturbed"]

_AUXILIARY = r"(?:is|are|was|were|can|did|does|do|will|has|have)"
_WORD = re.compile(r"[A-Za-z][a-z]{3,}")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][A-Za-z0-9-]+")


def perturbed(sentence: str, document: str, rng: random.Random) -> Iterator[tuple[str, bool, str]]:
    """Kind, whether it is true, and the statement; `document` gives other numbers, names and words."""
    yield "copy", True, sentence
    if (match := re.search(r",\s+(?:which|where|although|but|and)\b[^,]*[.]$", sentence)) and match.start() > 30:
        yield "without its last clause", True, sentence[: match.start()] + "."
    if match := re.match(r"((?:In|At|On|After|Before|During|For|With)\b[^,]{4,50}),\s+(.*)[.]$", sentence):
        yield "first phrase last", True, f"{match[2][0].upper()}{match[2][1:]} {match[1][0].lower()}{match[1][1:]}."
    if match := re.search(r"\s\([^()]*\)", sentence):
        yield "without a parenthesis", True, sentence[: match.start()] + sentence[match.end() :]
    if counted := [quantity for quantity in quantities(sentence) if quantity.scale in ("number", "date")]:
        quantity = rng.choice(counted)
        rivals = [
            other.text for other in quantities(document) if other.scale == quantity.scale and other.apart(quantity)
        ]
        if rivals:
            yield "number", False, sentence[: quantity.start] + rng.choice(rivals) + sentence[quantity.end :]
    if match := re.search(rf"\b{_AUXILIARY}\b(?! not)", sentence):
        yield "a not more", False, f"{sentence[: match.end()]} not{sentence[match.end() :]}"
    if match := re.search(rf"\b({_AUXILIARY}) not\b", sentence):
        yield "a not less", False, sentence[: match.start()] + match[1] + sentence[match.end() :]
    words = [match for match in _WORD.finditer(sentence) if content_words(match[0])]
    others = [
        word for word in content_words(document) if word.isalpha() and len(word) > 3 and word not in sentence.lower()
    ]
    if words and others:
        match, other = rng.choice(words), rng.choice(others)
        if terms(match[0]) != terms(other):
            yield "word", False, sentence[: match.start()] + other + sentence[match.end() :]
    names = list(_NAME.finditer(sentence))
    others = [name for name in _NAME.findall(document) if name not in sentence]
    if names and others:
        match = rng.choice(names)
        yield "name", False, sentence[: match.start()] + rng.choice(others) + sentence[match.end() :]
    if len(words) >= 3:
        place = rng.randrange(len(words) - 2)
        one, two = words[place], words[rng.randrange(place + 2, len(words))]
        if terms(one[0]) != terms(two[0]):
            between = sentence[one.end() : two.start()]
            yield (
                "two words exchanged",
                False,
                sentence[: one.start()] + two[0] + between + one[0] + sentence[two.end() :],
            )
