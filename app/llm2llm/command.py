"""`inloop llm2llm`: how a run is told, and the files that it leaves."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs import llm2llm as room
from ...runtime.folder import RunFolder
from ...runtime.settings import Settings
from ..cli import LoopCommand
from .export import export
from .format import RowsView, as_json, in_words, refusal
from .report import render

if TYPE_CHECKING:
    from ...graphs.llm2llm import Llm2LlmConfig, Llm2LlmResult, Plan
    from ...runtime.store import BlobStore

__all__ = ["llm2llm"]

_ABOUT = """Fine-tune a small model on a few labelled rows, have a teacher write more where it errs, and see what that was worth.

A few dozen labelled rows in; out come the fine-tuned student, the augmented data set in which every row knows where it comes from,
and a table of what the teacher's rows were worth against fine-tuning on the seeds alone, repeating them, noise, and rows for
seeds drawn blindly, at equal size, with standard errors. A run that is stopped goes on with `inloop resume` and pays nothing twice."""


def _flags(command: argparse.ArgumentParser) -> None:
    task = command.add_argument_group("options of the task")
    task.add_argument("--labels", metavar="A,B", help="all labels, where some may be missing from ROWS")
    task.add_argument("--match", choices=("exact", "normalised", "number"), help="how short answers are compared")
    task.add_argument("--marker", metavar="TEXT", help="what stands before a short answer, as #### in GSM8K")


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
    options = {"match": args.match, "marker": args.marker, "labels": args.labels and args.labels.split(",")}
    return {"task_options": {name: value for name, value in options.items() if value is not None}}


def _dry_run(config: Llm2LlmConfig, settings: Settings) -> Plan:
    return asyncio.run(room.estimate(config, settings))


def _export(result: Llm2LlmResult, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Path]:
    export(result, blobs, folder.path / "data")
    return {"data": folder.path / "data", "student": folder.path / "student"}


llm2llm = LoopCommand(
    config=room.Llm2LlmConfig,
    loop=lambda: room.llm2llm,
    about=_ABOUT,
    words=in_words,
    data=as_json,
    page=lambda result, blobs, limit: render(result, blobs),
    view=lambda config: RowsView(repeat=config.repeat),
    flags=_flags,
    fields=_fields,
    export=_export,
    dry_run=_dry_run,
    exit_code=lambda result: 1 if refusal(result) else 0,
)
