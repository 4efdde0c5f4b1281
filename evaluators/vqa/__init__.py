"""Answers about pictures: the published accuracy rules, data sets, votes, and what went wrong."""

from .accuracy import RULES, accuracy_of, find_rule, official_form, vqa_accuracy
from .answer_recall import answer_recall
from .caption_filter import hard_accuracy, off_topic, planted, restates, soft_accuracy
from .cider import Cider
from .error_causes import RIGHT, Cause, cause_of, counted
from .files import has_answers, read_asked, read_predictions
from .sets import (
    SetName,
    VQAItem,
    check_question,
    headline_rule,
    majority,
    need_choices,
    read_items,
    rules_of,
    with_pictures,
    without_pictures,
)
from .texts import with_candidates, with_captions, with_oracle
from .voting import Ensembled, EnsembleRule, ensemble

__all__ = [
    "Cause",
    "Cider",
    "EnsembleRule",
    "Ensembled",
    "RIGHT",
    "RULES",
    "SetName",
    "VQAItem",
    "accuracy_of",
    "answer_recall",
    "cause_of",
    "check_question",
    "counted",
    "ensemble",
    "find_rule",
    "hard_accuracy",
    "has_answers",
    "headline_rule",
    "majority",
    "need_choices",
    "off_topic",
    "official_form",
    "planted",
    "read_asked",
    "read_items",
    "read_predictions",
    "restates",
    "rules_of",
    "soft_accuracy",
    "vqa_accuracy",
    "with_candidates",
    "with_captions",
    "with_oracle",
    "with_pictures",
    "without_pictures",
]
