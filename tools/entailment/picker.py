"""Which quotation answers a question: a probability for each that a passage holds, and the line below which there is no answer.

A logistic regression over features that a person can check: how much of the question a sentence says with the headings that it stands under,
whether its heading is the question, whether it has what the question asks for (a date, a number, a name, a definition, a command), what it says
beyond the question, its form and its place. It reads no vectors. Fitted to questions on documentation, answerable and not, by
`benchmarks/quoting_calibration.py`, which prints `_FITTED` and what lines give on documents that were held out.

To repeat the question gains little: what a sentence shares with it counts once, and what says nothing else is no answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from ...runtime.passages import Passage
from ..documents import terms, word_count
from .answer_types import answer_type, has_type
from .quotations import Quotation, is_question, quotations
from .reading import leans
from .words import content_words

__all__ = ["CalibratedPicker", "Picked", "Picker", "word_features"]

_NAMED = re.compile(r"\b(?:[A-Z]\w*[A-Z]\w*|\w*\d\w*|\w+_\w+|(?<!^)(?<![.!?] )[A-Z]\w+)\b")
_HAN = re.compile(
    r"(?![的是了吗呢在有多少几什么谁哪怎样为何和与及这那个])[\u3400-\u9fff]"
)  # without those that ask and join
_LONG = 40  # words
_CLOSED = re.compile(r"[.!。！][\"'”’)\]*_`]*$")


class Picked(NamedTuple):
    """A quotation and the probability that it answers the question."""

    quotation: Quotation
    probability: float


class Picker(Protocol):
    """Whatever tells which quotations answer a question.

    `line`: the probability from which one is an answer; `near`: from which a passage is worth showing where none is.
    """

    @property
    def name(self) -> str: ...
    @property
    def line(self) -> float: ...
    @property
    def near(self) -> float: ...
    async def pick(self, question: str, passages: Sequence[Passage]) -> list[Picked]: ...


class CalibratedPicker:
    """Picks by the regression.

    The line is where four of five questions that no source answers are refused, and one of twenty-five that one does.
    """

    name = "words, headings and answer types"
    line, near = 0.06, 0.02

    async def pick(self, question: str, passages: Sequence[Passage]) -> list[Picked]:
        """Every quotation of the passages, which stand in the order of the search, with its probability; in their order."""
        found, rows = word_features(question, passages)
        return [Picked(quotation, _apply(row)) for quotation, row in zip(found, rows, strict=True)]


def word_features(question: str, passages: Sequence[Passage]) -> tuple[list[Quotation], list[list[float]]]:
    """What can be quoted from the passages, which stand in the order of the search, and the features of each.

    What says nothing beyond the question is left out, except where it asks for yes or no.
    """
    asked = _Asked(question, passages)
    found = [
        each
        for place, passage in enumerate(passages)
        for each in quotations(passage, place)
        if asked.kind == "yes or no" or each.kind == "code" or each.leads or asked.beyond(each.text)
    ]
    return found, [asked.features(each, passages[each.place]) for each in found]


class _Asked:
    """A question beside the passages that were found for it."""

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        self.question = question
        self.kind = answer_type(question)
        self.terms = list(dict.fromkeys(_terms(question)))
        held = [set(_terms(passage.indexed)) for passage in passages]
        frequency = Counter(term for each in held for term in each)
        # a word that few of the passages have tells more than one that all have
        self.weights = {term: math.log(1 + (len(passages) + 1) / (frequency[term] + 0.5)) for term in self.terms}
        self.total = sum(self.weights.values()) or 1.0
        self.named = {term for match in _NAMED.finditer(question) for term in _terms(match[0])}

    def beyond(self, text: str) -> list[str]:
        """The terms of a text that the question does not have."""
        return [term for term in dict.fromkeys(_terms(text)) if term not in self.weights]

    def covered(self, terms: set[str]) -> float:
        """The share of the question that these terms have, by weight."""
        return sum(weight for term, weight in self.weights.items() if term in terms) / self.total

    def features(self, quotation: Quotation, passage: Passage) -> list[float]:
        """What is known of a quotation."""
        own, title = set(_terms(quotation.lead)), set(_terms(quotation.title))
        above = title.union(*(_terms(line) for line in (passage.title, *passage.headings))) - own
        block, whole = set(_terms(quotation.text)) - own, set(_terms(passage.indexed))
        leaning = leans(quotation.text)
        before = set(_terms(quotation.before)) - own - above if leaning else set[str]()
        alike = 2 * len(title.intersection(self.terms)) / max(1, len(title) + len(self.terms))
        first, asks = 1 / (1 + quotation.order), is_question(quotation.title)
        fits = has_type(self.kind, quotation.text, self.question)
        code, many = quotation.kind == "code", word_count(quotation.text)
        return [
            self.covered(own),
            self.covered(block),
            self.covered(above),
            self.covered(before),
            self.covered(whole),
            alike,
            alike * first,
            alike * asks,
            alike * asks * first,
            (1 - alike) * asks,
            first,
            float(fits),
            float(fits and self.kind in ("definition", "reason")),
            float(fits and self.kind in ("date", "number", "name")),
            float(self.kind != "any" and not fits),
            math.log1p(len(self.beyond(quotation.lead))),
            math.log1p(many),
            max(0.0, math.log(many / _LONG)),
            float(code and self.kind == "command"),
            float(code and self.kind != "command"),
            float(quotation.kind == "list"),
            float(quotation.kind == "table"),
            float(quotation.leads),
            math.log1p(quotation.place),
            float(bool(self.named - whole)),
            float(_CLOSED.search(quotation.text) is not None),
            float(leaning),
        ]


@lru_cache(maxsize=32768)
def _terms(text: str) -> tuple[str, ...]:
    """The terms of a text; of Chinese and Japanese the letters one by one, for a question has other pairs of them than its answer."""
    if letters := _HAN.findall(text):
        return (*letters, *terms(" ".join(content_words(_HAN.sub(" ", text)))))
    return tuple(terms(" ".join(content_words(text))))


def _apply(features: Sequence[float]) -> float:
    weights, total = _FITTED
    for value, (center, scale, weight) in zip(features, weights, strict=True):
        total += weight * (value - center) / scale
    return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))


# mean, scale and weight of each feature, then the intercept
_FITTED: tuple[tuple[tuple[float, float, float], ...], float] = (
    (
        (0.1581, 0.2296, 0.8261),
        (0.0177, 0.0918, 0.3119),
        (0.1042, 0.2147, 0.3372),
        (0.0059, 0.0491, 0.1448),
        (0.5272, 0.2896, 0.3403),
        (0.1399, 0.2445, -0.0519),
        (0.0577, 0.133, 0.0837),
        (0.0735, 0.2019, -0.2919),
        (0.0298, 0.1048, 0.3167),
        (0.2148, 0.3759, -0.5545),
        (0.4001, 0.3046, 0.19),
        (0.2268, 0.4188, 0.2169),
        (0.0145, 0.1196, -0.0612),
        (0.0199, 0.1398, 0.1192),
        (0.5354, 0.4987, -0.5397),
        (2.0759, 0.5546, -0.1715),
        (2.8018, 0.6857, 0.3695),
        (0.0197, 0.0974, -0.0146),
        (0.1188, 0.3235, 0.3368),
        (0.101, 0.3013, -0.2379),
        (0.0962, 0.2948, -0.0895),
        (0.011, 0.1043, -0.3545),
        (0.1369, 0.3438, -0.2962),
        (0.8476, 0.5856, -0.4206),
        (0.1249, 0.3306, -0.6084),
        (0.6908, 0.4622, 0.0008),
        (0.0748, 0.263, -0.0572),
    ),
    -4.9143,
)
