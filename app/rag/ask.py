"""`inloop ask`: an answer from an index, each sentence with citations that were checked; or "no answer", with the reason."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs import rag as room
from ..cli import LoopCommand, RunView, clip, printable, read_lines
from .ask_report import render
from .reasons import REASONS

if TYPE_CHECKING:
    from ...graphs.rag import RagConfig, RagResult
    from ...runtime.answers import CitedAnswer
    from ...runtime.run import Event

__all__ = ["AskView", "answer_data", "answer_lines", "ask"]

_FAILED, _BUDGET = 1, 4
_FAILURES = ("verifier_failed", "answerer_failed", "failed")
_STANCES = {"supports": "The sources support it.", "contradicts": "The sources contradict it."}


class AskView(RunView):
    """How far a run is: of one question its decisions, of many how many are answered."""

    def __init__(self, config: RagConfig) -> None:
        super().__init__("questions")
        self._single = len(config.questions) == 1

    def see(self, event: Event) -> list[str]:
        """Take one event in; the lines that are worth keeping."""
        if not isinstance(event, room.Decided):
            return super().see(event)
        if not self._single:
            return []
        why = f"  ({clip(printable(event.why), 90)})" if event.why else ""
        return [f"{event.step:9} {clip(printable(event.said), 80)}{why}"]


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
        return _BUDGET
    return _FAILED if all(reason in _FAILURES for reason in reasons) else 0


def _data(result: RagResult) -> Mapping[str, Any]:
    return {"answers": [answer_data(answer) for answer in result.answers]}


def answer_data(answer: CitedAnswer) -> dict[str, Any]:
    """An answer as `--json` has it."""
    return {**answer.model_dump(mode="json"), "answered": answer.answered, "text": answer.text}


def _words(result: RagResult, bold: bool) -> list[str]:
    return [line for answer in result.answers for line in answer_lines(answer, headed=len(result.answers) > 1)]


def answer_lines(answer: CitedAnswer, *, headed: bool = False) -> list[str]:
    """An answer as lines for a terminal, with its citations; `headed` by its question."""
    lines = ["", f"  {printable(answer.question)}", ""] if headed else [""]
    if answer.abstained is not None:
        lines += [f"  No answer: {REASONS[answer.abstained.reason]}.", *_wrapped(answer.abstained.explanation, "  ")]
        citations = answer.abstained.citations
        if citations:
            lines += ["", "  What was found:"]
    else:
        if answer.kind == "claim":
            lines += [f"  {_STANCES.get(answer.stance or '', 'What the sources say of it:')}", ""]
        for sentence in answer.sentences:
            marks = "".join(f" [{citation.number}]" for citation in sentence.citations)
            checked = "" if sentence.verdict == "supported" else "  (not checked)"
            lines += _wrapped(sentence.text + marks + checked, "  ")
        citations = answer.citations
    lines += [""]
    for citation in citations:
        place = citation.source or citation.document
        place += f", page {citation.page}" if citation.page is not None else ""
        lines += [f"  [{citation.number}] {printable(place)}, characters {citation.start}-{citation.end}"]
        lines += _wrapped(f"“{clip(citation.quote, 400)}”", "      ")
        if citation.decided:
            lines += _wrapped(f"{citation.stance or 'not told'}: {citation.decided}", "      ")
    return [*lines, ""] if citations else lines


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(printable(text), width=100, initial_indent=indent, subsequent_indent=indent)


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
