"""Which quotation answers a question: a probability for each that a passage holds, and the line below which there is no answer.

A logistic regression over features that a person can check: how much of the question a sentence says with the headings that it stands under,
whether its heading is the question, whether it has what the question asks for (a date, a number, a name, a definition, a command), what it says
beyond the question, its form and its place; and, where there is an embedder that it was fitted with, how near the question's vector is to that of the
sentence. Fitted to questions on documentation, answerable and not, with vectors and without, by `benchmarks/quoting_calibration.py`, which prints
`_FITTED` and what lines give on documents that were held out.

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
from ..documents import terms, word_count
from .answer_types import answer_type, has_type
from .calibration import Regression, calibrated, dot
from .quotations import Quotation, is_question, quotations
from .reading import leans
from .words import content_words

if TYPE_CHECKING:
    from ...runtime.protocols import TextEmbedder

__all__ = ["CalibratedPicker", "Picked", "Picker", "nearness", "word_features"]

_NAMED = re.compile(r"\b(?:[A-Z]\w*[A-Z]\w*|\w*\d\w*|\w+_\w+|(?<!^)(?<![.!?] )[A-Z]\w+)\b")
_HAN = re.compile(
    r"(?![的是了吗呢在有多少几什么谁哪怎样为何和与及这那个])[\u3400-\u9fff]"
)  # without those that ask and join
_OTHER_SCRIPT = re.compile(r"[^\W\d_\u0000-\u024f]")  # a letter that is not Latin
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
    """Picks by the regression; the line is where four of five questions that no source answers are refused.

    Args:
        embedder: sentence vectors; used where it is the model that the calibration was made with and the question is in a script that
            this model reads, else words alone.
    """

    line, near = 0.06, 0.02

    def __init__(self, embedder: TextEmbedder | None = None) -> None:
        self.embedder = calibrated(embedder)

    @property
    def name(self) -> str:
        """What reports call it."""
        seen = "words, headings, answer types" + (" and vectors" if self.embedder is not None else "")
        return f"{seen}, calibrated on questions about documentation"

    async def pick(self, question: str, passages: Sequence[Passage]) -> list[Picked]:
        """Every quotation of the passages, which stand in the order of the search, with its probability; in their order.

        Raises:
            CallFailed: the embedder failed.
        """
        found, rows = word_features(question, passages)
        head = "words"
        if self.embedder is not None and found and _OTHER_SCRIPT.search(question) is None:
            head = "words and vectors"
            near = await nearness(question, found, self.embedder)
            rows = [[*row, cosine] for row, cosine in zip(rows, near, strict=True)]
        return [Picked(quotation, _FITTED[head].probability(row)) for quotation, row in zip(found, rows, strict=True)]


async def nearness(question: str, found: Sequence[Quotation], embedder: TextEmbedder) -> list[float]:
    """The cosine of the question's vector and that of each quotation's first sentence.

    Raises:
        CallFailed: the embedder failed.
    """
    leads = [" ".join(each.lead.split()) for each in found]
    texts = list(dict.fromkeys((question, *leads)))
    vectors = dict(zip(texts, await embedder.texts(texts), strict=True))
    return [dot(vectors[question], vectors[lead]) for lead in leads]


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


_FITTED: Mapping[str, Regression] = {
    "words": Regression(
        (
            (0.1581, 0.2296, 0.8143),
            (0.0177, 0.0918, 0.318),
            (0.1042, 0.2147, 0.3324),
            (0.0059, 0.0491, 0.1443),
            (0.5272, 0.2896, 0.3479),
            (0.1399, 0.2445, -0.05),
            (0.0577, 0.133, 0.0833),
            (0.0735, 0.2019, -0.287),
            (0.0298, 0.1048, 0.3129),
            (0.2148, 0.3759, -0.545),
            (0.4001, 0.3046, 0.1973),
            (0.2268, 0.4188, 0.2178),
            (0.0145, 0.1196, -0.0598),
            (0.0199, 0.1398, 0.1175),
            (0.5354, 0.4987, -0.5336),
            (2.0759, 0.5546, -0.2187),
            (2.8218, 0.6858, 0.4266),
            (0.0227, 0.1078, -0.0788),
            (0.1188, 0.3235, 0.3663),
            (0.101, 0.3013, -0.2179),
            (0.0962, 0.2948, -0.0753),
            (0.011, 0.1043, -0.3458),
            (0.1369, 0.3438, -0.3138),
            (0.8476, 0.5856, -0.4205),
            (0.1249, 0.3306, -0.609),
            (0.6908, 0.4622, -0.0014),
            (0.0748, 0.263, -0.0611),
        ),
        -4.9109,
    ),
    "words and vectors": Regression(
        (
            (0.1997, 0.251, 0.4788),
            (0.0188, 0.0979, 0.3361),
            (0.1374, 0.2474, 0.4202),
            (0.0072, 0.0568, 0.1436),
            (0.6027, 0.2865, 0.1076),
            (0.205, 0.2744, -0.1077),
            (0.0856, 0.1557, 0.1509),
            (0.1012, 0.2345, -0.414),
            (0.042, 0.1245, 0.3525),
            (0.2022, 0.354, -0.5419),
            (0.4063, 0.3074, 0.1123),
            (0.2595, 0.4383, 0.2518),
            (0.0154, 0.1232, -0.0262),
            (0.0208, 0.1428, 0.0736),
            (0.5092, 0.4999, -0.4187),
            (2.0577, 0.5434, -0.0682),
            (2.8104, 0.6779, 0.3807),
            (0.022, 0.1067, -0.0318),
            (0.1331, 0.3396, 0.2861),
            (0.0793, 0.2703, -0.2725),
            (0.1112, 0.3144, 0.0592),
            (0.0129, 0.1129, -0.4412),
            (0.1352, 0.3419, -0.3099),
            (0.8567, 0.586, -0.3926),
            (0.09, 0.2861, -0.5923),
            (0.7014, 0.4577, -0.2511),
            (0.0704, 0.2558, -0.0837),
            (0.306, 0.1974, 0.7532),
        ),
        -4.1637,
    ),
}
