"""What several raters prefer, as one estimate: how good each item is, how reliable each rater, and which pair to ask next."""

from .agreement import Agreement, agreement
from .choice import next_pair, planned_pairs
from .estimate import Posterior, Preference, Reliability, Standing, fit, judge_preferences

__all__ = [
    "Agreement",
    "Posterior",
    "Preference",
    "Reliability",
    "Standing",
    "agreement",
    "fit",
    "judge_preferences",
    "next_pair",
    "planned_pairs",
]
