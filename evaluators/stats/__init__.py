"""Intervals, paired gains, agreement, and the statistics of sets of pictures."""

from .agreement import kappa, kendall, spearman, split_half
from .image_statistics import FEWEST_PICTURES, SetStatistics, compare_sets
from .intervals import (
    FEWEST,
    Comparison,
    Estimate,
    Verdict,
    by_group,
    compare,
    estimate,
    holm,
    mean,
    paired_gain,
    ratio,
    ratio_gain,
    share_interval,
    slices,
    standard_error,
    verdict_of,
)
from .selection import answers_needed, logistic, selected_threshold
from .sequences import confidence_sequence, evidence, evidence_needed
from .unscored import Unscorable, judged, unscored

__all__ = [
    "FEWEST_PICTURES",
    "answers_needed",
    "FEWEST",
    "Comparison",
    "Estimate",
    "SetStatistics",
    "Unscorable",
    "Verdict",
    "by_group",
    "compare",
    "compare_sets",
    "confidence_sequence",
    "estimate",
    "evidence",
    "evidence_needed",
    "holm",
    "judged",
    "kappa",
    "kendall",
    "logistic",
    "mean",
    "paired_gain",
    "ratio",
    "ratio_gain",
    "selected_threshold",
    "share_interval",
    "slices",
    "spearman",
    "split_half",
    "standard_error",
    "unscored",
    "verdict_of",
]
