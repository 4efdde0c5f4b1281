"""`inloop opt2i --watch`: a prompt a line from the standard input, each a run of its own, until the input ends."""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from ...runtime.errors import BadInput, CallFailed
from ..cli import fail_with

__all__ = ["watched"]


def watched(args: argparse.Namespace, run: Callable[[argparse.Namespace], int]) -> int:
    """Run the command for each line as it comes; 0, or the exit code of the first line that had another.

    A line that cannot be used, or whose search fails, is told and the next one read: with `--json` as a JSON line like any other. What is
    missing on the machine, and Ctrl-C, end it; the run under way is resumed by `inloop resume`.
    """
    if getattr(args, "prompts", ()) or args.file is not None:
        raise BadInput("--watch reads prompts from the standard input: give none beside it, and no --prompts.")
    if args.dry_run or getattr(args, "review", False):
        raise BadInput(
            f"--watch with --{'dry-run' if args.dry_run else 'review'}: the standard input has the prompts. Leave it out."
        )
    first = 0
    for line in _lines(sys.stdin):
        one = copy.copy(args)
        one.watch, one.prompts = False, [line]
        try:
            code = run(one)
        except (BadInput, CallFailed) as error:
            code = fail_with(error, as_json=args.json, prompt=line)
        sys.stdout.flush()  # whoever reads them gets each as it is done
        first = first or code
    return first


def _lines(stream: TextIO) -> Iterator[str]:
    """The lines that say something; `#` starts a comment, as in a file of prompts."""
    while line := stream.readline():  # iterating over the stream would wait for more than one line
        if (text := line.strip()) and not text.startswith("#"):
            yield text
