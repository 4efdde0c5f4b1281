"""Scores of retrieval, citations and answers from documents."""

from .citations import alce
from .claim_answers import ClaimAnswers, Verified, compare_answers, score_answers
from .retrieval import MEASURES, RetrievalReport, evaluate_run

__all__ = [
    "ClaimAnswers",
    "MEASURES",
    "RetrievalReport",
    "Verified",
    "alce",
    "compare_answers",
    "evaluate_run",
    "score_answers",
]
