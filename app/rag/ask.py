"""`inloop ask`: an answer from an index, each sentence with citations that were checked; or "no answer", with the reason."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.records import flags_checked
from ...runtime.run import RunFolder, discarded_if_refused
from ...runtime.settings import Settings
from ...runtime.store import write_whole
from ..cli import clip, closing_line, kept, printable, read_lines, seconds

if TYPE_CHECKING:
    from ...graphs.rag import RagConfig, RagResult, RagTask
    from ...runtime.run import Event
    from ...runtime.store import BlobStore
from .reasons import REASONS

__all__ = ["Progress", "add_arguments", "add_roles", "ask", "again", "report_page", "given_roles"]

_FAILED, _BUDGET = 1, 4
_ROLES = (
    "embedder",
    "reranker",
    "router",
    "grader",
    "rewriter",
    "answerer",
    "verifier",
    "mode",
    "k",
    "shown",
    "quotes",
    "rewrites",
    "repairs",
)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop ask`."""
    command.add_argument(
        "question",
        nargs="*",
        metavar="QUESTION",
        help="a question, or a statement to be checked; several are answered at once",
    )
    command.add_argument("--questions", metavar="FILE", help="a text file with one question a line; # starts a comment")
    command.add_argument(
        "--index", metavar="URL", required=True, help="lancedb:///PATH, qdrant://HOST/NAME, postgresql://HOST/DB, ..."
    )
    command.add_argument(
        "--where",
        metavar="JSON",
        help='only passages that a filter finds, as {"op": "eq", "field": "meta.year", "value": 2020}',
    )
    add_roles(command)
    command.add_argument(
        "--budget", metavar="LIMITS", default="", help="stop at limits such as tokens=10000,seconds=60,money=0.5"
    )
    command.add_argument("--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)")


def add_roles(command: argparse.ArgumentParser, *, search: bool = True) -> None:
    """The arguments that say who does what; without `search`, for a command that has those of the search already."""
    roles = command.add_argument_group("who does what")
    roles.add_argument(
        "--llm", metavar="LLM", help="mini-writer, smollm2, gguf:PATH, http://host:8000/v1[#model], openai:MODEL"
    )
    roles.add_argument(
        "--router", choices=("rules", "llm"), help="question or claim, words or meaning (default: rules)"
    )
    roles.add_argument(
        "--grader", choices=("auto", "overlap", "llm", "none"), help="which passages help (default: auto)"
    )
    roles.add_argument(
        "--rewriter", choices=("auto", "terms", "llm", "none"), help="another query where none helps (default: auto)"
    )
    roles.add_argument(
        "--answerer", choices=("auto", "quote", "llm"), help="quotations, or the language model's words (default: auto)"
    )
    roles.add_argument(
        "--verifier",
        metavar="WHO",
        help="auto, overlap, llm, nli:MODEL (a cross-encoder by folder or hub id) or none; auto: the language model in every role,"
        " but overlap and quotations where it is one of the small bundled ones",
    )
    how = command.add_argument_group("how")
    if search:
        how.add_argument(
            "--embedder", metavar="ID", help="of the index, where it was not made with the default one; or none"
        )
        how.add_argument("--reranker", metavar="ID", help="a cross-encoder's folder or hub id, or llm:LLM")
        how.add_argument(
            "--mode", choices=("auto", "dense", "bm25", "hybrid"), help="how to search (default: the router says)"
        )
    how.add_argument("--k", type=int, metavar="N", help="passages that are found (default: 10)")
    how.add_argument("--shown", type=int, metavar="N", help="passages that are answered from (default: 5)")
    how.add_argument("--quotes", type=int, metavar="N", help="most quotations of an answer (default: 3)")
    how.add_argument("--rewrites", type=int, metavar="N", help="most other queries (default: 1)")
    how.add_argument(
        "--repairs",
        type=int,
        metavar="N",
        choices=(0, 1),
        help="whether a refused answer is repaired once (default: 1)",
    )


def given_roles(args: argparse.Namespace) -> dict[str, Any]:
    """Those of `add_roles` that were given, as fields of `RagConfig`; the language model comes from the settings."""
    return {name: getattr(args, name) for name in _ROLES if getattr(args, name) is not None}


def ask(args: argparse.Namespace) -> int:
    """The command `inloop ask`."""
    questions = _questions(args)
    Budget.parse(args.budget)
    settings = Settings.load(llm=args.llm, runs_dir=args.out)

    from pydantic import TypeAdapter, ValidationError

    from ...graphs.rag import RagConfig
    from ...graphs.rag import ask as loop
    from ...runtime.passages import Filter

    try:
        where: Filter | None = TypeAdapter(Filter).validate_json(args.where) if args.where else None
    except ValidationError as error:
        raise BadInput(f"--where {args.where!r} is no filter: {error.errors()[0]['msg']}.") from None
    with flags_checked():
        config = RagConfig(
            questions=questions,
            index=args.index,
            llm=settings.llm,
            where=where,
            budget=args.budget,
            **given_roles(args),
        )
    loop.inputs(config)
    with discarded_if_refused(RunFolder.create(settings.runs_dir, loop.name, config)) as folder:
        return _go(config, settings, folder, resumed=False, json_output=args.json)


def again(folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
    """Go on with a run of this command; for a finished one the answer is shown again."""
    from ...graphs.rag import RagConfig

    config = folder.config_as(RagConfig)
    return _go(config, settings, folder, resumed=True, json_output=json_output)


def report_page(folder: RunFolder, blobs: BlobStore, *, limit: int) -> str:
    """The HTML report of a finished run; it holds no pictures."""
    from .ask_report import read_outcome, render

    return render(read_outcome(folder))


def _go(config: RagConfig, settings: Settings, folder: RunFolder, *, resumed: bool, json_output: bool) -> int:
    from ...graphs.rag import ask as loop
    from ...runtime.run import carry
    from .ask_report import render

    show = Progress(len(config.questions), quiet=json_output)
    with kept(folder, begun=lambda: bool(show.answered), quiet=json_output), closing_line(show):
        outcome = asyncio.run(carry(loop, config, folder=folder, settings=settings, on_event=show, resumed=resumed))
        write_whole(folder.report_path, render(outcome).encode("utf-8"))
    if json_output:
        print(json.dumps(_as_json(outcome, folder), ensure_ascii=False))
    else:
        print(_in_words(outcome, folder))
    return _exit_code(outcome)


def _exit_code(outcome: RagResult) -> int:
    """0 with an answer or with none; 4 where a budget ended it, 1 where nothing but failures came of it."""
    reasons = [task.answer.abstained.reason if task.answer.abstained else "" for task in outcome.tasks]
    if "budget" in reasons:
        return _BUDGET
    return _FAILED if all(reason in ("verifier_failed", "answerer_failed") for reason in reasons) else 0


def _as_json(outcome: RagResult, folder: RunFolder) -> dict[str, Any]:
    return {
        "run_id": outcome.run_id,
        "path": str(folder.path),
        "report": str(folder.report_path),
        "result": str(folder.path / "result.json"),
        "resume": f"inloop resume {folder.path}",
        "seconds": outcome.seconds,
        "answers": [
            {**task.answer.model_dump(mode="json"), "answered": task.answer.answered, "text": task.answer.text}
            for task in outcome.tasks
        ],
        "cost": outcome.cost.model_dump(mode="json"),
        "calls": outcome.calls,
        "models": outcome.models,
        "notes": list(outcome.notes),
    }


def _in_words(outcome: RagResult, folder: RunFolder) -> str:
    lines = [line for task in outcome.tasks for line in _task_in_words(task, many=len(outcome.tasks) > 1)]
    lines += [f"  note: {printable(note)}" for note in outcome.notes]
    paid = ", ".join(f"{c.get('paid', 0)} {kind}" for kind, c in outcome.calls.items())
    reused = sum(c.get("reused", 0) for c in outcome.calls.values())
    lines += [
        f"  calls    {paid or 'none'} ({reused} reused), {seconds(outcome.seconds)}",
        f"  report   {folder.report_path}",
    ]
    return "\n".join(lines)


def _task_in_words(task: RagTask, *, many: bool) -> list[str]:
    answer = task.answer
    lines = ["", f"  {printable(answer.question)}", ""] if many else [""]
    if answer.abstained is not None:
        lines += [f"  No answer: {REASONS[answer.abstained.reason]}.", *_wrapped(answer.abstained.explanation, "  ")]
        citations = answer.abstained.citations
        if citations:
            lines += ["", "  What was found:"]
    else:
        if answer.kind == "claim":
            said = {"supports": "The sources support it.", "contradicts": "The sources contradict it."}
            lines += [f"  {said.get(answer.stance or '', 'What the sources say of it:')}", ""]
        for sentence in answer.sentences:
            marks = "".join(f" [{citation.number}]" for citation in sentence.citations)
            checked = "" if sentence.verdict == "supported" else "  (not checked)"
            lines += _wrapped(sentence.text + marks + checked, "  ")
        citations = answer.citations
    lines += [""]
    for citation in citations:
        place = citation.source or citation.document
        place += f", page {citation.page}" if citation.page is not None else ""
        lines += [f"  [{citation.number}] {printable(place)}, characters {citation.start}-{citation.end}"]
        lines += _wrapped(f"“{clip(citation.quote, 400)}”", "      ")
    return [*lines, ""] if citations else lines


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(printable(text), width=100, initial_indent=indent, subsequent_indent=indent)


def _questions(args: argparse.Namespace) -> tuple[str, ...]:
    given = list(args.question)
    if args.questions is not None:
        given += read_lines(Path(args.questions), "question")
    if not given:
        raise BadInput('no question: give one, as in inloop ask "who built the bridge?" --index lancedb:///./index.')
    return tuple(dict.fromkeys(given))


class Progress:
    """What happens, a line a decision: one line that moves for many questions on a terminal, nothing with `--json`."""

    def __init__(self, questions: int, *, quiet: bool) -> None:
        self.questions, self.quiet = questions, quiet
        self.answered = 0
        self._live = questions > 1 and sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        from ...graphs.rag import Answered, Decided

        self.answered += isinstance(event, Answered)
        if self.quiet:
            return
        if isinstance(event, Decided) and self.questions == 1:
            why = f"  ({clip(printable(event.why), 90)})" if event.why else ""
            print(f"  {event.step:9} {clip(printable(event.said), 80)}{why}", file=sys.stderr, flush=True)
        elif isinstance(event, Answered) and self.questions > 1:
            text = f"{self.answered} of {self.questions} questions"
            print(f"\r{text:40}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def done(self) -> None:
        """End the line that moves."""
        if self._live and not self.quiet:
            print(file=sys.stderr)
