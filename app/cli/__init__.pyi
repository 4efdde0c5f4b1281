from .command import LoopCommand
from .failures import BUDGET, FAILED, fail_with
from .flags import add_flags, add_store_flags, flag_names, given_flags
from .format import amount, clip, counted, percent, points, seconds, signed
from .lines import read_lines
from .progress import RunView, progress
from .runs import command_of_run
from .session import kept, log_to_stderr
from .streams import json_text, printable
from .typed import TypedAnswers

__all__ = [
    "BUDGET",
    "FAILED",
    "LoopCommand",
    "RunView",
    "TypedAnswers",
    "add_flags",
    "add_store_flags",
    "amount",
    "clip",
    "command_of_run",
    "counted",
    "fail_with",
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
