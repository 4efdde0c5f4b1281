"""Metrics by name, and a data set scored with them."""

from .contract import checked_scores
from .judges import Label, certify_judges, read_labels
from .models import ROLES, MetricModels, Options
from .published import Correlation, Figure, correlate, figures, table_of
from .registry import METRICS, Metric, find_metrics, open_evaluator, own_metric
from .scoring import MetricResult, Scored, Tally, score_items

__all__ = [
    "Correlation",
    "Figure",
    "Label",
    "METRICS",
    "Metric",
    "MetricModels",
    "MetricResult",
    "Options",
    "ROLES",
    "Scored",
    "Tally",
    "certify_judges",
    "checked_scores",
    "correlate",
    "figures",
    "find_metrics",
    "open_evaluator",
    "own_metric",
    "read_labels",
    "score_items",
    "table_of",
]
