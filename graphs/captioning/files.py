"""Caption rows as files with a card.

```
OUT/train.jsonl      id, image, question, answers, captions, caption, and the scores it was chosen by
OUT/refused.jsonl    rows without a caption and why; every caption that was written, what was read from it, and its scores
OUT/train.parquet    the same as train.jsonl, where pyarrow is installed
OUT/README.md        the card
```
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...prompts import load
from ...runtime.errors import BadInput
from ...runtime.storage import write_whole
from ...tools.data import json_lines, parquet, size_category
from .config import CaptionSynthesisConfig
from .result import CaptionedRow, figures

__all__ = ["check_out", "named", "write_files"]

_KINDS = {"answers": "texts", "captions": "texts", "soft": "float64", "hard": "float64", "cider": "float64"}
_FILES = ("train.jsonl", "refused.jsonl", "train.parquet")
_TITLE = "# Captions for questions, made by inloop promptcap synthesize"
_PROMPTS = ("captions/promptcap_synthesis", "captions/promptcap_read", "captions/promptcap_leak")


def check_out(config: CaptionSynthesisConfig) -> None:
    """Raise `BadInput` where the files would be written over something that is not of this loop."""
    out = Path(config.out)
    if out.is_file():
        raise BadInput(f"--out {config.out!r} is a file: give a folder.")
    if Path(config.rows).resolve() in [out.resolve() / name for name in _FILES]:
        raise BadInput(f"--out {config.out!r} would write over the rows {config.rows!r}: give another folder.")
    card = out / "README.md"
    if card.is_file() and _TITLE not in card.read_text(encoding="utf-8", errors="replace"):
        raise BadInput(f"{str(card)!r} is not of this command, and would be written over: give another --out.")


def named(models: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """By role, a model and its revision in words."""
    return {role: f"{model['id']} ({model['revision'][:40]})" for role, model in models.items()}


def write_files(
    tasks: Sequence[CaptionedRow],
    config: CaptionSynthesisConfig,
    models: Mapping[str, Mapping[str, str]],
    *,
    left: int,
    stopped: str | None,
) -> list[Path]:
    """Write the files of `config.out`, each whole or not at all; their paths."""
    out = Path(config.out)
    rows = [_record(task, out) for task in tasks if task.outcome == "accepted"]
    refused = [
        {
            **task.model_dump(mode="json", exclude={"row"}),
            "question": task.row.question,
            "answers": list(task.row.answers),
        }
        for task in tasks
        if task.outcome != "accepted"
    ]
    unfinished = f" Stopped before {left} more rows: {stopped}." if stopped else ""
    contents = {"train.jsonl": json_lines(rows), "refused.jsonl": json_lines(refused)}
    contents["README.md"] = _card(tasks, config, named(models), unfinished).encode("utf-8")
    table = parquet(rows, _KINDS)
    if table is not None:
        contents["train.parquet"] = table
    else:
        (out / "train.parquet").unlink(missing_ok=True)  # of an earlier run with pyarrow, and other rows
    for name, content in contents.items():
        write_whole(out / name, content)
    return [out / name for name in contents]


def _record(task: CaptionedRow, out: Path) -> dict[str, Any]:
    image = task.row.image
    if image is not None:
        with contextlib.suppress(ValueError):  # another drive
            image = os.path.relpath(image, out.resolve())
    return {
        "id": task.id, "image": image, "question": task.row.question, "answers": list(task.row.answers),
        "captions": list(task.row.captions), "caption": task.caption, "soft": task.soft, "hard": task.hard, "cider": task.cider,
    }  # fmt: skip


def _card(
    tasks: Sequence[CaptionedRow], config: CaptionSynthesisConfig, models: Mapping[str, str], unfinished: str
) -> str:
    counts = figures(tasks)
    reasons = Counter(task.reason for task in tasks if task.outcome != "accepted")
    prompts = ", ".join(f"{name} {load(name).sha256[:12]}" for name in _PROMPTS)
    threshold = f", soft accuracy of at least {config.least:g}" if config.filter == "soft" else ""
    mean = counts["mean_soft_accuracy"]
    return "\n".join(
        [
            "---",
            "configs:",
            "- config_name: default",
            "  data_files: train.jsonl",
            "task_categories:",
            "- image-to-text",
            "tags:",
            "- synthetic",
            "- promptcap",
            "size_categories:",
            f"- {size_category(counts['accepted'])}",
            "---",
            _TITLE,
            "",
            f"{counts['accepted']} of {counts['rows']} rows have a caption; {counts['captions']} captions were written.{unfinished}",
            f"Filter: {config.filter}{threshold}" + (f"; mean soft accuracy {mean}" if mean is not None else "") + ".",
            *(f"{role.capitalize()}: {model}." for role, model in models.items()),
            f"Samples a row: {config.samples}. Seed: {config.seed}. Prompts (sha256): {prompts}.",
            "",
            "The answer was shown to the writer: these rows are for training a captioner, never for measuring one on the same questions.",
            "The licence of the pictures and the terms of the writer's model hold for these rows; neither is known here.",
            "",
            "## Why rows have no caption",
            "",
            *([f"- {count}: {reason}" for reason, count in reasons.most_common(12)] or ["- all have one"]),
            "",
        ]
    )
