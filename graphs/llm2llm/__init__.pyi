from .arms import ARMS, words_of
from .config import Llm2LlmConfig
from .data import open_source
from .events import ArmDone, ArmStarted, ArmTested, MistakesFound, NoMistakes, RowsJudged, StepDone, TrainingTold
from .loop import llm2llm
from .plan import Plan, estimate
from .rescoring import Rescored, Rescoring, rescore
from .result import ArmRow, ArmRun, Llm2LlmResult, Llm2LlmTask, Measured, StepRecord
from .state import judged_at

__all__ = [
    "ARMS",
    "ArmDone",
    "ArmRow",
    "ArmRun",
    "ArmStarted",
    "Llm2LlmConfig",
    "Llm2LlmResult",
    "Llm2LlmTask",
    "Measured",
    "MistakesFound",
    "NoMistakes",
    "Plan",
    "Rescored",
    "RowsJudged",
    "StepDone",
    "StepRecord",
    "ArmTested",
    "TrainingTold",
    "estimate",
    "judged_at",
    "llm2llm",
    "open_source",
    "Rescoring",
    "rescore",
    "words_of",
]
