"""`inloop vqa`: a question about a picture that needs knowledge; the answer, with what it was made of and whether it is borne out.

A captioner says what the picture shows with the question in mind, an index gives what has to be known, a language model answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.records import flags_checked
from ...runtime.run import Event, RunFolder, carry, discarded_if_refused
from ...runtime.settings import Settings
from ...runtime.store import BlobStore, write_whole
from ..cli import clip, kept, printable, seconds

if TYPE_CHECKING:
    from ...graphs.promptcap import VQAConfig, VQAResult, VQATask
from .arguments import add_how, add_roles, given_roles, given_way
from .reasons import REASONS

__all__ = ["add_arguments", "vqa", "again", "report_page"]

_FAILED, _BUDGET = 1, 4


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop vqa`."""
    command.add_argument("image", metavar="IMAGE", help="a picture file; - for none, with --caption")
    command.add_argument("question", nargs="+", metavar="QUESTION", help="what to answer; several are answered at once")
    command.add_argument("--choices", metavar="A,B,...", help="the answers to choose among, comma separated")
    command.add_argument("--caption", metavar="TEXT", help="what the picture shows, told instead of the captioner's")
    command.add_argument(
        "--tags",
        metavar="WHAT",
        help="things in the picture, told beside the caption: words, or a detector that names them (ssd, a hub id,"
        " ./FOLDER); text:WORDS for words in any case",
    )
    command.add_argument(
        "--ocr",
        metavar="WHAT",
        help="what is written in the picture, told beside the caption: words, or rapidocr, which reads it; text:WORDS",
    )
    add_roles(command)
    add_how(command)
    command.add_argument("--no-check", action="store_true", help="do not check whether the answer is borne out")
    command.add_argument("--strict", action="store_true", help="an answer that nothing bears out is no answer")
    command.add_argument("--follow-ups", type=int, metavar="N", help="most other questions to the picture (default: 1)")


def vqa(args: argparse.Namespace) -> int:
    """The command `inloop vqa`."""
    Budget.parse(args.budget)
    settings = Settings.load(llm=args.llm, vqa=args.vqa, clip=args.clip, device=args.device, runs_dir=args.out)

    from ...evaluators.vqa import check_question
    from ...graphs.promptcap import Asking, Method, VQAConfig
    from ...tools.vision import READERS, is_detector

    image = "" if args.image == "-" else args.image
    if image and not Path(image).is_file():
        raise BadInput(f"there is no picture {image!r}; for a question without one give - and --caption TEXT.")
    for question in args.question:
        check_question(question)
    choices = tuple(choice.strip() for choice in (args.choices or "").split(",") if choice.strip())
    if args.choices is not None and len(choices) < 2:
        raise BadInput(f"--choices {args.choices!r}: give at least two, comma separated.")
    caption = _caption(args)
    tagger, tags = _tool_or_words(args.tags, is_detector)
    reader, written = _tool_or_words(args.ocr, lambda name: name.lower() in READERS)
    with flags_checked():
        given = given_way(args, pictures=bool(image) and not caption)
        given |= {"check": not args.no_check, "strict": args.strict}
        if args.follow_ups is not None:
            given["follow_ups"] = args.follow_ups
        given |= {"tags": given["tags"] or bool(tagger or tags), "ocr": bool(reader or written)}
        told = {"caption": caption, "tags": tags, "ocr": written}
        asked = tuple(
            Asking(question=question, image=str(Path(image).resolve()) if image else "", choices=choices, **told)
            for question in dict.fromkeys(args.question)
        )
        tools = {"tagger": tagger, "ocr": reader}
        config = VQAConfig(asked=asked, way=Method(**given), **tools, **given_roles(args, settings))
    with discarded_if_refused(RunFolder.create(settings.runs_dir, "promptcap", config)) as folder:
        return _go(config, settings, folder, resume=False, json_output=args.json)


def _caption(args: argparse.Namespace) -> str:
    """The caption that was given; `BadInput` where it is empty, or where a captioner is asked for as well."""
    if args.caption is None:
        return ""
    words = " ".join(args.caption.split())
    if not words:
        raise BadInput("--caption is empty: say what the picture shows, or leave it out.")
    other = next((flag for flag in ("captions_are", "captioner") if getattr(args, flag)), None)
    if other is not None:
        raise BadInput(
            f"--caption is told instead of a captioner's, so --{other.replace('_', '-')} means nothing: leave one of them out."
        )
    return words


def _tool_or_words(given: str | None, is_tool: Callable[[str], bool]) -> tuple[str, str]:
    """What a flag names: a tool, or words about the picture; one of the two is empty."""
    text = (given or "").strip()
    if text.lower().startswith("text:"):
        return "", text[len("text:") :].strip()
    return (text, "") if is_tool(text) else ("", text)


def again(folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
    """Go on with a run of this command; for a finished one the answer is shown again."""
    from ...graphs.promptcap import VQAConfig

    config = folder.config_as(VQAConfig)
    return _go(config, settings, folder, resume=True, json_output=json_output)


def report_page(folder: RunFolder, blobs: BlobStore, *, limit: int) -> str:
    """The HTML report of a finished run."""
    from .report import read_vqa, render

    return render(read_vqa(folder), blobs)


def _go(config: VQAConfig, settings: Settings, folder: RunFolder, *, resume: bool, json_output: bool) -> int:
    from ...graphs.promptcap import vqa as loop
    from .report import render

    show = _Progress(len(config.asked), quiet=json_output)
    with kept(folder, begun=lambda: bool(show.seen), quiet=json_output):
        outcome = asyncio.run(carry(loop, config, folder=folder, settings=settings, on_event=show, resumed=resume))
        write_whole(folder.report_path, render(outcome, BlobStore(settings.store_dir / "blobs")).encode("utf-8"))
    if json_output:
        print(json.dumps(_as_json(outcome, folder), ensure_ascii=False))
    else:
        print(_in_words(outcome, folder))
    if outcome.stopped:
        return _BUDGET
    return _FAILED if all(task.reason in ("failed", "empty") for task in outcome.tasks) else 0


def _as_json(outcome: VQAResult, folder: RunFolder) -> dict[str, Any]:
    return {
        "run_id": outcome.run_id,
        "path": str(folder.path),
        "report": str(folder.report_path),
        "result": str(folder.path / "result.json"),
        "resume": f"inloop resume {folder.path}",
        "seconds": outcome.seconds,
        "failed": outcome.failed,
        "answers": [task.model_dump(mode="json") for task in outcome.tasks],
        "cost": outcome.cost.model_dump(mode="json"),
        "calls": outcome.calls,
        "models": outcome.models,
        "notes": list(outcome.notes),
        "stopped": outcome.stopped,
    }


def _in_words(outcome: VQAResult, folder: RunFolder) -> str:
    lines = [line for task in outcome.tasks for line in _task_in_words(task)]
    lines += [f"  failed   {id}: {printable(why)}" for id, why in outcome.failed.items()]
    lines += [f"  stopped  {outcome.stopped}"] if outcome.stopped else []
    lines += [f"  note     {printable(note)}" for note in outcome.notes]
    paid = ", ".join(f"{c.get('paid', 0)} {kind}" for kind, c in outcome.calls.items())
    reused = sum(c.get("reused", 0) for c in outcome.calls.values())
    lines += [
        f"  calls    {paid or 'none'} ({reused} reused), {seconds(outcome.seconds)}",
        f"  report   {folder.report_path}",
    ]
    return "\n".join(lines)


def _task_in_words(task: VQATask) -> list[str]:
    lines = ["", f"  {printable(task.question)}"]
    if task.told:
        borne = {True: "borne out", False: "nothing that is known bears it out", None: ""}[task.supported]
        lines += [f"  {printable(task.answer)}" + (f"   ({borne})" if borne else "")]
    else:
        guess = f" (best guess: {printable(task.answer)})" if task.reason == "unsupported" else ""
        lines += [f"  No answer: {REASONS[task.reason]}{guess}."]
    lines += [""]
    lines += [f"  {caption.kind:8} {printable(caption.text)}" for caption in task.evidence.captions]
    lines += [f"  {d.step:8} {printable(d.said)}  ({d.by})" for d in task.decisions if d.step in ("tags", "text")]
    lines += [f"  asked    {printable(question)} {printable(said)}" for question, said in task.evidence.looked]
    lines += [f"  known    {printable(clip(seen.excerpt, 100))}" for seen in task.evidence.passages]
    if len(task.votes) > 1:
        lines += ["  votes    " + ", ".join(f"{printable(text)} {share:.0%}" for text, share in task.shares)]
    return lines


class _Progress:
    """A line a decision of one question; nothing with `--json`."""

    def __init__(self, questions: int, *, quiet: bool) -> None:
        self.questions, self.quiet, self.seen = questions, quiet, 0

    def __call__(self, event: Event) -> None:
        from ...graphs.promptcap import Answered, DecisionTaken

        self.seen += isinstance(event, DecisionTaken)
        if self.quiet:
            return
        if isinstance(event, DecisionTaken) and self.questions == 1:
            why = f"  ({clip(printable(event.why), 90)})" if event.why else ""
            print(f"  {event.step:10} {clip(printable(event.said), 80)}{why}", file=sys.stderr, flush=True)
        elif isinstance(event, Answered) and self.questions > 1:
            print(f"  {event.task}: {printable(event.answer)}", file=sys.stderr, flush=True)
