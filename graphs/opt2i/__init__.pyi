from .config import Opt2iConfig
from .result import Comparison, HeldOut, Outcome, TaskOutcome, Trial, TrialImage
from .run import opt2i, run_opt2i

__all__ = [
    "Comparison",
    "HeldOut",
    "Opt2iConfig",
    "Outcome",
    "TaskOutcome",
    "Trial",
    "TrialImage",
    "opt2i",
    "run_opt2i",
]
