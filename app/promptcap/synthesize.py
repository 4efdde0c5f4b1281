"""`inloop promptcap synthesize`: caption rows for questions, as files with a card.

    DIR/train.jsonl      id, image, question, answers, captions, caption, and the scores it was chosen by
    DIR/refused.jsonl    rows without a caption and why; every caption that was written, what was read from it, and its scores
    DIR/train.parquet    the same as train.jsonl
    DIR/README.md        the card

The same command again goes on where it was: calls that were paid for are in the ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...prompts import load
from ...runtime.budget import Budget
from ...runtime.errors import BadInput, Interrupted
from ...runtime.roles import close
from ...runtime.settings import Settings
from ...runtime.store import write_whole
from ...tools.data import CaptionRow, json_lines, parquet, read_caption_rows, size_category
from ..cli import seconds

if TYPE_CHECKING:
    from ...graphs.promptcap import Judged, Synthesis

__all__ = ["synthesize_rows"]

_OK, _FAILED, _BUDGET = 0, 1, 4
_KINDS = {"answers": "texts", "captions": "texts", "soft": "float64", "hard": "float64", "cider": "float64"}
_FILES = ("train.jsonl", "refused.jsonl", "train.parquet")
_TITLE = "# Captions for questions, made by inloop promptcap synthesize"
_PROMPTS = ("promptcap_synthesis", "promptcap_read", "promptcap_leak")


def synthesize_rows(args: argparse.Namespace) -> int:
    """The command; 0 done, 1 where no row got a caption, 4 stopped by the budget, 130 interrupted."""
    Budget.parse(args.budget)
    if args.samples < 1 or (args.limit is not None and args.limit < 1):
        raise BadInput(f"--samples {args.samples} --limit {args.limit}: give numbers above 0.")
    rows = read_caption_rows(Path(args.rows), needs=("question", "answers", "captions"))[: args.limit]
    for row in rows:
        if row.image is not None and not Path(row.image).is_file():
            raise BadInput(f"{args.rows!r}, row {row.id!r}: the picture {row.image!r} is not there.")
    settings = Settings.load(llm=args.llm)
    out = Path(args.out)
    if out.is_file():
        raise BadInput(f"--out {args.out!r} is a file: give a folder.")
    if Path(args.rows).resolve() in [out.resolve() / name for name in _FILES]:
        raise BadInput(f"--out {args.out!r} would write over the rows {args.rows!r}: give another folder.")
    card = out / "README.md"
    if card.is_file() and _TITLE not in card.read_text(encoding="utf-8", errors="replace"):
        raise BadInput(f"{str(card)!r} is not of this command, and would be written over: give another --out.")
    started = time.monotonic()
    show = _Progress(quiet=args.json)
    try:
        done, cost, calls, models = asyncio.run(_run(args, rows, settings, out, show))
    except (KeyboardInterrupt, asyncio.CancelledError):
        show.end()
        raise Interrupted("interrupted: what is done is kept; the same command goes on with it.") from None
    show.end()
    written = _write(done, args, models, out)
    summary = {
        **_figures(done), "left": done.left, "stopped": done.stopped, "files": [str(path) for path in written],
        "seconds": round(time.monotonic() - started, 1), "cost": cost, "calls": calls, "models": models,
    }  # fmt: skip
    if args.json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        _say(done, summary)
    if done.stopped:
        return _BUDGET
    return _OK if done.accepted else _FAILED


async def _run(args: argparse.Namespace, rows: list[CaptionRow], settings: Settings, out: Path, show: _Progress) -> Any:
    from ...agents.captions import CaptionJudge, CaptionReader, CaptionWriter
    from ...graphs.promptcap import synthesize
    from ...runtime.llm import open_chat
    from ...runtime.run import charged_budget
    from ...runtime.store import Store

    run = "promptcap-" + hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:12]
    with Store.open(settings, run_id=run) as store:
        ledger = store.ledger
        budget = charged_budget(args.budget, store)
        specs = {"writer": settings.llm, "reader": args.reader or settings.llm, "judge": args.judge or settings.llm}
        if args.filter == "none":
            specs = {"writer": settings.llm}
        elif args.judge == "none":
            del specs["judge"]
        chats = {spec: open_chat(spec, store, settings) for spec in dict.fromkeys(specs.values())}
        try:
            shots = {} if args.shots is None else {"shots": args.shots}
            done = await synthesize(
                rows,
                writer=CaptionWriter(chats[specs["writer"]], **shots),
                reader=CaptionReader(chats[specs["reader"]]) if "reader" in specs else None,
                judge=CaptionJudge(chats[specs["judge"]]) if "judge" in specs else None,
                n=args.samples,
                filter=args.filter,
                least=args.least,
                seed=args.seed,
                budget=budget,
                tell=show,
            )
        finally:
            for chat in chats.values():
                await close(chat)
        models = {role: f"{chats[spec].model} ({chats[spec].revision[:40]})" for role, spec in specs.items()}
        return done, ledger.spent().model_dump(), ledger.counts(), models


def _figures(done: Synthesis) -> dict[str, Any]:
    outcomes = Counter(entry.outcome for entry in done.judged)
    soft = [entry.soft for entry in done.accepted if entry.soft is not None]
    return {
        "rows": len(done.judged),
        **{name: outcomes.get(name, 0) for name in ("accepted", "refused", "failed")},
        "captions": sum(len(entry.proposals) for entry in done.judged),
        "mean_soft_accuracy": round(sum(soft) / len(soft), 4) if soft else None,
    }


def _write(done: Synthesis, args: argparse.Namespace, models: dict[str, str], out: Path) -> list[Path]:
    rows = [_record(entry, out) for entry in done.accepted]
    refused = [
        {**entry.model_dump(mode="json", exclude={"row"}), "id": entry.row.id, "question": entry.row.question, "answers": list(entry.row.answers)}
        for entry in done.judged
        if entry.outcome != "accepted"
    ]  # fmt: skip
    written = {"train.jsonl": json_lines(rows), "refused.jsonl": json_lines(refused)}
    written["README.md"] = _card(done, args, models, rows).encode("utf-8")
    table = parquet(rows, _KINDS)
    if table is not None:
        written["train.parquet"] = table
    else:
        (out / "train.parquet").unlink(missing_ok=True)  # of an earlier run with pyarrow, and other rows
    for name, content in written.items():
        write_whole(out / name, content)
    return [out / name for name in written]


def _record(entry: Judged, out: Path) -> dict[str, Any]:
    image = entry.row.image
    if image is not None:
        with contextlib.suppress(ValueError):  # another drive
            image = os.path.relpath(image, out.resolve())
    return {
        "id": entry.row.id, "image": image, "question": entry.row.question, "answers": list(entry.row.answers),
        "captions": list(entry.row.captions), "caption": entry.caption, "soft": entry.soft, "hard": entry.hard, "cider": entry.cider,
    }  # fmt: skip


def _card(done: Synthesis, args: argparse.Namespace, models: dict[str, str], rows: Sequence[dict[str, Any]]) -> str:
    figures = _figures(done)
    reasons = Counter(entry.reason for entry in done.judged if entry.outcome != "accepted")
    prompts = ", ".join(f"{name} {load(name).sha256[:12]}" for name in _PROMPTS)
    front = [
        "---",
        "configs:",
        "- config_name: default",
        "  data_files: train.jsonl",
        "task_categories:",
        "- image-to-text",
    ]
    front += ["tags:", "- synthetic", "- promptcap", "size_categories:", f"- {size_category(len(rows))}", "---"]
    stopped = f" Stopped before {done.left} more rows: {done.stopped}." if done.stopped else ""
    return "\n".join(
        [
            *front,
            _TITLE,
            "",
            f"{figures['accepted']} of {figures['rows']} rows have a caption; {figures['captions']} captions were written.{stopped}",
            f"Filter: {args.filter}" + (f", soft accuracy of at least {args.least:g}" if args.filter == "soft" else "")
            + (f"; mean soft accuracy {figures['mean_soft_accuracy']}" if figures["mean_soft_accuracy"] is not None else "") + ".",
            *(f"{role.capitalize()}: {model}." for role, model in models.items()),
            f"Samples a row: {args.samples}. Seed: {args.seed}. Prompts (sha256): {prompts}.",
            "",
            "The answer was shown to the writer: these rows are for training a captioner, never for measuring one on the same questions.",
            "The licence of the pictures and the terms of the writer's model hold for these rows; neither is known here.",
            "",
            "## Why rows have no caption",
            "",
            *([f"- {count}: {reason}" for reason, count in reasons.most_common(12)] or ["- all have one"]),
            "",
        ]
    )  # fmt: skip


def _say(done: Synthesis, summary: dict[str, Any]) -> None:
    print(
        f"  {summary['accepted']} of {summary['rows']} rows have a caption; {summary['refused']} refused, {summary['failed']} failed"
    )
    for entry in done.accepted[:3]:
        print(f"    {entry.row.question}\n      {entry.caption}")
    if done.stopped:
        print(f"  stopped: {done.stopped}; {done.left} rows are left. The same command with more goes on.")
    paid = ", ".join(f"{numbers['paid']} {kind}" for kind, numbers in summary["calls"].items())
    reused = sum(numbers["reused"] for numbers in summary["calls"].values())
    print(
        f"  calls    {paid or 'none'} ({reused} reused), {seconds(summary['seconds'])}\n  files    {', '.join(summary['files'])}"
    )


class _Progress:
    """A line that moves on a terminal, one line a tenth elsewhere, nothing with `--json`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._live, self._accepted = quiet, sys.stderr.isatty(), 0

    def __call__(self, done: int, total: int, entry: Judged) -> None:
        self._accepted += entry.outcome == "accepted"
        if self._quiet:
            return
        text = f"  {done} of {total} rows, {self._accepted} with a caption"
        if self._live:
            print(f"\r{text:60}", end="", file=sys.stderr, flush=True)
        elif done == total or done % max(1, total // 10) == 0:
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._live and not self._quiet:
            print(file=sys.stderr)
