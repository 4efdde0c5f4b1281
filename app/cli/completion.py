"""Tab completion: argcomplete asks the same parsers that read the command line, so that every flag of every loop is known.

`inloop completion bash` (or zsh, fish) prints what a shell's start-up file evaluates.
"""

from __future__ import annotations

import argparse
import os

from .commands import parser

__all__ = ["add_completion_arguments", "complete", "completion"]


def add_completion_arguments(command: argparse.ArgumentParser) -> None:
    """Print what makes a shell complete inloop's commands and flags: eval "$(inloop completion bash)"."""
    command.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that is to complete")


def completion(args: argparse.Namespace) -> int:
    """The command `inloop completion`."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["inloop"], shell=args.shell))
    return 0


def complete() -> None:
    """Answer the shell that asks for completions, and end the process; the command that stands there describes its flags."""
    import argcomplete

    words = os.environ.get("COMP_LINE", "").split()[1:]
    argcomplete.autocomplete(parser(next((word for word in words if not word.startswith("-")), None)))
