from .config import Opt2iConfig
from .context import Opt2iContext
from .events import AblationDone, BaselineDone, HeldOutDone, IterationDone, QuestionsWritten, TrialScored
from .graph import build
from .loop import opt2i
from .plan import Plan, Step, plan_of
from .result import (
    Drift,
    Effect,
    HeldOut,
    Opt2iResult,
    Opt2iTask,
    Shortened,
    Trial,
    TrialImage,
    evaluator_name,
)
from .search import Objective, Proposer, Realiser, SearchContext, SearchState, StopRule
from .stops import AnyOf, FileThere, Idle, Iterations, NoImprovement, Spent, Target, Unscored, usual
from .ways import Baseline, Comparison, PaperGain, way_name

__all__ = [
    "AblationDone",
    "AnyOf",
    "Baseline",
    "BaselineDone",
    "Comparison",
    "Drift",
    "Effect",
    "FileThere",
    "HeldOut",
    "HeldOutDone",
    "Idle",
    "IterationDone",
    "Iterations",
    "NoImprovement",
    "Objective",
    "Opt2iConfig",
    "Opt2iContext",
    "Opt2iResult",
    "Opt2iTask",
    "PaperGain",
    "Plan",
    "Proposer",
    "QuestionsWritten",
    "Realiser",
    "SearchContext",
    "SearchState",
    "Shortened",
    "Spent",
    "Step",
    "StopRule",
    "Target",
    "Trial",
    "TrialImage",
    "TrialScored",
    "Unscored",
    "build",
    "evaluator_name",
    "opt2i",
    "plan_of",
    "usual",
    "way_name",
]
