"""Does one text bear out another? What every judge of that gives: probabilities, in the classes of natural language inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import Field

from ...runtime.records import Record

__all__ = ["Entailment", "Judgement"]


class Judgement(Record):
    """The probabilities that a premise supports a hypothesis and that it contradicts it; the rest is neither."""

    supports: float = Field(ge=0.0, le=1.0)
    contradicts: float = Field(default=0.0, ge=0.0, le=1.0)

    @property
    def evidence(self) -> float:
        """The probability that the premise speaks to the hypothesis at all, for it or against it."""
        return min(1.0, self.supports + self.contradicts)


class Entailment(Protocol):
    """Judges (premise, hypothesis) pairs, in order. A batch that cannot be judged is a `CallFailed`, never a verdict.

    `thresholds`, each in the judge's own probabilities: "entails" (of `supports`), "pertinent" (of `evidence`), "stance" (of
    the share of `supports` in `evidence`, from which a stance is told; 1 minus it for the other side), "contradicts" (of
    `contradicts`, from which two sources are said to contradict each other), "weakest" (the share of the best quotation's probability that
    another one needs to stay beside it). A model may name "spoken_of" too: the share of a claim's words that a source must have to be judged
    by it.
    """

    @property
    def name(self) -> str: ...
    @property
    def thresholds(self) -> Mapping[str, float]: ...
    async def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]: ...
