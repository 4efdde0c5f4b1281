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
    slices,
    standard_error,
    verdict_of,
)
from .sequences import confidence_sequence, evidence, evidence_needed
from .unscored import Unscorable, judged, unscored

__all__ = [
    "FEWEST_PICTURES",
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
    "mean",
    "paired_gain",
    "ratio",
    "ratio_gain",
    "slices",
    "spearman",
    "split_half",
    "standard_error",
    "unscored",
    "verdict_of",
]
