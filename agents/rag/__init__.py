"""Who does what between a question and a cited answer: router, grader, query rewriter, answerers, verifier."""

from .cited_answerer import Answerer, CitedAnswerer
from .entailer import Entailer
from .grader import Grader, Grades, OverlapGrader
from .query_rewriter import FeedbackTerms, QueryRewriter, Rewrites
from .quoting_answerer import QuotingAnswerer
from .router import Router, Routes, RuleRouter
from .verifier import Verifier, Verifies

__all__ = [
    "Answerer",
    "CitedAnswerer",
    "Entailer",
    "FeedbackTerms",
    "Grader",
    "Grades",
    "OverlapGrader",
    "QueryRewriter",
    "QuotingAnswerer",
    "Rewrites",
    "Router",
    "Routes",
    "RuleRouter",
    "Verifier",
    "Verifies",
]
