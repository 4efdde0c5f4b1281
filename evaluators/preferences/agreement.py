"""How often a judge prefers what people prefer."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from ...runtime.records import Record
from ..stats import Estimate, ratio

__all__ = ["Agreement", "agreement"]


class Agreement(Record):
    """The share of people's answers that the judge agrees with, over the pairs that neither calls a tie; `share.n` are pairs.

    `answers` are compared, `ties` were left out because a person or the judge called the pair a tie or the judge has no score.
    Guessing agrees half of the time.
    """

    share: Estimate
    answers: int
    ties: int


def agreement(answers: Iterable[tuple[Hashable, float, float | None]]) -> Agreement:
    """Of (group, share of a person for the first of two, share of the judge for it): how often both are on the same side of a half.

    Answers of one `group` depend on each other (several people on one pair, or all pairs of one prompt): the interval is over groups.
    """
    hits: dict[Hashable, list[int]] = {}
    ties = 0
    for group, person, judge in answers:
        if judge is None or person == 0.5 or judge == 0.5:
            ties += 1
            continue
        counted = hits.setdefault(group, [0, 0])
        counted[0] += (person > 0.5) == (judge > 0.5)
        counted[1] += 1
    share = ratio([(agreed, count) for agreed, count in hits.values()])
    return Agreement(share=share, answers=sum(count for _, count in hits.values()), ties=ties)
