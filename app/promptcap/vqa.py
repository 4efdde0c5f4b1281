"""`inloop vqa`: a picture and questions from the command line, and how their answers are told."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...evaluators.vqa import check_question
from ...graphs import promptcap as room
from ...graphs.promptcap import Answered, Asking, DecisionTaken, Method, VQAConfig, VQAResult, VQATask
from ...runtime.errors import BadInput
from ...runtime.records import flags_checked
from ...runtime.session import Event
from ..cli import LoopCommand, RunView, clip, given_flags, printable
from .arguments import add_method, located, method_fields
from .reasons import REASONS
from .report import render

__all__ = ["vqa"]

_ABOUT = """Answer a question about a picture that needs knowledge: the answer, what it was made of, and whether it is borne out.

A captioner says what the picture shows with the question in mind, an index gives what has to be known, a language model
answers."""


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="a picture file; - for none, with --caption")
    parser.add_argument("question", nargs="+", metavar="QUESTION", help="what to answer; several are answered at once")
    parser.add_argument("--choices", metavar="A,B,...", help="the answers to choose among, comma separated")
    parser.add_argument(
        "--caption", dest="caption_text", metavar="TEXT", help="what the picture shows, told instead of the captioner's"
    )
    parser.add_argument(
        "--tags",
        dest="tags_from",
        metavar="WHAT",
        help="things in the picture, told beside the caption: words, or a detector that names them (ssd, a hub id,"
        " ./FOLDER); text:WORDS for words in any case",
    )
    parser.add_argument(
        "--ocr",
        dest="ocr_from",
        metavar="WHAT",
        help="what is written in the picture, told beside the caption: words, or rapidocr, which reads it; text:WORDS",
    )
    add_method(parser)


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
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
    tagger, tags = _tool_or_words(args.tags_from, is_detector)
    reader, written = _tool_or_words(args.ocr_from, lambda name: name.lower() in READERS)
    fields = method_fields(args, pictures=bool(image) and not caption)
    fields |= {"tags": fields["tags"] or bool(tagger or tags), "ocr": bool(reader or written)}
    with flags_checked():
        method = Method(**{"check": True, **fields})
    path = str(Path(image).resolve()) if image else ""
    asked = tuple(
        Asking(question=question, image=path, choices=choices, caption=caption, tags=tags, ocr=written)
        for question in dict.fromkeys(args.question)
    )
    files = located(given_flags(args, VQAConfig), VQAConfig)
    return {"asked": asked, "way": method, "tagger": tagger, "ocr": reader, **files}


def _caption(args: argparse.Namespace) -> str:
    """The caption that was given; `BadInput` where it is empty, or where a captioner is asked for as well."""
    if args.caption_text is None:
        return ""
    words = " ".join(args.caption_text.split())
    if not words:
        raise BadInput("--caption is empty: say what the picture shows, or leave it out.")
    other = next((flag for flag in ("captions_are", "captioner") if getattr(args, flag, None)), None)
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


def _in_words(result: VQAResult, bold: bool) -> list[str]:
    lines = [line for task in result.tasks for line in _task_in_words(task)]
    return lines + ([f"  stopped  {result.stopped}"] if result.stopped else [])


def _task_in_words(task: VQATask) -> list[str]:
    lines = ["", f"  {printable(task.question)}"]
    if task.told:
        borne = {True: "borne out", False: "nothing that is known bears it out", None: ""}[task.supported]
        lines += [f"  {printable(task.answer)}" + (f"   ({borne})" if borne else "")]
    else:
        guess = f" (best guess: {printable(task.answer)})" if task.reason == "unsupported" else ""
        guess += f" ({printable(clip(task.votes[0].raw, 80))!r})" if task.reason == "no_choice" else ""
        lines += [f"  No answer: {REASONS[task.reason]}{guess}."]
    lines += [""]
    lines += [f"  {caption.kind:8} {printable(caption.text)}" for caption in task.evidence.captions]
    lines += [f"  {d.step:8} {printable(d.said)}  ({d.by})" for d in task.decisions if d.step in ("tags", "text")]
    lines += [f"  asked    {printable(question)} {printable(seen)}" for question, seen in task.evidence.looked]
    lines += [f"  known    {printable(clip(seen.excerpt, 100))}" for seen in task.evidence.passages]
    if len(task.votes) > 1:
        lines += ["  votes    " + ", ".join(f"{printable(text)} {share:.0%}" for text, share in task.shares)]
    return lines


def _data(result: VQAResult) -> Mapping[str, Any]:
    return {"answers": [task.model_dump(mode="json") for task in result.tasks], "stopped": result.stopped}


def _exit_code(result: VQAResult) -> int:
    return int(all(task.reason in ("failed", "empty") for task in result.tasks))


class _View(RunView):
    """A line a decision where there is one question, else a line an answer."""

    def see(self, event: Event) -> list[str]:
        match event:
            case DecisionTaken():
                why = f"  ({clip(printable(event.why), 90)})" if event.why else ""
                self.latest = f"{event.step:10} {clip(printable(event.said), 80)}{why}"
                return [self.latest] if self.expected == 1 else []
            case Answered() if self.expected > 1:
                return [f"{event.task}: {printable(event.answer)}"]
        return super().see(event)


vqa = LoopCommand(
    config=VQAConfig,
    loop=lambda: room.vqa,
    about=_ABOUT,
    words=_in_words,
    data=_data,
    page=render,
    view=lambda config: _View("questions"),
    flags=_flags,
    fields=_fields,
    exit_code=_exit_code,
)
