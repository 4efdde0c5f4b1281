from .accounting import calls_of, charged_budget, worked
from .anywhere import run
from .checkpoints import Checkpoints
from .concurrency import Mapped, both, chunks, each, gather, map_items, settled
from .config import RunConfig, option
from .events import Event, ModelsOpened, Progressed, RunDone, RunStarted, TaskDone, TaskFailed, Warned
from .exported import exported
from .folder import RunFolder, discarded_if_refused
from .listing import RunInfo, list_runs
from .loop import Listener, Loop, carry
from .packing import pack
from .questions import Pending, Questions
from .references import files_of, missing_blobs
from .result import RunResult, Task
from .runner import Finish, Runner
from .session import Session

__all__ = [
    "Checkpoints",
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
    "Task",
    "TaskDone",
    "TaskFailed",
    "Warned",
    "both",
    "calls_of",
    "carry",
    "charged_budget",
    "chunks",
    "discarded_if_refused",
    "each",
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
    "worked",
]
