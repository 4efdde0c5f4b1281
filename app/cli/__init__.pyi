from .format import amount, clip, counted, percent, points, printable, seconds, signed
from .progress import progress
from .session import closing_line, kept, log_to_stderr, new_run

__all__ = [
    "amount",
    "clip",
    "closing_line",
    "counted",
    "kept",
    "log_to_stderr",
    "new_run",
    "percent",
    "points",
    "printable",
    "progress",
    "seconds",
    "signed",
]
