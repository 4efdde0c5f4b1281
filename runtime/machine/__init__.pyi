from .checkpoints import Checkpoints
from .runner import Finish, Runner
from .signals import drained_by_signals

__all__ = [
    "Checkpoints",
    "Finish",
    "Runner",
    "drained_by_signals",
]
