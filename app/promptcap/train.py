"""`inloop promptcap train`: a captioner fine-tuned on caption rows, beside the same one trained on unasked captions."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...graphs import captioning as room
from ...graphs.captioning import CaptionTrainingConfig, CaptionTrainingResult
from ..cli import LoopCommand, RunView, percent, seconds
from ..report import run_page

__all__ = ["train"]

_ABOUT = """Fine-tune a captioner on rows with captions, and measure it beside the same one trained on unasked captions.

The two get the same pictures, as many rows and the same seed; what is measured is in how many held-out questions the answer
can be had from the caption, with a paired bootstrap interval. A training that was stopped goes on from its last checkpoint."""

_NAMES = {"start": "as it started", "question": "trained for questions", "generic": "trained on unasked captions"}


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
    return {name: str(Path(path).resolve()) for name in ("rows", "out", "test") if (path := getattr(args, name, ""))}


def _in_words(result: CaptionTrainingResult, bold: bool) -> list[str]:
    lines = []
    for task in result.tasks:
        one = task.trained
        took = "was there already" if one.seconds is None else seconds(one.seconds)
        lines.append(
            f"  {task.id:9} {one.rows} rows, {one.steps} steps, last loss {one.losses[-1]:.3f}, {took}: {one.folder}"
        )
    if result.test is not None:
        test = result.test
        lines += ["", f"  answers in captions, {test.rows} held-out questions, read by {test.reader}"]
        lines += [f"    {_NAMES[name]:28} {percent(recall)}" for name, recall in test.recall.items()]
        lines += [
            f"    gain over {_NAMES[name]:28} {percent(gain, signed=True)}" for name, gain in test.gain_over.items()
        ]
    lines += [f"  stopped: {result.stopped}"] if result.stopped else []
    return [*lines, f"  use it: --captioner {result.config['out']}"] if result.tasks else lines


def _data(result: CaptionTrainingResult) -> Mapping[str, Any]:
    trained = {task.id: task.trained.model_dump(mode="json") for task in result.tasks}
    return {"trained": trained} | ({"test": result.test.model_dump(mode="json")} if result.test else {})


train = LoopCommand(
    config=CaptionTrainingConfig,
    loop=lambda: room.caption_training,
    about=_ABOUT,
    words=_in_words,
    data=_data,
    page=run_page,
    view=lambda config: RunView("captioners"),
    fields=_fields,
    exit_code=lambda result: int(bool(result.failed)),
)
