"""`inloop ask`: an answer from an index, each sentence with citations that were checked; or "no answer", with the reason."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs import rag as room
from ..cli import BUDGET, FAILED, LoopCommand, read_lines
from .answer import answer_data, answer_lines
from .ask_report import render
from .ask_view import AskView

if TYPE_CHECKING:
    from ...graphs.rag import RagResult

__all__ = ["ask"]

_FAILURES = ("verifier_failed", "answerer_failed", "failed")


def _flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--questions", dest="file", metavar="FILE", help="a text file with one question a line; # starts a comment"
    )


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
    questions = list(getattr(args, "questions", ()))
    if args.file is not None:
        questions += read_lines(Path(args.file), "question")
    return {"questions": tuple(dict.fromkeys(questions))}


def _session(args: argparse.Namespace) -> int | None:
    """A session where no question is given and somebody is there to ask: a terminal, or lines that come through a pipe."""
    if getattr(args, "questions", ()) or args.file is not None:
        return None
    from .ask_session import hold_session

    return hold_session(*ask.configured(args), json_output=args.json)


def _exit_code(result: RagResult) -> int:
    """0 with an answer or with none; 4 where a budget ended it, 1 where nothing but failures came of it."""
    reasons = [answer.abstained.reason if answer.abstained else "" for answer in result.answers]
    if "budget" in reasons:
        return BUDGET
    return FAILED if all(reason in _FAILURES for reason in reasons) else 0


def _data(result: RagResult) -> Mapping[str, Any]:
    return {"answers": [answer_data(answer) for answer in result.answers]}


def _words(result: RagResult, bold: bool) -> list[str]:
    return [line for answer in result.answers for line in answer_lines(answer, headed=len(result.answers) > 1)]


ask = LoopCommand(
    config=room.RagConfig,
    loop=lambda: room.ask,
    about=__doc__,
    words=_words,
    data=_data,
    page=render,
    view=AskView,
    flags=_flags,
    fields=_fields,
    instead=_session,
    exit_code=_exit_code,
)
