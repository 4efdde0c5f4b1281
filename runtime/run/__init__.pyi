from .anywhere import run
from .engine import Engine, SharedLoop
from .engines import ENGINES, engine_of
from .exported import exported
from .loop import Loop, carry
from .shared import SHARED_TABLES, SharedRun
from .shared_worker import SharedWorker
from .worker import Listener

__all__ = [
    "ENGINES",
    "Engine",
    "Listener",
    "Loop",
    "SharedLoop",
    "SharedRun",
    "SharedWorker",
    "carry",
    "engine_of",
    "exported",
    "run",
    "SHARED_TABLES",
]
