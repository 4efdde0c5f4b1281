"""Metrics by name, and a data set scored with them."""

from .published import Correlation, Figure, correlate, figures, table_of
from .registry import METRICS, Bench, Options, find_metrics
from .scoring import MetricResult, Scored, ScoreRun, Tally, score_items

__all__ = [
    "Bench",
    "Correlation",
    "Figure",
    "METRICS",
    "MetricResult",
    "Options",
    "ScoreRun",
    "Scored",
    "Tally",
    "correlate",
    "figures",
    "find_metrics",
    "score_items",
    "table_of",
]
