from .command import LoopCommand
from .flags import add_flags, flag_names, given_flags
from .format import amount, clip, counted, percent, points, printable, seconds, signed
from .lines import read_lines
from .progress import RunView, progress
from .session import kept, log_to_stderr
from .streams import json_text

__all__ = [
    "LoopCommand",
    "RunView",
    "add_flags",
    "amount",
    "clip",
    "counted",
    "flag_names",
    "given_flags",
    "json_text",
    "kept",
    "log_to_stderr",
    "percent",
    "points",
    "printable",
    "progress",
    "read_lines",
    "seconds",
    "signed",
]
