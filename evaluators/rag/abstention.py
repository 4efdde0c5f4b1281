"""Abstention: does it say "no answer" where there is none, and only there?

    precision   of what was abstained from, the share that had no answer
    recall      of what had no answer, the share that was abstained from
    coverage    of what had an answer, the share that was answered

The negative rejection of RGB (Chen et al. 2024, arXiv 2309.01431) is `recall`. An answer that was lost to a failure (of the
answerer, of the check, of a budget) is no decision: it is counted apart as unscored and in none of the three.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.answers import CitedAnswer
from ...runtime.errors import BadInput
from ...runtime.records import Record
from ..stats import Estimate, ratio

__all__ = ["Abstentions", "abstentions", "decided"]

_FAILURES = ("verifier_failed", "answerer_failed", "failed", "budget")


class Abstentions(Record):
    """The three measures with their intervals over the questions; `reasons` counts every abstention by its reason."""

    precision: Estimate
    recall: Estimate
    coverage: Estimate
    unscored: int
    reasons: dict[str, int]


def decided(answer: CitedAnswer) -> bool | None:
    """True: it abstained. False: it answered. None: it came to neither, for something failed."""
    if answer.abstained is None:
        return False
    return None if answer.abstained.reason in _FAILURES else True


def abstentions(answers: Sequence[CitedAnswer], answerable: Sequence[bool]) -> Abstentions:
    """The measures over `answers`; `answerable` says which of the questions have an answer in the collection.

    Raises:
        BadInput: the two differ in length.
    """
    if len(answers) != len(answerable):
        raise BadInput(f"{len(answers)} answers and {len(answerable)} labels: give one of each a question.")
    pairs = [(decided(answer), has) for answer, has in zip(answers, answerable, strict=True)]
    known = [(abstained, has) for abstained, has in pairs if abstained is not None]
    reasons: dict[str, int] = {}
    for answer in answers:
        if answer.abstained is not None:
            reasons[answer.abstained.reason] = reasons.get(answer.abstained.reason, 0) + 1
    return Abstentions(
        precision=ratio([(float(not has), 1.0) for abstained, has in known if abstained]),
        recall=ratio([(float(abstained), 1.0) for abstained, has in known if not has]),
        coverage=ratio([(float(not abstained), 1.0) for abstained, has in known if has]),
        unscored=len(pairs) - len(known),
        reasons=dict(sorted(reasons.items())),
    )
