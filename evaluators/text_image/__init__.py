"""Whether a picture shows what its prompt says: DSG, dCS, TIFA, VQAScore, CLIPScore, GenEval, preference models."""

from .clip_score import ClipScore
from .dcs import DCS
from .dsg import DSG, Rule, certainty
from .dsg_release import CATEGORIES, Annotations, ItemScore, read_annotations, read_answers, read_ratings, score_answers
from .ensemble import Agreement, Panel
from .function import FunctionEvaluator
from .geneval import GenEval, Thresholds
from .geneval_prompts import read_requirements
from .per_prompt import PerPrompt
from .preference import Preference
from .similarity import TextSimilarity, cosine
from .tifa import TIFA, ChoiceQuestion, questions_from_graph, read_tifa_questions
from .vqa_score import TEMPLATE, VQAScore

__all__ = [
    "Agreement",
    "Annotations",
    "CATEGORIES",
    "ChoiceQuestion",
    "ClipScore",
    "DCS",
    "DSG",
    "FunctionEvaluator",
    "GenEval",
    "ItemScore",
    "Panel",
    "PerPrompt",
    "Preference",
    "Rule",
    "TEMPLATE",
    "TIFA",
    "TextSimilarity",
    "Thresholds",
    "VQAScore",
    "certainty",
    "cosine",
    "questions_from_graph",
    "read_annotations",
    "read_answers",
    "read_ratings",
    "read_requirements",
    "read_tifa_questions",
    "score_answers",
]
