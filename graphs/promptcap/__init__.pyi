from .config import Asking, PromptCapConfig, VQAConfig
from .events import Answered, DecisionTaken, MethodStarted
from .examples import read_examples, shots_of, store_pictures
from .loop import Question, answer, vqa
from .models import BRINGS, VQAModels, need_index
from .result import Facts, Method, VQAResult, VQATask

__all__ = [
    "Answered",
    "Asking",
    "BRINGS",
    "DecisionTaken",
    "Facts",
    "Method",
    "MethodStarted",
    "PromptCapConfig",
    "Question",
    "VQAConfig",
    "VQAModels",
    "VQAResult",
    "VQATask",
    "answer",
    "need_index",
    "read_examples",
    "shots_of",
    "store_pictures",
    "vqa",
]
