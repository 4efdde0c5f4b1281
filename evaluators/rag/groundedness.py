"""Groundedness: the share of an answer's claims that the passages which were read support (RAGAS's faithfulness).

RAGAS (Es et al. 2024, arXiv 2309.15217) splits an answer into claims and judges each against the whole context; it gives NaN
where a step fails, and NaN falls out of means unseen. Here a claim that could not be judged is a part with value None, the
score says how many there were and between which bounds the share lies, and an answer without any claim is unscored with the
reason. An abstention claims nothing: it is unscored too, and abstention has a measure of its own (`evaluators.rag.abstention`).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.answers import CitedAnswer
from ...runtime.errors import CallFailed
from ...runtime.records import Part, Score
from ...tools.entailment import Entailment, sentences

__all__ = ["Groundedness", "claims_of"]

_MOST_PREMISES = 200


class Groundedness:
    """Scores answers against the passages that they were written from, by `judge`."""

    name = "groundedness"

    def __init__(self, judge: Entailment) -> None:
        self.judge = judge

    async def score(self, answer: CitedAnswer, passages: Sequence[str]) -> Score:
        """The share of claims that at least one sentence of the passages supports; parts: 1, 0 or None a claim."""
        claims = claims_of(answer)
        if not claims:
            return Score(
                value=None, explanation="there is no claim: it abstained" if answer.abstained else "there is no claim"
            )
        premises = [span.text for passage in passages for span in sentences(passage)][:_MOST_PREMISES]
        parts = [await self._claim(claim, premises) for claim in claims]
        known = [part.value for part in parts if part.value is not None]
        missing = len(parts) - len(known)
        if not known:
            return Score(value=None, explanation=f"none of {len(parts)} claims could be judged", parts=tuple(parts))
        told = f"{sum(known):.0f} of {len(parts)} claims are supported"
        if missing:
            low, high = sum(known) / len(parts), (sum(known) + missing) / len(parts)
            told += f"; {missing} could not be judged, so that the share lies between {low:.2f} and {high:.2f}"
        return Score(value=sum(known) / len(known), explanation=told, parts=tuple(parts))

    async def _claim(self, claim: str, premises: Sequence[str]) -> Part:
        if not premises:
            return Part(name=claim, value=0.0, detail="no passage was read")
        try:
            judged = await self.judge.judge([(premise, claim) for premise in premises])
        except CallFailed as error:
            return Part(name=claim, value=None, detail=f"could not be judged: {error}")
        best = max(range(len(judged)), key=lambda i: judged[i].supports)
        good = judged[best].supports >= self.judge.thresholds["entails"]
        return Part(name=claim, value=float(good), detail=f"P = {judged[best].supports:.2f}: {premises[best][:160]}")


def claims_of(answer: CitedAnswer) -> list[str]:
    """The claims of an answer: its sentences, which the answerer is asked to keep short."""
    return [span.text for checked in answer.sentences for span in sentences(checked.text)]
