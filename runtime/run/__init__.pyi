from .accounting import WorkedTime, calls_of, charged_budget
from .anywhere import run
from .checkpoints import Checkpoints
from .concurrency import Mapped, both, chunks, each, gather, map_items, settled
from .config import RunConfig, option
from .engine import Engine, SharedLoop
from .engines import ENGINES, engine_of
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
)
from .exported import exported
from .folder import RunFolder, discarded_if_refused
from .listing import RunInfo, list_runs
from .loop import Loop, carry
from .packing import pack
from .questions import Pending, Questions
from .references import files_of, missing_blobs
from .result import RunResult, Task
from .runner import Finish, Runner
from .session import Session
from .shared import SharedRun
from .shared_worker import SharedWorker
from .worker import Listener

__all__ = [
    "Checkpoints",
    "ENGINES",
    "Engine",
    "Event",
    "Finish",
    "Listener",
    "Loop",
    "Mapped",
    "ModelsOpened",
    "Pending",
    "Progressed",
    "Questions",
    "RunConfig",
    "RunDone",
    "RunFolder",
    "RunInfo",
    "RunResult",
    "RunStarted",
    "Runner",
    "Session",
    "SharedLoop",
    "SharedRun",
    "SharedWorker",
    "Task",
    "TaskDone",
    "TaskFailed",
    "Warned",
    "WorkedTime",
    "WorkerJoined",
    "WorkerLeft",
    "both",
    "calls_of",
    "carry",
    "charged_budget",
    "chunks",
    "discarded_if_refused",
    "each",
    "engine_of",
    "exported",
    "files_of",
    "gather",
    "list_runs",
    "map_items",
    "option",
    "missing_blobs",
    "pack",
    "run",
    "settled",
]
