"""Which quotation answers a question, and whether any does: probabilities, and the line below which there is no answer.

Two logistic regressions over features that a person can check (`answer_features`): one tells how likely each quotation is an answer, the other whether
the likeliest ones are. Their weights stand by their names in `picker.json`, which `benchmarks/quoting_calibration.py` writes: fitted to questions on
documentation, answerable and not, once by words alone and once with vectors. It prints what lines give on documents that were held out.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ...runtime.passages import Passage
from .answer_features import Features, nearness, outlook, word_features
from .calibration import Regression, calibrated
from .quotations import Quotation

if TYPE_CHECKING:
    from ...runtime.protocols import TextEmbedder

__all__ = ["CalibratedPicker", "Picked", "Picker"]

_LATIN = re.compile(r"[A-Za-z\u00aa-\u024f\u1e00-\u1eff]")
_LETTERS = re.compile(r"[^\W\d_]")


class Picked(NamedTuple):
    """A quotation and the probability that it answers the question; `answered`: that one of the likeliest does, the same for all."""

    quotation: Quotation
    probability: float
    answered: float


class Picker(Protocol):
    """Whatever tells which quotations answer a question.

    `line`: from which `answered` on there is an answer; `near`: from which on a passage is worth showing where there is none.
    """

    @property
    def name(self) -> str: ...
    @property
    def line(self) -> float: ...
    @property
    def near(self) -> float: ...
    async def pick(self, question: str, passages: Sequence[Passage]) -> list[Picked]: ...


class CalibratedPicker:
    """Picks by the regressions; the line is where 78 % of the questions that no source answers are refused, and of those that one does
    12 % with vectors and 14 % without.

    Args:
        embedder: sentence vectors; used where it is the model that the calibration was made with and the question is in a script that
            this model reads, else words alone.
    """

    near = 0.06

    def __init__(self, embedder: TextEmbedder | None = None) -> None:
        self.embedder = calibrated(embedder)

    @property
    def line(self) -> float:
        """From which `answered` on there is an answer."""
        return 0.11 if self.embedder is None else 0.14

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
        if not candidates:
            return []
        head = "words"
        if self.embedder is not None and _latin(question):
            head = "words and vectors"
            near = await nearness(question, passages, candidates, self.embedder)
            rows = [row | cosines for row, cosines in zip(rows, near, strict=True)]
        fitted = _fitted()[head]
        likely = [fitted["quotation"].probability(row) for row in rows]
        answered = fitted["answered"].probability(outlook(rows, likely))
        return [Picked(each, probability, answered) for each, probability in zip(candidates, likely, strict=True)]


def _latin(text: str) -> bool:
    """Whether most letters of a text are Latin."""
    letters = _LETTERS.findall(text)
    return 2 * sum(_LATIN.match(letter) is not None for letter in letters) > len(letters)


class _Fitted(NamedTuple):
    """A regression whose features have names."""

    names: tuple[str, ...]
    regression: Regression

    def probability(self, row: Features) -> float:
        return self.regression.probability([row[name] for name in self.names])


@functools.cache
def _fitted() -> dict[str, dict[str, _Fitted]]:
    heads = json.loads(Path(__file__).with_name("picker.json").read_text(encoding="utf-8"))
    return {
        head: {
            name: _Fitted(
                tuple(fit["features"]),
                Regression(
                    tuple((mean, scale, weight) for mean, scale, weight in fit["features"].values()), fit["intercept"]
                ),
            )
            for name, fit in fits.items()
        }
        for head, fits in heads.items()
    }
