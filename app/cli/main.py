"""The command `inloop`: reads the arguments, calls the command, turns errors into exit codes.

Exit codes:

    0    done
    1    failed: a model call or the run itself gave nothing usable
    2    bad input: a flag, a prompt or a file that cannot be used
    3    prerequisite: something about the machine or the set-up is missing; the message says what to do
    4    a budget stopped the run before its own end; there is a result and a report
    130  interrupted; the run can be resumed

With `--json` the standard output is one JSON object, for errors too; progress and messages go to the standard error.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ...runtime.errors import InloopError, Interrupted
from ...runtime.own_code import users_line
from ...runtime.threads import wait_idly
from .commands import commands, parser
from .failures import BAD_INPUT, BUDGET, FAILED, INTERRUPTED, OK, PREREQUISITE, fail, fail_with
from .interrupts import at_once
from .streams import dropped, flushed, opened

__all__ = ["BAD_INPUT", "BUDGET", "FAILED", "INTERRUPTED", "OK", "PREREQUISITE", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises for what a user can cause."""
    if "_ARGCOMPLETE" in os.environ and argv is None:
        from .completion import complete

        complete()
    given = sys.argv[1:] if argv is None else list(argv)
    opened()
    wait_idly()
    if argv is None:
        at_once()
    args = argparse.Namespace(json="--json" in given, command=None)  # until the arguments are read
    try:
        code = _run(given, args)
        flushed()
        return code
    except KeyboardInterrupt:
        again = "run the same command again" if args.command in ("index", "eval-rag") else "`inloop resume`"
        return fail("interrupted", f"interrupted; {again} goes on with what is left.", INTERRUPTED, as_json=args.json)
    except Interrupted as error:
        return fail("interrupted", str(error), INTERRUPTED, remedy=error.remedy, as_json=args.json)
    except InloopError as error:
        return fail_with(error, as_json=args.json)
    except BrokenPipeError:
        # the reader of a pipe (`inloop runs | head`) has left: nothing to say to anyone
        dropped()
        return OK
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return fail(
                "bad input", f"{_clipped(error.filename)} is no path: {error.strerror}.", BAD_INPUT, as_json=args.json
            )
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT):
            dropped()
            return fail(
                "prerequisite",
                "the standard output cannot be written: the disk is full.",
                PREREQUISITE,
                as_json=args.json,
            )
        return _unexpected(args, error)
    except Exception as error:
        return _unexpected(args, error)


def entry() -> NoReturn:
    """For `python -m inloop.app.cli.main`."""
    sys.exit(main())


def _run(given: list[str], args: argparse.Namespace) -> int:
    """Read the arguments into `args`, and run their command."""
    called = next((word for word in given if not word.startswith("-")), None)
    parser(called).parse_args(given, args)
    if args.version:
        from importlib.metadata import version

        print(f"inloop {version('inloop')}")
        return OK
    if args.command is None:
        parser().print_help()
        return BAD_INPUT
    return commands()[args.command].run(args)


def _clipped(name: object) -> str:
    text = str(name)
    return repr(text if len(text) <= 80 else f"{text[:60]}...{text[-15:]}")


def _unexpected(args: argparse.Namespace, error: Exception) -> int:
    """Whose fault it is: that of the user's own code, with its line, or inloop's."""
    if os.environ.get("INLOOP_LOG_LEVEL", "").lower() == "debug":
        raise error
    text = f"{type(error).__name__}: {error}"
    if line := users_line(error):
        return fail("failed", f"your own code failed: {line}: {text}", FAILED, as_json=args.json)
    return fail(
        "failed",
        f"unexpected {text}\n  A fault in inloop; INLOOP_LOG_LEVEL=debug shows where.",
        FAILED,
        as_json=args.json,
    )


if __name__ == "__main__":
    entry()
