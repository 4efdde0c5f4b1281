from .accounting import WorkedTime, calls_of, charged_budget
from .concurrency import Mapped, both, chunks, drained, each, gather, map_items, mapped, outcome_of, settled
from .config import RunConfig, option
from .events import (
    Event,
    ModelsOpened,
    Progressed,
    RunDone,
    RunStarted,
    TaskDone,
    TaskFailed,
    Warned,
    WorkerJoined,
    WorkerLeft,
    ending,
    event_of,
)
from .questions import QUESTIONS_TABLES, Pending, Questions
from .session import Session

__all__ = [
    "Event",
    "Mapped",
    "ModelsOpened",
    "Pending",
    "Progressed",
    "Questions",
    "RunConfig",
    "RunDone",
    "RunStarted",
    "Session",
    "TaskDone",
    "TaskFailed",
    "Warned",
    "WorkedTime",
    "WorkerJoined",
    "WorkerLeft",
    "both",
    "calls_of",
    "charged_budget",
    "chunks",
    "drained",
    "each",
    "ending",
    "event_of",
    "gather",
    "map_items",
    "mapped",
    "option",
    "outcome_of",
    "settled",
    "QUESTIONS_TABLES",
]
