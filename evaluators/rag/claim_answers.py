"""What a RAG loop made of annotated claims: are its citations the annotated evidence, and does it abstain where there is none?

Everything is counted over all claims of the set; intervals are over claims, and comparisons are paired by claim. A claim that
was lost to a failure is counted as such (`abstentions.unscored`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...runtime.answers import CitedAnswer
from ...runtime.errors import BadInput
from ...runtime.records import Record
from ...tools.data import Claim, locate
from ..stats import Estimate, estimate, ratio, ratio_gain
from .abstention import Abstentions, abstentions
from .answer_correctness import stance_correct
from .citations import Alce, evidence_citations

__all__ = ["ClaimAnswers", "Verified", "cited_evidence", "compare_answers", "score_answers"]


class ClaimAnswers(Record):
    """The figures of one way of answering.

    `precision`: of the cited sentences, the share that is annotated evidence of the claim. `recall`: of the annotated
    sentences, the share that was cited. `found`: of the claims with evidence, the share with at least one right citation.
    `stance`: of the answered claims whose side was told, the share with the right side.
    """

    claims: int
    answered: int
    citations: int
    precision: Estimate
    recall: Estimate
    found: Estimate
    abstentions: Abstentions
    stance: Estimate


class Verified(Record):
    """What verification changed, by claim: `precision` gained; `lost`, the share of claims with evidence that were answered
    without it and not with it; `right_lost`, those that had a right citation without it and not with it.
    """

    precision: Estimate
    lost: Estimate
    right_lost: Estimate


def cited_evidence(answer: CitedAnswer, sentences: Mapping[str, list[str]]) -> set[tuple[str, int]]:
    """The (document, sentence) pairs that an answer cites; a quotation of a document without known sentences is (document, -1)."""
    cited: set[tuple[str, int]] = set()
    for citation in answer.citations if answer.answered else ():
        numbers = locate(citation.quote, sentences.get(citation.document, []))
        # many quotations of one unknown document are as many citations
        cited |= {(citation.document, n) for n in numbers} if numbers else {(citation.document, -1 - citation.start)}
    return cited


def score_answers(
    claims: Sequence[Claim], answers: Sequence[CitedAnswer], sentences: Mapping[str, list[str]]
) -> ClaimAnswers:
    """The figures over all claims.

    Raises:
        BadInput: not one answer a claim.
    """
    scored = _each(claims, answers, sentences)
    sided = [stance_correct(answer, claim.label).value for claim, answer in zip(claims, answers, strict=True)]
    return ClaimAnswers(
        claims=len(claims),
        answered=sum(answer.answered for answer in answers),
        citations=sum(alce.precision.trials for alce in scored),
        precision=ratio([(alce.precision.hits, alce.precision.trials) for alce in scored]),
        recall=ratio([(alce.recall.hits, alce.recall.trials) for alce in scored]),
        found=estimate(
            [float(alce.recall.hits > 0) for claim, alce in zip(claims, scored, strict=True) if claim.evidence]
        ),
        abstentions=abstentions(answers, [bool(claim.evidence) for claim in claims]),
        stance=estimate([value for value in sided if value is not None]),
    )


def compare_answers(
    claims: Sequence[Claim],
    before: Sequence[CitedAnswer],
    after: Sequence[CitedAnswer],
    sentences: Mapping[str, list[str]],
) -> Verified:
    """The same claims answered in two ways: `before` without verification, `after` with it."""
    old, new = _each(claims, before, sentences), _each(claims, after, sentences)
    has = [place for place, claim in enumerate(claims) if claim.evidence]
    return Verified(
        precision=ratio_gain(
            [(alce.precision.hits, alce.precision.trials) for alce in old],
            [(alce.precision.hits, alce.precision.trials) for alce in new],
        ),
        lost=estimate([float(before[p].answered and not after[p].answered) for p in has]),
        right_lost=estimate([float(old[p].recall.hits > 0 and new[p].recall.hits == 0) for p in has]),
    )


def _each(claims: Sequence[Claim], answers: Sequence[CitedAnswer], sentences: Mapping[str, list[str]]) -> list[Alce]:
    if len(claims) != len(answers):
        raise BadInput(f"{len(claims)} claims and {len(answers)} answers: give one of each.")
    return [
        evidence_citations(cited_evidence(answer, sentences), claim.evidence)
        for claim, answer in zip(claims, answers, strict=True)
    ]
