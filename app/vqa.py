"""`inloop vqa`: a question about a picture that needs knowledge; the answer, with what it was made of and whether it is borne out.

A captioner says what the picture shows with the question in mind, an index gives what has to be known, a language model answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime.blobs import BlobStore, write_whole
from ..runtime.budget import Budget
from ..runtime.errors import BadInput
from ..runtime.records import flags_checked
from ..runtime.runs import RunFolder
from ..runtime.settings import Settings
from .session import kept, new_run
from .words import clip, printable, seconds

if TYPE_CHECKING:
    from ..graphs.promptcap_outcome import VQAOutcome, VQATask
    from ..graphs.promptcap_run import VQAConfig

__all__ = [
    "REASONS",
    "add_arguments",
    "add_how",
    "add_roles",
    "given_roles",
    "given_way",
    "vqa",
    "again",
    "report_page",
]

_FAILED, _BUDGET = 1, 4
_ANSWERER = "smollm2"
REASONS = {
    "cannot_tell": "it cannot be told from the picture",
    "unsupported": "it cannot be told from the picture: nothing bears the best guess out",
    "failed": "a model failed",
    "empty": "the language model said nothing",
}
_PATHS = ("examples", "examples_annotations", "examples_captions", "examples_images")
_ROLES = ("captioner", "embedder", "index", "examples_index", "preset", "judge", "max_tokens", "seed", "budget", "in_flight",
          *_PATHS)  # fmt: skip


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


def add_roles(command: argparse.ArgumentParser) -> None:
    """The arguments that say who does what."""
    roles = command.add_argument_group("who does what")
    roles.add_argument(
        "--llm", metavar="LLM", help=f"{_ANSWERER} (default), gguf:PATH, http://host:8000/v1[#model], openai:MODEL"
    )
    roles.add_argument(
        "--captioner", metavar="ID", help="mini-promptcap (default), a folder, a hub id, or a vision server's URL"
    )
    roles.add_argument(
        "--vqa", metavar="ID", help="the model that sees the picture: mini, a folder, a hub id, or a URL"
    )
    roles.add_argument("--clip", metavar="ID", help="compares pictures of examples: mini, a folder or a hub id")
    roles.add_argument("--embedder", metavar="ID", help="compares questions; of an index: the one that made it")
    roles.add_argument("--judge", choices=("auto", "words", "llm"), help="who checks the answers (default: auto)")
    roles.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...")


def add_how(command: argparse.ArgumentParser) -> None:
    """The arguments that say how a question is answered."""
    how = command.add_argument_group("how")
    how.add_argument(
        "--preset", choices=("pica", "promptcap", "prophet"), help="the published prompt (default: promptcap)"
    )
    how.add_argument(
        "--captions-are", choices=("aware", "generic", "both"), help="default: as the preset was published"
    )
    how.add_argument("--index", metavar="URL", help="knowledge: an index, or a corpus.jsonl")
    how.add_argument("--passages", type=int, metavar="N", help="passages of knowledge that are shown (default: 3)")
    how.add_argument("--shots", type=int, metavar="N", help="worked examples, 0 to 32 (default: 0)")
    how.add_argument(
        "--selection", choices=("random", "question", "image+question"), help="of the examples (default: question)"
    )
    how.add_argument("--examples", metavar="FILE", help="questions with answers (and captions) to take examples from")
    how.add_argument("--examples-annotations", metavar="FILE", help="their answers, where they are official files")
    how.add_argument("--examples-captions", metavar="FILE", help="their captions, where the questions hold none")
    how.add_argument("--examples-images", metavar="DIR", help="their pictures, for captions and image+question")
    how.add_argument("--examples-index", metavar="URL", help="where they are searched (default: memory:)")
    how.add_argument("--votes", type=int, metavar="N", help="answers that become one (default: 1)")
    how.add_argument(
        "--ensemble", choices=("max", "sum", "majority"), help="how (default: as the preset was published)"
    )
    how.add_argument("--max-tokens", type=int, metavar="N", help="of an answer (default: the preset's)")
    how.add_argument("--seed", type=int, metavar="N", help="default: 0")
    how.add_argument("--in-flight", type=int, metavar="N", help="questions at once (default: 64)")
    how.add_argument(
        "--budget", metavar="LIMITS", default="", help="stop at limits such as tokens=10000,seconds=60,money=0.5"
    )
    command.add_argument("--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)")


def given_roles(args: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """The fields of `Roles` that were given. The writer of prompts is no answerer: the bare model takes its place."""
    given = {name: getattr(args, name) for name in _ROLES if getattr(args, name) is not None}
    from ..tools.downloads import fetched

    corpus = ("index",) if str(given.get("index", "")).endswith(".jsonl") else ()
    for name in (*_PATHS, *corpus):  # a run may be resumed from another folder
        if given.get(name):
            given[name] = str(fetched(given[name], settings.cache_dir).resolve())
    llm = _ANSWERER if settings.llm == "mini-writer" and args.llm is None else settings.llm
    return {"llm": llm, "vqa": settings.vqa, "clip": settings.clip, **given}


def given_way(args: argparse.Namespace, *, pictures: bool) -> dict[str, Any]:
    """The fields of a `Way` that were given, or that the preset has."""
    from ..agents.caption_answerer import PRESETS

    preset = PRESETS[args.preset or "promptcap"]
    caption = args.captions_are or preset.caption
    given = {"shots": args.shots, "selection": args.selection, "votes": args.votes, "passages": args.passages}
    return {
        "caption": caption if pictures else "given",
        "tags": preset.tags,
        "rule": args.ensemble or preset.rule,
        "knowledge": "index" if args.index else "none",
        **{name: value for name, value in given.items() if value is not None},
    }


def vqa(args: argparse.Namespace) -> int:
    """The command `inloop vqa`."""
    Budget.parse(args.budget)
    settings = Settings.load(llm=args.llm, vqa=args.vqa, clip=args.clip, device=args.device, runs_dir=args.out)

    from ..evaluators.vqa_sets import check_question
    from ..graphs.promptcap_outcome import Way
    from ..graphs.promptcap_run import Asking, VQAConfig
    from ..tools.ocr import READERS
    from ..tools.tags import is_detector

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
        config = VQAConfig(asked=asked, way=Way(**given), **tools, **given_roles(args, settings))
    with new_run(settings, "promptcap", config) as folder:
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
    from ..graphs.promptcap_run import VQAConfig

    config = folder.config_as(VQAConfig)
    return _go(config, settings, folder, resume=True, json_output=json_output)


def report_page(folder: RunFolder, blobs: BlobStore, *, limit: int) -> str:
    """The HTML report of a finished run."""
    from .vqa_report import read_vqa, render

    return render(read_vqa(folder), blobs)


def _go(config: VQAConfig, settings: Settings, folder: RunFolder, *, resume: bool, json_output: bool) -> int:
    from ..graphs.promptcap_run import run_vqa
    from .vqa_report import render

    show = _Progress(len(config.asked), quiet=json_output)
    with kept(folder, begun=lambda: bool(show.seen), quiet=json_output):
        outcome = asyncio.run(run_vqa(config, settings=settings, folder=folder, resume=resume, on_event=show))
        write_whole(folder.report_path, render(outcome, BlobStore(settings.store_dir / "blobs")).encode("utf-8"))
    if json_output:
        print(json.dumps(_as_json(outcome, folder), ensure_ascii=False))
    else:
        print(_in_words(outcome, folder))
    if outcome.stopped:
        return _BUDGET
    return _FAILED if all(task.reason in ("failed", "empty") for task in outcome.tasks) else 0


def _as_json(outcome: VQAOutcome, folder: RunFolder) -> dict[str, Any]:
    return {
        "run_id": outcome.run_id,
        "path": str(folder.path),
        "report": str(folder.report_path),
        "result": str(folder.path / "result.json"),
        "resume": f"inloop resume {folder.path}",
        "seconds": outcome.seconds,
        "answers": [task.model_dump(mode="json") for task in outcome.tasks],
        "cost": outcome.cost.model_dump(mode="json"),
        "calls": outcome.calls,
        "models": outcome.models,
        "notes": list(outcome.notes),
        "stopped": outcome.stopped,
    }


def _in_words(outcome: VQAOutcome, folder: RunFolder) -> str:
    lines = [line for task in outcome.tasks for line in _task_in_words(task)]
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

    def __call__(self, event: Mapping[str, Any]) -> None:
        name = event.get("event")
        self.seen += name == "decision"
        if self.quiet:
            return
        if name == "decision" and self.questions == 1:
            why = f"  ({clip(printable(str(event['why'])), 90)})" if event.get("why") else ""
            said = clip(printable(str(event["said"])), 80)
            print(f"  {event['step']:10} {said}{why}", file=sys.stderr, flush=True)
        elif name == "answer" and self.questions > 1:
            print(
                f"  {event['task'].partition('/')[2]}: {printable(str(event['answer']))}", file=sys.stderr, flush=True
            )
