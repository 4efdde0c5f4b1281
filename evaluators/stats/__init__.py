"""Intervals, paired gains, agreement, and the statistics of sets of pictures."""

from .agreement import kappa, kendall, spearman, split_half
from .image_statistics import SetStatistics, compare_sets
from .intervals import (
    Comparison,
    Estimate,
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
)
from .unscored import unscored

__all__ = [
    "Comparison",
    "Estimate",
    "SetStatistics",
    "by_group",
    "compare",
    "compare_sets",
    "estimate",
    "holm",
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
]
