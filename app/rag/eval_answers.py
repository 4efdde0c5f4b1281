"""The answering half of `inloop eval-rag`: annotated claims through the whole loop, and through the loop without its check.

Both ways share retrieval, answerer and language model, so that what differs is grading, rewriting, verification and repair.
Each way is a run of its own (`inloop runs`), with its report; a run that was stopped is run again, and nothing is paid twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs.rag import RagConfig
from ...runtime.errors import BadInput
from ...runtime.records import flags_checked
from ...runtime.settings import Settings
from ...runtime.store import write_whole
from ..cli import add_flags, clip, given_flags, progress
from .ask import AskView
from .ask_report import render

if TYPE_CHECKING:
    from ...evaluators.rag import ClaimAnswers, Verified
    from ...evaluators.stats import Estimate
    from ...graphs.rag import RagResult

__all__ = ["UNVERIFIED", "add_arguments", "both_ways", "eval_claims", "in_words", "percent"]

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
    group.add_argument("--out", metavar="DIR", help="the folder in which the runs' folders are made (default: runs)")
    add_flags(command, RagConfig, only=_FLAGS)


def eval_claims(args: argparse.Namespace) -> int:
    """Run both ways and print what came of it."""
    flags = {name: value for name, value in given_flags(args, RagConfig).items() if value is not None}
    settings = Settings.load(llm=flags.get("llm"), device=args.device, runs_dir=args.out)

    from ...evaluators.rag import compare_answers, score_answers
    from ...tools.data import read_claims, read_sentences

    if not args.index:
        raise BadInput("--claims needs --index URL; with --corpus FILE it is filled where it is empty.")
    if args.sentences is None:
        raise BadInput("--claims needs --sentences FILE: citations are counted by the sentences of the documents.")
    if args.limit is not None and args.limit < 1:
        raise BadInput(f"--limit {args.limit!r} cannot be used: give 1 or more.")
    claims = read_claims(Path(args.claims), split=args.split)[: args.limit]
    sentences = read_sentences(Path(args.sentences))
    given = {**flags, "questions": tuple(claim.text for claim in claims), "llm": settings.llm}
    if args.corpus:
        asyncio.run(_fill(args, settings))
    outcomes, folders = both_ways(given, settings, quiet=args.json)
    answers = {name: outcome.answers for name, outcome in outcomes.items()}
    found = {name: score_answers(claims, given, sentences) for name, given in answers.items()}
    change = compare_answers(claims, answers["retrieve and answer"], answers["verified"], sentences)
    if args.json:
        told: dict[str, Any] = {name: figures.model_dump(mode="json") for name, figures in found.items()}
        told |= {"change": change.model_dump(mode="json"), "notes": list(outcomes["verified"].notes)}
        told |= {"runs": {name: str(folder) for name, folder in folders.items()}}
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(in_words(found, change))
        for note in outcomes["verified"].notes:
            print(f"note: {clip(note, 240)}")
        for name, folder in folders.items():
            print(f"{name}: {folder}")
    return 0


async def _fill(args: argparse.Namespace, settings: Settings) -> None:
    from ...runtime.store import Store
    from ...tools.index import open_index
    from .fill import fill
    from .index import open_embedder

    with Store.open(settings) as store:
        text = None if args.mode == "bm25" else open_embedder(args.embedder, store, settings)
        index = await open_index(args.index, text=text)
        try:
            await fill(index, Path(args.corpus))
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


def percent(value: Estimate, *, signed: bool = False) -> str:
    """A share as percent with its interval: "41.2 (35.0 to 47.7)"."""
    if value.value is None:
        return "none"
    sign = "+" if signed else ""
    said = f"{100 * value.value:{sign}.1f}"
    return said if value.ci is None else f"{said} ({100 * value.ci[0]:{sign}.1f} to {100 * value.ci[1]:{sign}.1f})"
