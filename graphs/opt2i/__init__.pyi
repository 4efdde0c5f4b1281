from .config import Opt2iConfig
from .context import Opt2iContext
from .events import (
    AblationDone,
    BaselineDone,
    GainLooked,
    HeldOutDone,
    IterationDone,
    QuestionsWritten,
    Reviewed,
    TrialScored,
)
from .fronts import undominated
from .graph import build
from .loop import opt2i
from .plan import Plan, Step, plan_of
from .proof import Proof
from .races import Abandon, Everyone, Halve, Race, Standing
from .result import (
    Drift,
    Effect,
    HeldOut,
    Look,
    Opt2iResult,
    Opt2iTask,
    Shortened,
    Trial,
    TrialImage,
    Wishes,
    evaluator_name,
)
from .review import Offer, Offered, Review, as_question
from .search import Objective, Proposer, Realiser, SearchContext, SearchState, StopRule
from .stops import AnyOf, FileThere, Idle, Iterations, NoImprovement, Spent, Target, Unscored, usual
from .ways import Baseline, Comparison, PaperGain, way_name

__all__ = [
    "Abandon",
    "AblationDone",
    "AnyOf",
    "Baseline",
    "BaselineDone",
    "Comparison",
    "Drift",
    "Effect",
    "Everyone",
    "FileThere",
    "GainLooked",
    "Halve",
    "HeldOut",
    "HeldOutDone",
    "Idle",
    "IterationDone",
    "Iterations",
    "Look",
    "NoImprovement",
    "Objective",
    "Offer",
    "Offered",
    "Opt2iConfig",
    "Opt2iContext",
    "Opt2iResult",
    "Opt2iTask",
    "PaperGain",
    "Plan",
    "Proof",
    "Proposer",
    "QuestionsWritten",
    "Race",
    "Realiser",
    "Review",
    "Reviewed",
    "SearchContext",
    "SearchState",
    "Shortened",
    "Spent",
    "Standing",
    "Step",
    "StopRule",
    "Target",
    "Trial",
    "TrialImage",
    "TrialScored",
    "Unscored",
    "Wishes",
    "as_question",
    "build",
    "evaluator_name",
    "opt2i",
    "plan_of",
    "undominated",
    "usual",
    "way_name",
]
