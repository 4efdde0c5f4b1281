"""How a command ends: exit codes, and how a failure is told, to people or as JSON."""

from __future__ import annotations

import sys

from ...runtime.errors import BadInput, InloopError, PrerequisiteError
from .streams import json_text, printable

__all__ = ["BAD_INPUT", "BUDGET", "FAILED", "INTERRUPTED", "OK", "PREREQUISITE", "fail", "fail_with"]

OK, FAILED, BAD_INPUT, PREREQUISITE, BUDGET, INTERRUPTED = 0, 1, 2, 3, 4, 130


def fail_with(error: InloopError, *, as_json: bool, **about: str) -> int:
    """Tell of an error of ours, and what it is about where a command goes on after it (`prompt="a cat"`); its exit code."""
    if isinstance(error, PrerequisiteError):
        text = error.problem if as_json else str(error)  # the object has a place of its own for the remedy
        return fail("prerequisite", text, PREREQUISITE, remedy=error.remedy, as_json=as_json, **about)
    if isinstance(error, BadInput):
        return fail("bad input", str(error), BAD_INPUT, as_json=as_json, **about)
    return fail("failed", str(error), FAILED, as_json=as_json, **about)


def fail(kind: str, text: str, code: int, *, as_json: bool, remedy: str | None = None, **about: str) -> int:
    """Tell of a failure on the standard error, with `--json` as an object on the standard output; `code`."""
    if as_json:
        print(
            json_text({**about, "error": {"kind": kind, "message": text, "remedy": remedy}, "exit_code": code}),
            flush=True,
        )
    else:
        goes_on = f"\n  to go on:  {remedy}" if kind == "interrupted" and remedy else ""
        print(": ".join(["inloop", *map(printable, about.values()), text]) + goes_on, file=sys.stderr, flush=True)
    return code
