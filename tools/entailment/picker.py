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
_LATIN = re.compile(r"[A-Za-z\u00aa-\u024f\u1e00-\u1eff]")
_LETTERS = re.compile(r"[^\W\d_]")
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
    """Picks by the regression; the line is where three of four questions that no source answers are refused, and one of twenty to thirty that one does.

    Args:
        embedder: sentence vectors; used where it is the model that the calibration was made with and the question is in a script that
            this model reads, else words alone.
    """

    line, near = 0.04, 0.015

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
        candidates, rows = word_features(question, passages)
        head = "words"
        if self.embedder is not None and candidates and _latin(question):
            head = "words and vectors"
            near = await nearness(question, candidates, self.embedder)
            rows = [[*row, cosine] for row, cosine in zip(rows, near, strict=True)]
        return [
            Picked(quotation, _FITTED[head].probability(row)) for quotation, row in zip(candidates, rows, strict=True)
        ]


def _latin(text: str) -> bool:
    """Whether most letters of a text are Latin."""
    letters = _LETTERS.findall(text)
    return 2 * sum(_LATIN.match(letter) is not None for letter in letters) > len(letters)


async def nearness(question: str, candidates: Sequence[Quotation], embedder: TextEmbedder) -> list[float]:
    """The cosine of the question's vector and that of each quotation's first sentence.

    Raises:
        CallFailed: the embedder failed.
    """
    leads = [" ".join(each.lead.split()) for each in candidates]
    texts = list(dict.fromkeys((question, *leads)))
    vectors = dict(zip(texts, await embedder.texts(texts), strict=True))
    return [dot(vectors[question], vectors[lead]) for lead in leads]


def word_features(question: str, passages: Sequence[Passage]) -> tuple[list[Quotation], list[list[float]]]:
    """What can be quoted from the passages, which stand in the order of the search, and the features of each.

    What says nothing beyond the question is left out, except where it asks for yes or no.
    """
    asked = _Asked(question, passages)
    candidates = [
        each
        for place, passage in enumerate(passages)
        for each in quotations(passage, place)
        if asked.kind == "yes or no" or each.kind == "code" or each.leads or asked.beyond(each.text)
    ]
    return candidates, [asked.features(each, passages[each.place]) for each in candidates]


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
        above = title.union(*(_terms(line) for line in passage.above)) - own
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
            (0.1626, 0.2315, 0.7556),
            (0.0185, 0.0947, 0.3064),
            (0.1058, 0.2147, 0.3024),
            (0.0061, 0.0495, 0.1479),
            (0.5445, 0.2845, 0.3868),
            (0.1372, 0.2369, -0.0682),
            (0.0575, 0.1303, 0.0807),
            (0.0682, 0.1908, -0.1608),
            (0.0283, 0.1005, 0.2544),
            (0.2247, 0.3835, -0.5667),
            (0.402, 0.305, 0.1681),
            (0.2251, 0.4177, 0.2166),
            (0.0161, 0.1257, -0.0764),
            (0.0174, 0.1307, 0.145),
            (0.5264, 0.4993, -0.5356),
            (2.0727, 0.551, -0.2348),
            (2.8246, 0.6815, 0.4603),
            (0.023, 0.109, -0.0923),
            (0.1167, 0.321, 0.3266),
            (0.1078, 0.3102, -0.2695),
            (0.0986, 0.2982, -0.132),
            (0.0097, 0.098, -0.355),
            (0.1406, 0.3476, -0.3232),
            (0.8638, 0.5797, -0.393),
            (0.104, 0.3053, -0.4734),
            (0.6889, 0.4629, -0.032),
            (0.0739, 0.2617, -0.0612),
        ),
        -5.3131,
    ),
    "words and vectors": Regression(
        (
            (0.1933, 0.2461, 0.3861),
            (0.0188, 0.0973, 0.3166),
            (0.1298, 0.2391, 0.3376),
            (0.0069, 0.0552, 0.164),
            (0.5888, 0.2847, 0.2458),
            (0.1887, 0.2588, -0.0236),
            (0.0799, 0.1476, 0.0982),
            (0.089, 0.2151, -0.2934),
            (0.0376, 0.1154, 0.2874),
            (0.2028, 0.3561, -0.5295),
            (0.4081, 0.3079, 0.1156),
            (0.25, 0.433, 0.2776),
            (0.0154, 0.1231, -0.0493),
            (0.017, 0.1293, 0.0956),
            (0.4989, 0.5, -0.4139),
            (2.0594, 0.5383, -0.061),
            (2.8164, 0.6719, 0.3928),
            (0.0227, 0.1086, -0.0463),
            (0.1284, 0.3345, 0.2692),
            (0.0847, 0.2785, -0.2802),
            (0.1176, 0.3221, 0.0202),
            (0.0115, 0.1068, -0.4329),
            (0.1365, 0.3433, -0.3029),
            (0.8678, 0.5796, -0.318),
            (0.0759, 0.2649, -0.4589),
            (0.7031, 0.4569, -0.2073),
            (0.0708, 0.2565, -0.0977),
            (0.3032, 0.1934, 0.7846),
        ),
        -4.7519,
    ),
}
