"""`inloop vqa-eval`: what is evaluated and what is told of the pictures, and how the figures are told."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...graphs import vqa_eval as room
from ...graphs.promptcap import Method, MethodStarted
from ...graphs.vqa_eval import VQAEvalConfig, VQAEvalResult
from ...runtime.errors import BadInput
from ...runtime.records import flags_checked
from ...runtime.session import Event
from ..cli import LoopCommand, RunView, amount, given_flags, percent
from .arguments import add_method, located, method_fields
from .report import render_eval

__all__ = ["vqa_eval"]

_ABOUT = """Answers to a VQA data set, scored under every rule, beside baselines on the same questions, and why they fail.

Runs the ladder: blind, with a caption, with examples, with knowledge, with votes, with an oracle's caption, and a model that
sees the picture itself. With --oracle every wrong answer gets a cause: the caption or the knowledge lacked it, reasoning, or
form alone."""


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tags",
        dest="tags_from",
        metavar="WHO",
        help="things in the pictures, told beside the caption: none, given (in the files), or a detector that names"
        " them (ssd, a folder, a hub id); default: as the preset, given or none",
    )
    parser.add_argument(
        "--ocr",
        dest="ocr_from",
        choices=("none", "given", "rapidocr"),
        help="what is written in the pictures, told beside the caption: none (default), given (in the files), or rapidocr",
    )
    add_method(parser)


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
    given = given_flags(args, VQAEvalConfig)
    files = located(given, VQAEvalConfig)
    fields = method_fields(args, pictures=bool(given.get("images")))
    fields |= {
        "tags": fields["tags"] if args.tags_from is None else args.tags_from != "none",
        "ocr": args.ocr_from not in (None, "none"),
    }
    with flags_checked():
        method = Method(**fields)
        config = VQAEvalConfig(**{**given, **files, "way": method})
    if config.predictions:
        files["predictions"] = str(Path(config.predictions).expanduser().resolve())
    tools = {"tagger": _tool(args.tags_from), "ocr": _tool(args.ocr_from)}
    if "given" in (args.tags_from, args.ocr_from):
        asked, _ = room.read_data(config)
        for flag, what, there in (
            ("tags", args.tags_from, any(item.tags for item in asked)),
            ("ocr", args.ocr_from, any(item.ocr for item in asked)),
        ):
            if what == "given" and not there:
                raise BadInput(
                    f"--{flag} given: none of the {len(asked)} questions has {flag!r} in the files: put them there by question or"
                    " by picture, or name a tool."
                )
    return {"way": method, **tools, **files}


def _tool(who: str | None) -> str:
    """The tool that a flag names; empty for none and for what the files give."""
    return "" if who in (None, "none", "given") else str(who)


def _in_words(result: VQAEvalResult, bold: bool) -> list[str]:
    lines = [f"{amount(result.questions)} questions, {result.headline}, percent with 95 % intervals over questions"]
    for each in result.ways:
        headline = each.rules[result.headline]
        unscored = f"  {headline.unscored} not scored" if headline.unscored else ""
        lines.append(f"  {each.way.name:22} {percent(headline)}{unscored}")
    lines += ["", "every rule"]
    for name in [name for name in result.ways[0].rules if name != result.headline]:
        values = ", ".join(
            f"{each.way.name} " + ("-" if (value := each.rules[name].value) is None else f"{100 * value:.1f}")
            for each in result.ways
        )
        lines.append(f"  {name:34} {values}")
    lines += ["", "in pairs, on the same questions"]
    for pair in result.pairs:
        compared = pair.comparison
        p = "" if compared.p is None else f", p = {compared.p:.3f}"
        gain = percent(compared.gain, signed=True)
        lines.append(f"  {pair.before} -> {pair.after}: {gain}, {compared.better} better, {compared.worse} worse{p}")
    if result.causes:
        lines += ["", "why (ours): " + ", ".join(f"{cause} {count}" for cause, count in result.causes.items())]
    lines += [f"  {result.unexplained}"] if result.unexplained else []
    lines += [f"  predictions  {result.predictions}"] if result.predictions else []
    return lines + ([f"  stopped: {result.stopped}"] if result.stopped else [])


class _View(RunView):
    """How many questions are answered, and by which method the last that began."""

    def see(self, event: Event) -> list[str]:
        if isinstance(event, MethodStarted):
            if self.done + self.failed >= self.expected:  # wrong answers are asked about again
                self.expected += event.questions
            self.latest = f"{event.way}: {event.questions} questions"
            return [self.latest]
        return super().see(event)


vqa_eval = LoopCommand(
    config=VQAEvalConfig,
    loop=lambda: room.vqa_eval,
    about=_ABOUT,
    words=_in_words,
    data=lambda result: result.model_dump(mode="json", exclude={"tasks", "failed"}),
    page=render_eval,
    view=lambda config: _View("questions"),
    flags=_flags,
    fields=_fields,
)
