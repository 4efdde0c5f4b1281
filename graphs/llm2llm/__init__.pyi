from .arms import WAYS
from .config import Llm2LlmConfig
from .data import sha256_of
from .graph import added_rows
from .plan import estimate
from .rescoring import Rescored, rescore
from .result import Llm2LlmOutcome, Measured, StepRecord, WayRow, WayRun
from .run import llm2llm, open_source, run_llm2llm

__all__ = [
    "Llm2LlmConfig",
    "Llm2LlmOutcome",
    "Measured",
    "Rescored",
    "StepRecord",
    "WAYS",
    "WayRow",
    "WayRun",
    "added_rows",
    "estimate",
    "llm2llm",
    "open_source",
    "rescore",
    "run_llm2llm",
    "sha256_of",
]
