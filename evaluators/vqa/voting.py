"""Several answers to one question become one, by one of three rules.

    max        the answer with the highest log-probability (PICa, Yang et al. 2022)
    sum        probabilities of equal answers are added up, the largest sum wins (Prophet, Shao et al. 2023)
    majority   the answer that was given most often, the likelier one of equals

Answers are compared after VQA's own normalisation, so that "Two dogs." and "2 dogs" are one answer. An answer that says that it
cannot be told is a vote like any other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from ...agents.captions import Vote
from ...runtime.records import Record
from .accuracy import official_form

__all__ = ["EnsembleRule", "Ensembled", "ensemble"]

EnsembleRule = Literal["max", "sum", "majority"]


class Ensembled(Record):
    """What the votes came to. `shares`: by answer in normal form its part of the vote, the largest first.

    `rule` is the rule that was used, `note` why it is not the one that was asked for.
    """

    text: str
    rule: EnsembleRule
    shares: tuple[tuple[str, float], ...] = ()
    note: str = ""


def ensemble(votes: Sequence[Vote], rule: EnsembleRule) -> Ensembled:
    """One answer from `votes`; empty answers do not count, and of none at all the text is empty.

    Without log-probabilities `max` and `sum` cannot be had: then the majority decides, and `note` says so. One vote needs no rule.
    """
    counted = [(official_form(vote.text) or vote.text.strip().lower(), vote) for vote in votes if vote.text.strip()]
    if not counted:
        return Ensembled(text="", rule=rule, note="every vote was empty" if votes else "there were no votes")
    used, note = rule, ""
    if rule != "majority" and len(counted) > 1 and any(vote.logprob is None for _, vote in counted):
        used = "majority"
        note = f"there are no log-probabilities of the answers: the majority decided, not {rule!r}"
    weights: dict[str, float] = {}
    for form, vote in counted:
        sure = math.exp(vote.logprob) if vote.logprob is not None else 0.0
        if used == "majority":
            weights[form] = weights.get(form, 0.0) + 1
        elif used == "sum":
            weights[form] = weights.get(form, 0.0) + sure
        else:
            weights[form] = max(weights.get(form, 0.0), sure)
    best: dict[str, Vote] = {}
    for form, vote in counted:  # the wording is that of an answer's likeliest vote
        if form not in best or _sure(vote) > _sure(best[form]):
            best[form] = vote
    order = list(best)
    ranked = sorted(order, key=lambda form: (-weights[form], -_sure(best[form]), order.index(form)))
    total = math.fsum(weights.values())
    shares = tuple((form, weights[form] / total if total > 0 else 1 / len(ranked)) for form in ranked)
    return Ensembled(text=best[ranked[0]].text, rule=used, shares=shares, note=note)


def _sure(vote: Vote) -> float:
    return -math.inf if vote.logprob is None else vote.logprob
