"""Which quotation answers a question: a probability for each that a passage holds, and the line below which there is no answer.

Two logistic regressions over features that a person can check:

    words      how much of the question a sentence says with the headings that it stands under, whether its heading is the question,
               whether it has what the question asks for (a date, a number, a name, a definition, a command), what it says beyond the
               question, its form and its place
    vectors    of the likeliest by words: how likely they are, and the cosine of the question with the sentence under its headings

Fitted to questions on documentation, answerable and not, by `benchmarks/quoting_calibration.py`, which prints `_FITTED` and what the lines
give on documents that were held out.

To repeat the question gains little: what a sentence shares with it counts once, and what says nothing else is no answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ...runtime.passages import Passage
from ..documents import terms
from .answer_types import answer_type, has_type
from .quotations import Quotation, is_question, quotations
from .reading import leans
from .words import content_words

if TYPE_CHECKING:
    from ...runtime.protocols import TextEmbedder

__all__ = ["CalibratedPicker", "Picked", "Picker", "vector_features", "word_features"]

_CALIBRATED_WITH = "all-minilm-l6-v2"
_NAMED = re.compile(r"\b(?:[A-Z]\w*[A-Z]\w*|\w*\d\w*|\w+_\w+|(?<!^)(?<![.!?] )[A-Z]\w+)\b")
_REFINED = 10  # quotations whose vectors are looked at
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

    Args:
        embedder: sentence vectors; used where it is the model that the calibration was made with, else words alone.
    """

    def __init__(self, embedder: TextEmbedder | None = None) -> None:
        known = embedder is not None and _CALIBRATED_WITH in embedder.model.lower().replace("_", "-")
        self.embedder = embedder if known else None

    @property
    def name(self) -> str:
        """What reports call it."""
        return "words, headings, answer types and vectors" if self.embedder else "words, headings and answer types"

    @property
    def line(self) -> float:
        """From which probability on a quotation is an answer."""
        return _LINES[self.embedder is not None][0]

    @property
    def near(self) -> float:
        """From which probability on its passage is shown where there is no answer."""
        return _LINES[self.embedder is not None][1]

    async def pick(self, question: str, passages: Sequence[Passage]) -> list[Picked]:
        """Every quotation of the passages, which stand in the order of the search, with its probability; in their order.

        Raises:
            CallFailed: the embedder failed.
        """
        found, rows = word_features(question, passages)
        likely = [_apply("words", row) for row in rows]
        if self.embedder is not None and found:
            best = sorted(range(len(found)), key=lambda i: -likely[i])[:_REFINED]
            cosines = await vector_features(question, passages, [found[i] for i in best], self.embedder)
            odds = [_log_odds(likely[i]) for i in best]
            refined = {i: _apply("vectors", [odd, *row]) for i, odd, row in zip(best, odds, cosines, strict=True)}
            likely = [refined.get(i, 0.0) for i in range(len(found))]
        return [Picked(quotation, probability) for quotation, probability in zip(found, likely, strict=True)]


def word_features(question: str, passages: Sequence[Passage]) -> tuple[list[Quotation], list[list[float]]]:
    """What can be quoted from the passages, which stand in the order of the search, and the features of each without vectors.

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


async def vector_features(
    question: str, passages: Sequence[Passage], found: Sequence[Quotation], embedder: TextEmbedder
) -> list[list[float]]:
    """The cosine of the question with each quotation under the headings that it stands under.

    Raises:
        CallFailed: the embedder failed.
    """
    texts = [_under(each, passages[each.place]) for each in found]
    once = list(dict.fromkeys([question, *texts]))
    vectors = dict(zip(once, await embedder.texts(once), strict=True))
    return [[_dot(vectors[question], vectors[text])] for text in texts]


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
        """What is known of a quotation without vectors."""
        own, title = set(_terms(quotation.lead)), set(_terms(quotation.title))
        above = title.union(*(_terms(line) for line in (passage.title, *passage.headings))) - own
        block, whole = set(_terms(quotation.text)) - own, set(_terms(passage.indexed))
        leaning = leans(quotation.text)
        before = set(_terms(quotation.before)) - own - above if leaning else set[str]()
        alike = 2 * len(title.intersection(self.terms)) / max(1, len(title) + len(self.terms))
        first, asks = 1 / (1 + quotation.order), is_question(quotation.title)
        fits = has_type(self.kind, quotation.text, self.question)
        code, many = quotation.kind == "code", len(quotation.text.split())
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
    return tuple(terms(" ".join(content_words(text))))


def _under(quotation: Quotation, passage: Passage) -> str:
    """A quotation under the headings that it stands under, as it is embedded."""
    lines = dict.fromkeys(line for line in (passage.title, *passage.headings, quotation.title) if line)
    before = [_line(quotation.before)] if quotation.before and leans(quotation.text) else []
    return ". ".join([*lines, *before, _line(quotation.text)])


def _apply(head: str, features: Sequence[float]) -> float:
    weights, total = _FITTED[head]
    for value, (center, scale, weight) in zip(features, weights, strict=True):
        total += weight * (value - center) / scale
    return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))


def _log_odds(probability: float) -> float:
    kept = min(max(probability, 1e-4), 1 - 1e-4)
    return math.log(kept / (1 - kept))


def _line(text: str) -> str:
    return " ".join(text.split())


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return float(sum(a * b for a, b in zip(first, second, strict=True)))


_LINES: Mapping[bool, tuple[float, float]] = {True: (0.2, 0.05), False: (0.06, 0.02)}
_FITTED: Mapping[str, tuple[tuple[tuple[float, float, float], ...], float]] = {
    "words": (
        (
            (0.1585, 0.2328, 0.9946),
            (0.0163, 0.0881, 0.3701),
            (0.0956, 0.2106, 0.4453),
            (0.0058, 0.0496, 0.1672),
            (0.5241, 0.2919, 0.1039),
            (0.1405, 0.2471, -0.2826),
            (0.0627, 0.1404, 0.1814),
            (0.0698, 0.1987, -0.1661),
            (0.0289, 0.1043, 0.3756),
            (0.2012, 0.3678, -0.3499),
            (0.4458, 0.3131, -0.0359),
            (0.2336, 0.4231, 0.001),
            (0.0151, 0.122, -0.0615),
            (0.0215, 0.145, 0.134),
            (0.5259, 0.4993, -0.6905),
            (2.0951, 0.5429, -0.2294),
            (2.7826, 0.6756, 0.5273),
            (0.0206, 0.1048, -0.1903),
            (0.0857, 0.2799, 0.7165),
            (0.0682, 0.252, 0.1137),
            (0.094, 0.2918, 0.0362),
            (0.0047, 0.0687, -0.2354),
            (0.1264, 0.3323, -0.3711),
            (0.8314, 0.5892, -0.5824),
            (0.1214, 0.3266, -0.4192),
            (0.7241, 0.447, 0.0808),
            (0.0697, 0.2546, -0.0862),
        ),
        -4.8627,
    ),
}
