"""`inloop promptcap synthesize`: caption rows for questions, as files with a card."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...graphs import captioning as room
from ...graphs.captioning import CaptionSynthesisConfig, CaptionSynthesisResult, figures, named
from ..cli import LoopCommand, RunView
from ..report import run_page

__all__ = ["synthesize"]

_ABOUT = """Have a language model write a caption for each question, and keep those that help.

  DIR/train.jsonl      id, image, question, answers, captions, caption, and the scores it was chosen by
  DIR/refused.jsonl    rows without a caption and why; every caption that was written, and its scores
  DIR/train.parquet    the same as train.jsonl
  DIR/README.md        the card

What was paid for is in the call ledger: the same command with another threshold pays for nothing twice."""


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
    return {name: str(Path(getattr(args, name)).resolve()) for name in ("rows", "out")}


def _in_words(result: CaptionSynthesisResult, bold: bool) -> list[str]:
    counts = figures(result.tasks)
    lines = [
        f"  {counts['accepted']} of {counts['rows']} rows have a caption; {counts['refused']} refused, {counts['failed']} failed"
    ]
    for task in result.accepted[:3]:
        lines += [f"    {task.row.question}", f"      {task.caption}"]
    if result.stopped:
        lines.append(f"  stopped: {result.stopped}; {result.left} rows are left. The same command with more goes on.")
    return [*lines, f"  files    {', '.join(result.files)}"]


def _data(result: CaptionSynthesisResult) -> Mapping[str, Any]:
    return {
        **figures(result.tasks), "left": result.left, "stopped": result.stopped or "", "files": list(result.files),
        "models": named(result.models),
    }  # fmt: skip


synthesize = LoopCommand(
    config=CaptionSynthesisConfig,
    loop=lambda: room.caption_synthesis,
    about=_ABOUT,
    words=_in_words,
    data=_data,
    page=run_page,
    view=lambda config: RunView("rows"),
    fields=_fields,
    settings=(),
    exit_code=lambda result: int(not result.accepted),
)
