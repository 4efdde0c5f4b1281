"""The answering half of `inloop eval-rag`: annotated claims through the whole loop, and through the loop without its check.

Both ways share retrieval, answerer and language model, so that what differs is grading, rewriting, verification and repair.
Each way is a run of its own (`inloop runs`), with its report; a run that was stopped is run again, and nothing is paid twice.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs.rag import RagConfig
from ...graphs.retrieval_eval import RetrievalEvalConfig
from ...runtime.errors import BadInput
from ...runtime.records import flags_checked
from ...runtime.settings import Settings
from ...runtime.storage import write_whole
from ..cli import add_flags, amount, clip, flag_names, given_flags, json_text, percent, progress
from .ask_report import render
from .ask_view import AskView

if TYPE_CHECKING:
    from ...evaluators.rag import ClaimAnswers, Verified
    from ...graphs.rag import RagResult

__all__ = ["UNVERIFIED", "add_arguments", "both_ways", "eval_claims", "in_words"]

UNVERIFIED = {"grader": "none", "rewriter": "none", "verifier": "none", "repairs": 0}
"""Retrieve and answer: what the loop is compared with."""
_FLAGS = (
    "llm", "router", "grader", "rewriter", "answerer", "verifier", "k", "shown", "quotes", "rewrites", "repairs"
)  # fmt: skip


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the answering half, beside those of `eval_rag`."""
    group = command.add_argument_group("claims with annotated evidence (SciFact's layout)")
    group.add_argument("--claims", metavar="FILE", help="claims_*.jsonl, or a JSON list of claims with their evidence")
    group.add_argument(
        "--sentences", metavar="FILE", help="the sentences of the documents: corpus.jsonl of SciFact, or JSON"
    )
    group.add_argument("--split", metavar="NAME", help="only the claims of this split, where the file names splits")
    add_flags(command, RagConfig, only=_FLAGS)


def eval_claims(args: argparse.Namespace) -> int:
    """Run both ways and print what came of it."""
    with flags_checked(flag_names(RetrievalEvalConfig)):
        search = RetrievalEvalConfig(**given_flags(args, RetrievalEvalConfig))
    flags = given_flags(args, RagConfig)
    settings = Settings.load(llm=flags.get("llm"), device=args.device, runs_dir=args.out)

    from ...evaluators.rag import compare_answers, score_answers
    from ...tools.data import read_claims, read_sentences

    if not search.index:
        raise BadInput("--claims needs --index URL; with --corpus FILE it is filled where it is empty.")
    if args.sentences is None:
        raise BadInput("--claims needs --sentences FILE: citations are counted by the sentences of the documents.")
    claims = read_claims(Path(args.claims), split=args.split)[: search.limit]
    sentences = read_sentences(Path(args.sentences))
    questions = tuple(claim.text for claim in claims)
    if search.corpus:
        asyncio.run(_fill(search, settings))
    fields = {**flags, "mode": search.mode, "questions": questions, "llm": settings.llm}
    results, folders = both_ways(fields, settings, quiet=args.json)
    answers = {name: result.answers for name, result in results.items()}
    figures = {name: score_answers(claims, each, sentences) for name, each in answers.items()}
    change = compare_answers(claims, answers["retrieve and answer"], answers["verified"], sentences)
    if args.json:
        shown: dict[str, Any] = {name: each.model_dump(mode="json") for name, each in figures.items()}
        shown |= {"change": change.model_dump(mode="json"), "notes": list(results["verified"].notes)}
        shown |= {"runs": {name: str(folder) for name, folder in folders.items()}}
        print(json_text(shown))
    else:
        print(in_words(figures, change))
        for note in results["verified"].notes:
            print(f"note: {clip(note, 240)}")
        for name, folder in folders.items():
            print(f"{name}: {folder}")
    return 0


async def _fill(search: RetrievalEvalConfig, settings: Settings) -> None:
    from ...runtime.store import Store
    from ...tools.encoders import open_text_embedder
    from ...tools.index import fill, open_index

    def progress(documents: int) -> None:
        print(f"{amount(documents)} documents indexed", file=sys.stderr, flush=True)

    words_alone = search.mode == "bm25" or search.embedder == "none"
    with Store.open(settings) as store:
        text = None if words_alone else open_text_embedder(search.embedder, store, settings)
        index = await open_index(search.index, text=text)
        try:
            await fill(index, Path(search.corpus), progress=progress)
        finally:
            await index.close()
            if text is not None:
                await text.aclose()


def both_ways(
    given: dict[str, Any], settings: Settings, *, quiet: bool
) -> tuple[dict[str, RagResult], dict[str, Path]]:
    """The results of a config (fields of `RagConfig`) without the check and with it, and their run folders.

    Raises:
        BadInput: a field that does not fit, named as its flag.
    """
    from ...graphs.rag import ask

    ways: dict[str, dict[str, Any]] = {"retrieve and answer": {**given, **UNVERIFIED}, "verified": given}
    with flags_checked():
        configs = {name: RagConfig(**fields) for name, fields in ways.items()}
    results: dict[str, RagResult] = {}
    folders: dict[str, Path] = {}
    for name, fields in ways.items():
        if not quiet:
            print(f"{name}:", file=sys.stderr)
        with progress(AskView(configs[name]), sys.stderr, silent=quiet) as show:
            results[name] = ask(**fields, settings=settings, on_event=show)
        folders[name] = settings.runs_dir / results[name].run_id
        write_whole(folders[name] / "report.html", render(results[name]).encode("utf-8"))
    return results, folders


def in_words(found: dict[str, ClaimAnswers], change: Verified) -> str:
    """The table for a person: shares in percent with their 95 % intervals over claims."""
    rows: list[tuple[str, list[str]]] = [
        ("answered", [f"{f.answered} of {f.claims}" for f in found.values()]),
        ("citations", [str(f.citations) for f in found.values()]),
        ("citation precision", [percent(f.precision) for f in found.values()]),
        ("citation recall", [percent(f.recall) for f in found.values()]),
        ("claims with a right citation", [percent(f.found) for f in found.values()]),
        ("answerable claims answered", [percent(f.abstentions.coverage) for f in found.values()]),
        ("abstention precision", [percent(f.abstentions.precision) for f in found.values()]),
        ("abstention recall", [percent(f.abstentions.recall) for f in found.values()]),
        ("failed, in none of these", [str(f.abstentions.unscored) for f in found.values()]),
        ("right side, where it is told", [percent(f.stance) for f in found.values()]),
    ]
    lines = [f"{'':30}" + "".join(f"{name:>24}" for name in found)]
    lines += [f"{name:30}" + "".join(f"{cell:>24}" for cell in cells) for name, cells in rows]
    lines += [
        "",
        f"verification changes citation precision by {percent(change.precision, signed=True)} points, and loses"
        f" {percent(change.lost)} % of the answerable claims' answers ({percent(change.right_lost)} % had a right citation)",
    ]
    return "\n".join(lines)
