from .listing import RunInfo, list_runs
from .packing import pack
from .references import files_of, missing_blobs
from .result import RunResult, Task
from .run_folder import ENGINE, RunFolder, discarded_if_refused

__all__ = [
    "ENGINE",
    "RunFolder",
    "RunInfo",
    "RunResult",
    "Task",
    "discarded_if_refused",
    "files_of",
    "list_runs",
    "missing_blobs",
    "pack",
]
