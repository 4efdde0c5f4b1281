"""An answer as lines for a terminal, and as data."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from ..cli import clip, printable
from .reasons import REASONS

if TYPE_CHECKING:
    from ...runtime.answers import CitedAnswer

__all__ = ["STANCES", "answer_data", "answer_lines"]

STANCES = {"supports": "The sources support it.", "contradicts": "The sources contradict it."}
_LONGEST = 1500  # characters of a quotation on a terminal
_KEEPS_LINES = re.compile(r"\n[ \t]*\n|\n[ \t]{2,}\S|\n\s*(?:[-*•]|\d+[.)]|[$#>]|\|)\s|\n.*\S \| \S|\n```")


def answer_data(answer: CitedAnswer) -> dict[str, Any]:
    """An answer as `--json` has it."""
    return {**answer.model_dump(mode="json"), "answered": answer.answered, "text": answer.text}


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
            lines += [f"  {STANCES.get(answer.stance or '', 'What the sources say of it:')}", ""]
        for sentence in answer.sentences:
            marks = "".join(f" [{citation.number}]" for citation in sentence.citations)
            checked = "" if sentence.verdict == "supported" else "  (not checked)"
            lines += _quoted(sentence.text + marks + checked, "  ")
        citations = answer.citations
    lines += [""]
    for citation in citations:
        place = citation.source or citation.document
        place += f", page {citation.page}" if citation.page is not None else ""
        lines += [f"  [{citation.number}] {printable(place)}, characters {citation.start}-{citation.end}"]
        if citation.also:
            lines += _wrapped(f"also in {', '.join(citation.also)}", "      ")
        lines += _quoted(f"“{clip(citation.quote, _LONGEST)}”", "      ")
        if citation.decided:
            lines += _wrapped(f"{citation.stance or 'not told'}: {citation.decided}", "      ")
    return [*lines, ""] if citations else lines


def _quoted(text: str, indent: str) -> list[str]:
    """Words of a source: running text is wrapped, a command, a list or a table keeps its lines."""
    if not _KEEPS_LINES.search(text):
        return _wrapped(text, indent)
    return [(indent + printable(line.expandtabs(4))).rstrip() for line in text.split("\n")]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(printable(text), width=100, initial_indent=indent, subsequent_indent=indent)
