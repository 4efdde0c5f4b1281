from .config import Asking, VQAConfig
from .examples import read_examples, shots_of
from .models import PromptCapBench, Roles, keep_pictures
from .result import Facts, VQAOutcome, VQATask, Way
from .run import Job, answer_all, run_vqa, vqa
from .synthesis import Judged, Synthesis, synthesize

__all__ = [
    "Asking",
    "Facts",
    "Job",
    "Judged",
    "PromptCapBench",
    "Roles",
    "Synthesis",
    "VQAConfig",
    "VQAOutcome",
    "VQATask",
    "Way",
    "answer_all",
    "keep_pictures",
    "read_examples",
    "run_vqa",
    "shots_of",
    "synthesize",
    "vqa",
]
