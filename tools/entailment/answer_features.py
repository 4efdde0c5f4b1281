"""What tells whether a quotation answers a question: features by name, each of which a person can check.

Shares of the question are by weight: a word that few of the passages have tells more than one that all have. To repeat the question gains
little: what a quotation shares with it counts once, and what says nothing else is no answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ...runtime.passages import Passage
from ..documents import term_of, terms, word_count
from .answer_types import answer_type, has_type
from .calibration import dot, log_odds
from .quotations import Quotation, is_question, quotations
from .reading import leans
from .words import content_words

if TYPE_CHECKING:
    from ...runtime.protocols import TextEmbedder

__all__ = ["Features", "nearness", "outlook", "word_features"]

Features = dict[str, float]
"""By name. A share is between 0 and 1, "yes" is 1 and "no" 0; counts are logarithms."""

_NAMED = re.compile(r"\b(?:[A-Z]\w*[A-Z]\w*|\w*\d\w*|\w+_\w+|(?<!^)(?<![.!?] )[A-Z]\w+)\b")
_HAN = re.compile(
    r"(?![的是了吗呢在有多少几什么谁哪怎样为何和与及这那个])[\u3400-\u9fff]"
)  # without those that ask and join
_ANY_HAN = re.compile(r"[\u3400-\u9fff]")
_LONG = 40  # words
_OF_THE_BEST = (
    "share said in all",
    "rarest word that is missing",
    "its passage lacks a name",
    "has what is asked for",
    "near with its title",
)
_OF_ALL = ("near with its title", "near as a passage")
_CLOSED = re.compile(r"[.!。！][\"'”’)\]*_`]*$")


def word_features(question: str, passages: Sequence[Passage]) -> tuple[list[Quotation], list[Features]]:
    """What can be quoted from the passages, which stand in the order of the search, and what its words tell.

    What says nothing beyond the question is left out, except where it asks for yes or no; so is what is set in under a term that can be quoted with it,
    for "Default: 2" alone does not tell of what.
    """
    asked = _Asked(question, passages)
    candidates = [
        each
        for place, passage in enumerate(passages)
        for each in quotations(passage, place)
        if asked.kind == "yes or no" or each.kind == "code" or each.leads or asked.beyond(each.text)
    ]
    terms_whole = [each for each in candidates if each.leads and term_of(each.text)]
    candidates = [each for each in candidates if not any(_set_in(each, whole) for whole in terms_whole)]
    rows = [asked.features(each, passages[each.place]) for each in candidates]
    return candidates, _beside_the_others(rows, ("share said", "share said in all"))


def _set_in(quotation: Quotation, whole: Quotation) -> bool:
    """Whether a quotation stands in another one that begins with a term, behind its first paragraph."""
    inside = quotation.place == whole.place and whole.start < quotation.start and quotation.end <= whole.end
    return inside and "\n\n" in whole.text[: quotation.start - whole.start]


async def nearness(
    question: str, passages: Sequence[Passage], candidates: Sequence[Quotation], embedder: TextEmbedder
) -> list[Features]:
    """How near the vector of each quotation is to that of the question: cosines of its first sentence, of the title with it, and of its passage.

    Raises:
        CallFailed: the embedder failed.
    """
    views = [(_line(each.lead), _titled(each), passages[each.place].indexed) for each in candidates]
    texts = list(dict.fromkeys((question, *(text for view in views for text in view))))
    vectors = dict(zip(texts, await embedder.texts(texts), strict=True))
    near = {text: dot(vectors[question], vectors[text]) for text in texts}
    rows = [
        {"near": near[lead], "near with its title": near[titled], "near as a passage": near[passage]}
        for lead, titled, passage in views
    ]
    return _beside_the_others(rows, ("near", "near with its title"))


def outlook(rows: Sequence[Features], probabilities: Sequence[float]) -> Features:
    """What tells whether the likeliest quotations answer the question at all, of the features of all (one or more) and their probabilities."""
    best = max(range(len(rows)), key=probabilities.__getitem__)
    told = {"log odds of the best": log_odds(probabilities[best])}
    told |= {f"the best: {name}": rows[best][name] for name in _OF_THE_BEST if name in rows[best]}
    return told | {f"of all: {name}": max(row[name] for row in rows) for name in _OF_ALL if name in rows[best]}


def _beside_the_others(rows: list[Features], names: Sequence[str]) -> list[Features]:
    """The features with, of those with these names, how far each quotation is behind the best one of all, and the logarithm of its place among them."""
    for name in names:
        order = sorted((row[name] for row in rows), reverse=True)
        for row in rows:
            row[f"{name}, behind the best"] = order[0] - row[name]
            row[f"{name}, place"] = math.log1p(order.index(row[name]))
    return rows


def _titled(quotation: Quotation) -> str:
    lead, title = _line(quotation.lead), _line(quotation.title)
    return f"{title}: {lead}" if title and title not in lead else lead


def _line(text: str) -> str:
    return " ".join(text.split())


class _Asked:
    """A question beside the passages that were found for it."""

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        self.question = question
        self.kind = answer_type(question)
        self.terms = list(dict.fromkeys(_terms(question)))
        held = [set(_terms(passage.indexed)) for passage in passages]
        frequency = Counter(term for each in held for term in each)
        self.weights = {term: math.log(1 + (len(passages) + 1) / (frequency[term] + 0.5)) for term in self.terms}
        self.total = sum(self.weights.values()) or 1.0
        self.named = {term for match in _NAMED.finditer(question) for term in _terms(match[0])}

    def beyond(self, text: str) -> list[str]:
        """The terms of a text that the question does not have."""
        return [term for term in dict.fromkeys(_terms(text)) if term not in self.weights]

    def covered(self, terms: set[str]) -> float:
        """The share of the question that these terms have."""
        return sum(weight for term, weight in self.weights.items() if term in terms) / self.total

    def fits(self, quotation: Quotation) -> bool:
        """Whether a quotation has what is asked for. What stands first under a term is what it means."""
        defines = self.kind == "definition" and not quotation.order
        texts = (quotation.text, f"{quotation.title}: {quotation.text}") if defines else (quotation.text,)
        return any(has_type(self.kind, text, self.question) for text in texts)

    def features(self, quotation: Quotation, passage: Passage) -> Features:
        """What the words of a quotation and its place tell."""
        own, title = set(_terms(quotation.lead)), set(_terms(quotation.title))
        above = title.union(*(_terms(line) for line in passage.above)) - own
        block, whole = set(_terms(quotation.text)) - own, set(_terms(passage.indexed))
        under = set(_terms(quotation.under)) - own - above
        leaning = leans(quotation.text)
        before = set(_terms(quotation.before)) - own - above if leaning else set[str]()
        said = own | block | above | under
        missing = [weight for term, weight in self.weights.items() if term not in said]
        alike = 2 * len(title.intersection(self.terms)) / max(1, len(title) + len(self.terms))
        first, asks = 1 / (1 + quotation.order), is_question(quotation.title)
        fits, code, many = self.fits(quotation), quotation.kind == "code", word_count(quotation.text)
        return {
            "share said": self.covered(own),
            "share said by its block": self.covered(block),
            "share said above it": self.covered(above),
            "share said before it": self.covered(before),
            "share said by what it is listed under": self.covered(under),
            "share said in all": self.covered(said),
            "share said by its passage": self.covered(whole),
            "rarest word that is missing": max(missing, default=0.0) / self.total,
            "no word is missing": float(not missing),
            "its title is the question": alike,
            "its title is the question, and it is the first": alike * first,
            "its title asks the question": alike * asks,
            "its title asks the question, and it is the first": alike * asks * first,
            "its title asks another question": (1 - alike) * asks,
            "first under its title": first,
            "has what is asked for": float(fits),
            "has the definition or the reason": float(fits and self.kind in ("definition", "reason")),
            "has the date, number or name": float(fits and self.kind in ("date", "number", "name")),
            "lacks what is asked for": float(self.kind != "any" and not fits),
            "words beyond the question": math.log1p(len(self.beyond(quotation.lead))),
            "words": math.log1p(many),
            "words beyond forty": max(0.0, math.log(many / _LONG)),
            "a command that is asked for": float(code and self.kind == "command"),
            "code that is not asked for": float(code and self.kind != "command"),
            "an item of a list": float(quotation.kind == "list"),
            "a row of a table": float(quotation.kind == "table"),
            "leads to a block": float(quotation.leads),
            "place of its passage": math.log1p(quotation.place),
            "its passage lacks a name": float(bool(self.named - whole)),
            "a whole sentence": float(_CLOSED.search(quotation.text) is not None),
            "leans on the one before": float(leaning),
        }


@lru_cache(maxsize=32768)
def _terms(text: str) -> tuple[str, ...]:
    """The terms of a text; of Chinese and Japanese the letters one by one, for a question has other pairs of them than its answer."""
    if letters := _HAN.findall(text):
        return (*letters, *terms(" ".join(content_words(_ANY_HAN.sub(" ", text)))))
    return tuple(terms(" ".join(content_words(text))))
