"""`inloop vqa-eval`: answers to a VQA data set, scored under every rule, beside baselines on the same questions, and why they fail.

Runs the ladder: blind, with a caption, with examples, with knowledge, with votes, with an oracle's caption, and a model that sees
the picture itself. With --oracle every wrong answer gets a cause: the caption or the knowledge lacked it, reasoning, or form alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.records import flags_checked
from ...runtime.run import Event, RunFolder, TaskDone, carry, discarded_if_refused
from ...runtime.settings import Settings
from ...runtime.store import write_whole
from ..cli import amount, closing_line, kept, printable, seconds
from .arguments import add_how, add_roles, given_roles, given_way

if TYPE_CHECKING:
    from ...graphs.vqa_eval import VQAEvalConfig, VQAEvalResult
    from ...runtime.store import BlobStore
from ..cli import percent

__all__ = ["add_arguments", "in_words", "vqa_eval", "again", "report_page"]

_BUDGET = 4
_FILES = ("questions", "annotations", "images", "captions", "oracle", "candidates")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop vqa-eval`."""
    command.add_argument("data", choices=("okvqa", "aokvqa", "vqav2"), metavar="DATA", help="okvqa, aokvqa or vqav2")
    command.add_argument(
        "--questions",
        metavar="FILE",
        required=True,
        help="official questions, or a list with answers; a file, its zip, or a URL",
    )
    command.add_argument(
        "--annotations", metavar="FILE", help="official annotations, where the questions have no answers"
    )
    command.add_argument(
        "--images", metavar="DIR", help="the pictures; without them captions are needed (text-only mode)"
    )
    command.add_argument("--captions", metavar="FILE", help="captions by question or by picture")
    command.add_argument(
        "--oracle", metavar="FILE", help="by question, a caption that lacks nothing, and the passage to know"
    )
    command.add_argument(
        "--candidates", metavar="FILE", help="answers with confidences by question, for --preset prophet"
    )
    command.add_argument("--multiple-choice", action="store_true", help="choose among the choices of A-OKVQA")
    command.add_argument("--limit", type=int, metavar="N", help="N questions, drawn with --seed")
    command.add_argument(
        "--baselines",
        metavar="NAMES",
        default="all",
        help="all (default), none, or names, comma separated; a wrong one lists all",
    )
    command.add_argument("--no-causes", action="store_true", help="do not ask again with the oracle to explain errors")
    command.add_argument(
        "--tags",
        metavar="WHO",
        help="things in the pictures, told beside the caption: none, given (in the files), or a detector that names"
        " them (ssd, a folder, a hub id); default: as the preset, given or none",
    )
    command.add_argument(
        "--ocr",
        choices=("none", "given", "rapidocr"),
        help="what is written in the pictures, told beside the caption: none (default), given (in the files), or rapidocr",
    )
    add_roles(command)
    add_how(command)


def vqa_eval(args: argparse.Namespace) -> int:
    """The command `inloop vqa-eval`."""
    Budget.parse(args.budget)
    settings = Settings.load(llm=args.llm, vqa=args.vqa, clip=args.clip, device=args.device, runs_dir=args.out)

    from ...graphs.promptcap import Method
    from ...graphs.vqa_eval import VQAEvalConfig, read_data
    from ...tools.data import fetched

    files = {name: getattr(args, name) for name in _FILES if getattr(args, name) is not None}
    with flags_checked():
        # a run may be resumed from another folder
        given = given_roles(args, settings)
        given |= {name: str(fetched(path, settings.cache_dir).resolve()) for name, path in files.items() if path}
        way = given_way(args, pictures=bool(args.images))
        tools = {"tagger": _tool(args.tags), "ocr": _tool(args.ocr)}
        way |= {
            "tags": way["tags"] if args.tags is None else args.tags != "none",
            "ocr": args.ocr not in (None, "none"),
        }
        config = VQAEvalConfig(
            data=args.data, multiple_choice=args.multiple_choice, limit=args.limit, baselines=args.baselines,
            causes=not args.no_causes, way=Method(**way), **tools, **given,
        )  # fmt: skip
    asked, _ = read_data(config)  # what is wrong with the files is said before a run is made
    for flag, what, there in (("tags", "tags", any(i.tags for i in asked)), ("ocr", "ocr", any(i.ocr for i in asked))):
        if getattr(args, flag) == "given" and not there:
            raise BadInput(
                f"--{flag} given: none of the {len(asked)} questions has {what!r} in the files: put them there by question or"
                " by picture, or name a tool."
            )
    with discarded_if_refused(RunFolder.create(settings.runs_dir, "vqa_eval", config)) as folder:
        return _go(config, settings, folder, resume=False, json_output=args.json)


def _tool(who: str | None) -> str:
    """The tool that a flag names; empty for none and for what the files give."""
    return "" if who in (None, "none", "given") else str(who)


def again(folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
    """Go on with a run of this command: the same again, and what was paid for is not paid again."""
    from ...graphs.vqa_eval import VQAEvalConfig

    config = folder.config_as(VQAEvalConfig)
    return _go(config, settings, folder, resume=True, json_output=json_output)


def report_page(folder: RunFolder, blobs: BlobStore, *, limit: int) -> str:
    """The HTML report of a finished run; it holds no pictures."""
    from .report import read_eval, render_eval

    return render_eval(read_eval(folder))


def _go(config: VQAEvalConfig, settings: Settings, folder: RunFolder, *, resume: bool, json_output: bool) -> int:
    from ...graphs.vqa_eval import vqa_eval as loop
    from .report import render_eval

    show = _Progress(quiet=json_output)
    with kept(folder, begun=lambda: bool(show.answered), quiet=json_output), closing_line(show):
        report = asyncio.run(carry(loop, config, folder=folder, settings=settings, on_event=show, resumed=resume))
        write_whole(folder.report_path, render_eval(report).encode("utf-8"))
    if json_output:
        told = report.model_dump(mode="json")
        print(json.dumps({**told, "folder": str(folder.path), "report": str(folder.report_path)}, ensure_ascii=False))
    else:
        print(in_words(report, folder))
    return _BUDGET if report.stopped else 0


def in_words(report: VQAEvalResult, folder: RunFolder) -> str:
    """The report for a terminal."""
    lines = [f"{amount(report.questions)} questions, {report.headline}, percent with 95 % intervals over questions"]
    for each in report.ways:
        headline = each.rules[report.headline]
        unscored = f"  {headline.unscored} not scored" if headline.unscored else ""
        lines.append(f"  {each.way.name:22} {percent(headline)}{unscored}")
    lines += ["", "every rule"]
    others = [name for name in report.ways[0].rules if name != report.headline]
    for name in others:
        values = ", ".join(
            f"{each.way.name} " + ("-" if (v := each.rules[name].value) is None else f"{100 * v:.1f}")
            for each in report.ways
        )
        lines.append(f"  {name:34} {values}")
    lines += ["", "in pairs, on the same questions"]
    for pair in report.pairs:
        made = pair.comparison
        p = "" if made.p is None else f", p = {made.p:.3f}"
        lines.append(
            f"  {pair.before} -> {pair.after}: {percent(made.gain, signed=True)}, {made.better} better, {made.worse} worse{p}"
        )
    if report.causes:
        told = ", ".join(f"{cause} {count}" for cause, count in report.causes.items())
        lines += ["", f"why (ours): {told}"]
    lines += [f"  {report.unexplained}"] if report.unexplained else []
    lines += [f"  stopped: {report.stopped}"] if report.stopped else []
    lines += [f"  note: {printable(note)}" for note in report.notes]
    paid = ", ".join(f"{c.get('paid', 0)} {kind}" for kind, c in report.calls.items())
    lines += [f"  calls    {paid or 'none'}, {seconds(report.seconds)}", f"  report   {folder.report_path}"]
    return "\n".join(lines)


class _Progress:
    """How many questions of the way under way are answered: a line that moves on a terminal, one every 10 s elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet, self.answered = quiet, 0
        self._live, self._way, self._here, self._of, self._told = sys.stderr.isatty(), "", 0, 0, 0.0

    def __call__(self, event: Event) -> None:
        from ...graphs.promptcap import MethodStarted

        if isinstance(event, MethodStarted):
            if self._here < self._of:
                self._say(last=True)
            self._way, self._here, self._of = event.way, 0, event.questions
        elif isinstance(event, TaskDone):
            self.answered += 1
            self._here += 1
            self._say(last=self._here == self._of)

    def done(self) -> None:
        """End the line that moves."""
        if self._live and not self.quiet and self._way:
            print(file=sys.stderr)
            self._way = ""

    def _say(self, *, last: bool) -> None:
        if self.quiet or not self._way or not self._here:
            return
        now = time.monotonic()
        if not last and now - self._told < (0.2 if self._live else 10):
            return
        self._told = now
        text = f"  {self._way}: {self._here} of {self._of} questions"
        print(f"\r{text:60}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)
