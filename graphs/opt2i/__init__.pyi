from .config import Opt2iConfig
from .context import Opt2iContext
from .events import BaselineDone, HeldOutDone, IterationDone, QuestionsWritten, TrialScored
from .graph import build
from .loop import opt2i
from .result import Baseline, Comparison, HeldOut, Opt2iResult, Opt2iTask, Trial, TrialImage, evaluator_name
from .search import Objective, Proposer, Realiser, SearchContext, SearchState, StopRule

__all__ = [
    "Baseline",
    "BaselineDone",
    "Comparison",
    "HeldOut",
    "HeldOutDone",
    "IterationDone",
    "Objective",
    "Opt2iConfig",
    "Opt2iContext",
    "Opt2iResult",
    "Opt2iTask",
    "Proposer",
    "QuestionsWritten",
    "Realiser",
    "SearchContext",
    "SearchState",
    "StopRule",
    "Trial",
    "TrialImage",
    "TrialScored",
    "build",
    "evaluator_name",
    "opt2i",
]
