from .command import LoopCommand
from .format import amount, clip, counted, percent, points, printable, seconds, signed
from .lines import read_lines
from .progress import RunView, progress
from .session import closing_line, kept, log_to_stderr, new_run

__all__ = [
    "LoopCommand",
    "RunView",
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
    "read_lines",
    "seconds",
    "signed",
]
