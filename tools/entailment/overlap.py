"""Overlap: how likely one sentence speaks to another, from shared words, numbers and sentence vectors. Not an LLM, not NLI.

Three logistic regressions over a handful of features that a person can check:

    evidence   does a sentence speak to a statement, for it or against it?
    passage    has a passage to do with a request? its words, and its best sentence
    found      does a sentence that was found for a request speak to it? `evidence`, how far its passage is behind the
               best of the passages that were found with it, and the place of its passage among them

calibrated on training claims of SciFact (Wadden et al. 2020, arXiv 2004.14974) and their BM25 candidates: the first two on 320
claims by `benchmarks/overlap_calibration.py`, the third and the lines for it on all 809 (480 with vectors) by
`benchmarks/found_calibration.py`; they print `_FITTED`. Two-fold AUC there: evidence 0.87 and 0.84 with vectors, 0.85 and 0.79
without; passage 0.90 and 0.82; found, of the six sentences a claim that would be quoted first, 0.84 and 0.83 with vectors, 0.86 and 0.83
without. Whether it speaks for or against is told by rules (`against`) and only where
these were right in about four of five of the 1,021 annotated sentences; where they say nothing it is not told. So it sorts out what is
off the point; it does not replace a model of inference. Other texts than English prose were not tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ..documents import terms
from .calibration import Regression, calibrated, dot, log_odds
from .judgement import Judgement
from .sentences import sentences
from .words import content_words, numbers, words

if TYPE_CHECKING:
    from ...runtime.protocols import TextEmbedder

__all__ = [
    "Overlap",
    "Standing",
    "against",
    "evidence_features",
    "found_features",
    "passage_features",
]

Standing = tuple[float, int]
"""Of a passage among those that were found: the log odds by which it is behind the most relevant one, and its place from 0."""

_SAME = 0.99  # of a sentence that stands in the premise word for word
_BY_ITSELF = 0.5
_NOT = frozenset(
    """no not nor never none neither without lack lacks lacked lacking fail fails failed failing cannot absence absent unable
    unlikely insufficient independent unaffected unchanged unrelated""".split()
)
_UP = """increase increased increasing higher high greater enhanced enhance elevated upregulated promote promoted induce induced
    activate activated more improve improved gain stimulate longer positive positively raise larger""".split()
_DOWN = """decrease decreased decreasing lower low reduced reduce reduction diminished downregulated inhibit inhibited suppress
    suppressed block blocked prevent prevented repress less impair impaired loss shorter negative negatively decline smaller weaker
    attenuate""".split()

_FITTED: Mapping[str, Regression] = {
    "evidence": Regression(
        (
            (0.2961, 0.1865, 0.4725),
            (0.0101, 0.0355, 0.218),
            (0.1616, 0.3681, -0.3389),
            (0.0982, 0.1001, 0.11),
            (2.7722, 0.4597, 0.5096),
            (0.3822, 0.1834, 0.9289),
        ),
        -4.0392,
    ),
    "evidence without vectors": Regression(
        (
            (0.2961, 0.1865, 0.5946),
            (0.0101, 0.0355, 0.2652),
            (0.1616, 0.3681, -0.3453),
            (0.0982, 0.1001, 0.5573),
            (2.7722, 0.4597, 0.6841),
        ),
        -3.7947,
    ),
    "passage": Regression(
        ((0.5592, 0.1911, 0.5757), (-2.3173, 1.3331, 1.3147)),
        -1.7792,
    ),
    "found": Regression(
        ((-2.1255, 1.1329, 0.9826), (0.6028, 1.0056, -1.1277), (0.4912, 0.5675, -0.6865)),
        -2.8892,
    ),
    "found without vectors": Regression(
        ((-2.0771, 0.9666, 0.8258), (0.6492, 0.9642, -0.8179), (0.5806, 0.5846, -0.8474)),
        -2.9046,
    ),
}


class Overlap:
    """The calibrated overlap: an `Entailment`, and the graders' relevance.

    Args:
        embedder: sentence vectors; used where it is the model that the calibration was made with, else words alone.
    """

    thresholds: Mapping[str, float] = {
        "entails": 0.5, "pertinent": 0.05, "stance": 0.75, "contradicts": 0.5, "passage": 0.03, "weakest": 0.7,
        "beside": 0.3,
    }  # fmt: skip

    def __init__(self, embedder: TextEmbedder | None = None) -> None:
        self.embedder = calibrated(embedder)

    @property
    def name(self) -> str:
        """What reports call it."""
        return "overlap of words and vectors" if self.embedder is not None else "overlap of words"

    @property
    def found_line(self) -> float:
        """From which probability of `judge_found` on a quotation has to do with the claim; "beside": from which one stays
        beside a better one.
        """
        return 0.06 if self.embedder is not None else 0.075

    @property
    def about(self) -> str:
        """One sentence for the reader of a report."""
        what = "shared words, numbers and sentence vectors" if self.embedder is not None else "shared words and numbers"
        return (
            f"the {self.name}: a calibrated comparison of {what}, neither a language model nor a model of inference. It tells what"
            " is off the point; whether a source speaks for a claim or against it is decided by rules, part by part: numbers, dates, names, negation,"
            " opposites, roles and words."
        )

    async def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """How likely each premise supports its hypothesis, and contradicts it.

        Raises:
            CallFailed: the embedder failed.
        """
        return _sided(pairs, await self.evidence(pairs))

    async def standings(self, question: str, passages: Sequence[str]) -> list[Standing]:
        """How each of the passages that were found for a question stands among them, in the order of the search.

        Raises:
            CallFailed: the embedder failed.
        """
        odds = [log_odds(value) for value in await self.relevance(question, passages)]
        return [(max(odds) - value, place) for place, value in enumerate(odds)]

    async def judge_found(self, pairs: Sequence[tuple[str, str]], standings: Sequence[Standing]) -> list[Judgement]:
        """`judge` of sentences that a search found, each with the standing of its passage.

        Raises:
            CallFailed: the embedder failed.
        """
        found = zip(await self.evidence(pairs), standings, strict=True)
        return _sided(pairs, [self._found(value, standing) for value, standing in found])

    async def evidence(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The probability that each premise speaks to its hypothesis. A premise may begin with a title and a line end.

        Raises:
            CallFailed: the embedder failed.
        """
        cosines: Sequence[float | None] = [None] * len(pairs)
        if self.embedder is not None and pairs:
            texts = list(dict.fromkeys(text for premise, hypothesis in pairs for text in (_body(premise), hypothesis)))
            vectors = dict(zip(texts, await self.embedder.texts(texts), strict=True))
            cosines = [dot(vectors[_body(premise)], vectors[hypothesis]) for premise, hypothesis in pairs]
        head = "evidence" if self.embedder is not None else "evidence without vectors"
        return [
            _SAME
            if _folded(hypothesis) in _folded(_body(premise))
            else _FITTED[head].probability(evidence_features(premise, hypothesis, cosine))
            for (premise, hypothesis), cosine in zip(pairs, cosines, strict=True)
        ]

    def _found(self, evidence: float, standing: Standing) -> float:
        """What is more likely evidence than not by itself is judged by itself: of two sources that say opposite things, the second
        best is no weaker a source.
        """
        head = "found" if self.embedder is not None else "found without vectors"
        return evidence if evidence >= _BY_ITSELF else _FITTED[head].probability(found_features(evidence, standing))

    async def relevance(self, question: str, passages: Sequence[str]) -> list[float]:
        """The probability that each passage has to do with the question.

        Raises:
            CallFailed: the embedder failed.
        """
        split = [[" ".join(span.text.split()) for span in sentences(passage)] or [passage] for passage in passages]
        found = iter(await self.evidence([(text, question) for texts in split for text in texts]))
        return [
            _FITTED["passage"].probability(passage_features(passage, question, max(next(found) for _ in texts)))
            for passage, texts in zip(passages, split, strict=True)
        ]


def evidence_features(premise: str, hypothesis: str, cosine: float | None) -> list[float]:
    """Coverage of the hypothesis' words, of their beginnings, a number that is missing, coverage the other way, length, cosine."""
    theirs, asked = set(_content_terms(premise)), list(dict.fromkeys(_content_terms(hypothesis)))
    own = _content_terms(_body(premise))
    covered = [term for term in asked if term in theirs]
    starts = {term[:5] for term in theirs}
    begun = [term for term in asked if term not in theirs and len(term) >= 5 and term[:5] in starts]
    wanted = set(numbers(hypothesis))
    many = max(1, len(asked))
    made = [
        len(covered) / many,
        len(begun) / many,
        float(bool(wanted) and not wanted <= set(numbers(premise))),
        len(set(own).intersection(asked)) / max(1, len(set(own))),
        math.log1p(len(own)),
    ]
    return made if cosine is None else [*made, cosine]


def against(premise: str, hypothesis: str) -> float:
    """The share of cases in which a sentence that speaks to a hypothesis speaks against it, by what differs between them.

    Measured on SciFact's training claims: 0.36 of all, 0.22 of those with much in common and no difference that is seen here,
    0.81 with opposite directions (27 of them), 0.48 with a negation on one side only. Not measured, for there are too few:
    near-identical sentences of which one is negated, or that hold different numbers.
    """
    coverage, _, _, inverse, *_ = evidence_features(premise, hypothesis, None)
    denied, denies = (not _NOT.isdisjoint(words(text)) or "n't" in text.lower() for text in (hypothesis, premise))
    up, down = _direction(hypothesis)
    their_up, their_down = _direction(premise)
    opposite = (up and their_down and not their_up) or (down and their_up and not their_down)
    asked, told = set(numbers(hypothesis)), set(numbers(premise))
    if min(coverage, inverse) >= 0.6 and ((denied != denies) != opposite or (asked and told and not asked & told)):
        return 0.85
    if coverage < 0.4:
        return 0.36
    if denied != denies:
        return 0.48
    return 0.81 if opposite else 0.22


def passage_features(passage: str, question: str, best: float) -> list[float]:
    """Coverage of the question's words by the passage, and the log odds of its best sentence."""
    asked = set(_content_terms(question))
    return [len(asked.intersection(_content_terms(passage))) / max(1, len(asked)), log_odds(best)]


def found_features(evidence: float, standing: Standing) -> list[float]:
    """The log odds of the sentence's own evidence, those by which its passage is behind the best one, the log of its place from 1."""
    behind, place = standing
    return [log_odds(evidence), behind, math.log1p(place)]


@lru_cache(maxsize=32768)
def _content_terms(text: str) -> tuple[str, ...]:
    return tuple(terms(" ".join(content_words(text))))


@lru_cache(maxsize=1)
def _directions() -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(terms(" ".join(_UP))), frozenset(terms(" ".join(_DOWN)))


def _direction(text: str) -> tuple[bool, bool]:
    up, down = _directions()
    found = set(_content_terms(text)) | set(terms(text))
    return not up.isdisjoint(found), not down.isdisjoint(found)


def _body(premise: str) -> str:
    """A premise without its title: the vector is that of the sentence, as in the calibration."""
    return premise.rpartition("\n")[2]


def _folded(text: str) -> str:
    return " ".join(words(text))


def _sided(pairs: Sequence[tuple[str, str]], evidence: Sequence[float]) -> list[Judgement]:
    """Judgements of pairs with these probabilities of evidence."""
    shares = [against(_body(premise), hypothesis) for premise, hypothesis in pairs]
    return [
        Judgement(supports=value * (1 - share), contradicts=value * share)
        for value, share in zip(evidence, shares, strict=True)
    ]
