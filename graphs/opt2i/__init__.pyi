from .baselines import compare
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
from .floors import Floors
from .follow import followed
from .fronts import best, front, undominated
from .graph import build
from .loop import opt2i
from .machine_config import MachineConfig
from .plan import Plan, Step, plan_of
from .proof import Proof
from .races import Abandon, Everyone, Halve, Race, Standing, race_of
from .result import (
    Drift,
    Effect,
    HeldOut,
    Look,
    Opt2iResult,
    Opt2iTask,
    SearchedTask,
    Shortened,
    Trial,
    TrialImage,
    Wishes,
    evaluator_name,
)
from .review import Offer, Offered, Review, as_question
from .search import Objective, Proposer, Realiser, SearchContext, SearchState, StopRule
from .searched import Searched, searched
from .stops import AnyOf, FileThere, Idle, Iterations, NoImprovement, Spent, Target, Unscored, usual
from .votes import SURE, Ballot, Pair, VotesSaid, ballot_of
from .ways import Baseline, Comparison, PaperGain, way_name

__all__ = [
    "Abandon",
    "AblationDone",
    "AnyOf",
    "Ballot",
    "Baseline",
    "BaselineDone",
    "Comparison",
    "Drift",
    "Effect",
    "Everyone",
    "FileThere",
    "Floors",
    "GainLooked",
    "Halve",
    "HeldOut",
    "HeldOutDone",
    "Idle",
    "IterationDone",
    "Iterations",
    "Look",
    "MachineConfig",
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
    "Pair",
    "Proof",
    "SURE",
    "VotesSaid",
    "ballot_of",
    "followed",
    "Proposer",
    "QuestionsWritten",
    "Race",
    "Realiser",
    "Review",
    "Reviewed",
    "SearchContext",
    "SearchState",
    "Searched",
    "SearchedTask",
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
    "best",
    "build",
    "compare",
    "evaluator_name",
    "front",
    "opt2i",
    "plan_of",
    "race_of",
    "searched",
    "undominated",
    "usual",
    "way_name",
]
