"""Scores of retrieval, citations and answers from documents."""

from .answer_correctness import correctness
from .citations import alce, evidence_citations
from .claim_answers import ClaimAnswers, Verified, compare_answers, score_answers
from .groundedness import Groundedness
from .retrieval import MEASURES, RetrievalReport, evaluate_run

__all__ = [
    "ClaimAnswers",
    "Groundedness",
    "MEASURES",
    "RetrievalReport",
    "Verified",
    "alce",
    "compare_answers",
    "correctness",
    "evidence_citations",
    "evaluate_run",
    "score_answers",
]
