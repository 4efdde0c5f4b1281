"""Metrics by name, and a data set scored with them."""

from .published import Correlation, Figure, correlate, figures, table_of
from .registry import METRICS, Bench, Metric, Options, find_metrics, open_evaluator, own_metric
from .scoring import MetricResult, Scored, Tally, score_items

__all__ = [
    "Bench",
    "Correlation",
    "Figure",
    "METRICS",
    "Metric",
    "MetricResult",
    "Options",
    "Scored",
    "Tally",
    "correlate",
    "figures",
    "find_metrics",
    "open_evaluator",
    "own_metric",
    "score_items",
    "table_of",
]
