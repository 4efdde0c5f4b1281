"""Citations and abstention on SciFact's claims: the whole loop against retrieve and answer, with the same answerer."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from inloop.app.rag import both_ways
from inloop.evaluators.rag import compare_answers, score_answers
from inloop.evaluators.stats import Estimate
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.settings import Settings
from inloop.tools.data import read_claims, read_corpus, read_sentences
from inloop.tools.index import open_index

from .figures import Figure, Options

__all__ = ["measure", "scifact"]


def scifact() -> Path:
    """The folder of SciFact; `PrerequisiteError` where it is not there."""
    root = Path(os.environ.get("INLOOP_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
    folder = root / "rag" / "scifact"
    if not (folder / "corpus.jsonl").is_file():
        raise PrerequisiteError(
            f"SciFact is not at {folder}", remedy="set INLOOP_DATA to a folder that holds rag/scifact in BEIR's layout."
        )
    return folder


def measure(options: Options) -> list[Figure]:
    """The first `options.claims` test claims over all documents, searched by words; sentences are compared by MiniLM too."""
    folder = scifact()
    claims = read_claims(folder / "claims_evidence.json", split="test")[: options.claims]
    sentences = read_sentences(folder / "cited_docs_sentences.json")
    settings = Settings.load(llm=options.llm, device=options.device)
    with TemporaryDirectory() as scratch:
        url = f"lancedb:{scratch}/index"
        asyncio.run(_fill(url, folder / "corpus.jsonl"))
        figures: list[Figure] = []
        ways = {"quotations": {"answerer": "quote"}} | (
            {f"{options.llm} answers": {"answerer": "llm"}} if options.answerer == "llm" else {}
        )
        for way, roles in ways.items():
            given = {
                "questions": tuple(claim.text for claim in claims), "index": url, "llm": options.llm, "embedder": "minilm",
                "mode": "bm25", "k": 5, "verifier": "overlap", "grader": "overlap", "rewriter": "terms", **roles,
            }  # fmt: skip
            started = time.monotonic()
            outcomes, _ = both_ways(given, settings, quiet=True)
            took = time.monotonic() - started
            answers = {name: outcome.answers for name, outcome in outcomes.items()}
            for name, found in answers.items():
                scored = score_answers(claims, found, sentences)
                label = f"{way}, {name}"
                figures += [
                    _percent(f"{label}: citation precision", scored.precision),
                    _percent(f"{label}: citation recall", scored.recall),
                    _percent(f"{label}: claims with a right citation", scored.found),
                    _percent(f"{label}: answerable claims answered", scored.abstentions.coverage),
                    _percent(f"{label}: abstention precision", scored.abstentions.precision),
                    _percent(f"{label}: abstention recall", scored.abstentions.recall),
                    _percent(f"{label}: right side where told", scored.stance),
                ]
            change = compare_answers(claims, answers["retrieve and answer"], answers["verified"], sentences)
            figures += [
                _percent(f"{way}: verification changes citation precision by", change.precision, "points"),
                _percent(f"{way}: answerable claims' answers lost", change.lost),
                _percent(f"{way}: of these, with a right citation", change.right_lost),
                Figure(name=f"{way}: both ways", value=took / len(claims), unit="s a claim"),
            ]
    return figures


async def _fill(url: str, corpus: Path) -> None:
    index = await open_index(url)
    await index.upsert(list(read_corpus(corpus)))
    await index.close()


def _percent(name: str, found: Estimate, unit: str = "%") -> Figure:
    low, high = found.ci or (None, None)
    note = f"95 % interval, {found.n} claims" if found.value is not None else "nothing to count"
    return Figure(
        name=name, value=100 * (found.value or 0.0), unit=unit, low=None if low is None else 100 * low,
        high=None if high is None else 100 * high, note=note,
    )  # fmt: skip
