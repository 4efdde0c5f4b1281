"""Calibrates the head `found` of `tools.entailment.overlap` and its two lines on SciFact's training claims.

    python -m benchmarks.found_calibration [--embedder minilm --claims 480]

Every claim is asked of its five documents by BM25, as `benchmarks rag_answers` asks, and the grader's choice is quoted from by the
real answerer: three sentences, and the three that it would quote next. Of these the head is fitted. Claims that share evidence
documents are in one of two folds; what is printed comes from the fold that the head was not fitted to: its AUC, how true its
probabilities are, and for each pair of lines (`found_line` and "beside") what the check of quotations would make of the claims.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inloop.agents.rag import OverlapGrader, QuotingAnswerer
from inloop.runtime.answers import Checked
from inloop.runtime.passages import Passage
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.data import Claim, locate, read_claims, read_corpus, read_sentences
from inloop.tools.encoders import open_text_embedder
from inloop.tools.entailment import Overlap, found_features
from inloop.tools.index import open_index

from .overlap_calibration import crossed
from .rag_answers import scifact

_LINES = (0.05, 0.06, 0.065, 0.07, 0.075, 0.08, 0.085)
_BESIDE = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 1.0)

Places = frozenset[tuple[str, int]]


@dataclass
class Asked:
    """A claim, what is quoted of it unchecked, and the quotations of both drafts with their features."""

    claim: Claim
    unchecked: Places
    drafts: list[list[tuple[Places, list[float]]]] = field(default_factory=list)


async def ask(claim: Claim, found: Sequence[Passage], overlap: Overlap, known: dict[str, list[str]]) -> Asked:
    """What the loop would quote of `found` for a claim."""
    answerer, by_id = QuotingAnswerer(overlap), {passage.id: passage for passage in found}

    def places(passage: Passage, text: str) -> Places:
        numbers = locate(text, known.get(passage.document, []))
        # a document without known sentences holds no evidence: a place that no annotation has
        return frozenset((passage.document, n) for n in numbers) or frozenset(
            {(passage.document, -1 - passage.text.find(text))}
        )

    draft = await answerer.answer(claim.text, "claim", found)
    asked = Asked(
        claim, frozenset[tuple[str, int]]().union(*(places(by_id[s.cites[0]], s.text) for s in draft.sentences))
    )
    grader = OverlapGrader(overlap)
    grades = await grader.grade(claim.text, found)
    shown = [p for p, score in zip(found, grades, strict=True) if (score.value or 0.0) >= grader.threshold]
    standings = dict(
        zip((p.id for p in shown), await overlap.standings(claim.text, [p.indexed for p in shown]), strict=True)
    )
    refused: list[Checked] = []
    for _ in range(2):
        draft = await answerer.answer(claim.text, "claim", shown, checked=refused)
        cited = [(by_id[sentence.cites[0]], sentence.text) for sentence in draft.sentences]
        pairs = [(f"{passage.title}\n{' '.join(text.split())}", claim.text) for passage, text in cited]
        features = [
            found_features(evidence, standings[passage.id])
            for evidence, (passage, _) in zip(await overlap.evidence(pairs), cited, strict=True)
        ]
        asked.drafts.append([(places(*each), row) for each, row in zip(cited, features, strict=True)])
        refused += [Checked(text=text, verdict="unsupported", why="the next are asked for") for _, text in cited]
    return asked


def folds(claims: Sequence[Claim]) -> list[int]:
    """0 or 1 a claim; claims that are joined by evidence documents are in the same fold."""
    group = {claim.id: {claim.id} for claim in claims}
    by_document: dict[str, str] = {}
    for claim in claims:
        for document, _ in claim.evidence:
            other = by_document.setdefault(document, claim.id)
            joined = group[claim.id] | group[other]
            group.update(dict.fromkeys(joined, joined))
    leaders = sorted({min(members) for members in group.values()})
    random.Random(0).shuffle(leaders)
    side = {leader: place % 2 for place, leader in enumerate(leaders)}
    return [side[min(group[claim.id])] for claim in claims]


def tried(asked: Sequence[Asked], held: Sequence[list[list[float]]], line: float, beside: float) -> dict[str, float]:
    """What the check of quotations makes of all claims: the loop's rule, by held-out probabilities, in percent."""
    count = dict.fromkeys(("right", "cited", "right before", "cited before", "answerable", "lost", "right lost"), 0)
    for each, drafts in zip(asked, held, strict=True):
        kept: frozenset[tuple[str, int]] = frozenset()
        for quotations, values in zip(each.drafts, drafts, strict=True):
            need = max(line, min(beside, max(values, default=0.0)))
            kept = kept.union(*(places for (places, _), p in zip(quotations, values, strict=True) if p >= need))
            if kept:
                break
        gold = set(each.claim.evidence)
        count["right"] += len(kept & gold)
        count["cited"] += len(kept)
        count["right before"] += len(each.unchecked & gold)
        count["cited before"] += len(each.unchecked)
        count["answerable"] += bool(gold)
        count["lost"] += bool(gold and each.unchecked and not kept)
        count["right lost"] += bool(each.unchecked & gold and not kept & gold)
    before = 100 * count["right before"] / count["cited before"]
    after = 100 * count["right"] / max(1, count["cited"])
    return {
        "precision before": before, "after": after, "gain": after - before,
        "lost": 100 * count["lost"] / count["answerable"], "right lost": 100 * count["right lost"] / count["answerable"],
    }  # fmt: skip


def report(asked: Sequence[Asked]) -> None:
    """Fit, and print everything."""
    side = folds([each.claim for each in asked])
    rows = [
        (fold, row, bool(places & set(each.claim.evidence)))
        for fold, each in zip(side, asked, strict=True) for draft in each.drafts for places, row in draft
    ]  # fmt: skip
    columns: Any = [np.array(column) for column in zip(*rows, strict=True)]
    values = crossed("found", columns[0], columns[1], columns[2].astype(float))
    for low, high in itertools.pairwise((0, 0.05, 0.1, 0.2, 0.3, 0.5, 1)):
        here = (values >= low) & (values < high)
        if here.any():
            share = columns[2][here].mean()
            print(
                f"    P from {low:.2f} to {high:.2f}: mean {values[here].mean():.3f}, evidence {share:.3f} of {here.sum()}"
            )
    alone = 1 / (1 + np.exp(-columns[1][:, 0]))
    given = iter(np.where(alone >= 0.5, alone, values).tolist())  # as `Overlap.judge_found`
    held = [[[next(given) for _ in draft] for draft in each.drafts] for each in asked]
    for line, beside in itertools.product(_LINES, _BESIDE):
        made = tried(asked, held, line, beside)
        print(f"line {line:.3f}, beside {beside:.2f}: " + ", ".join(f"{k} {v:.1f}" for k, v in made.items()))


async def main() -> None:
    """Ask all claims and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--claims", type=int, default=None, metavar="N", help="training claims, drawn with seed 0 (all)"
    )
    parser.add_argument("--embedder", default="", help="sentence vectors too, as in minilm (words alone)")
    args = parser.parse_args()
    folder, settings = scifact(), Settings.load()
    claims = sorted(read_claims(folder / "claims_evidence.json", split="train"), key=lambda claim: claim.id)
    random.Random(0).shuffle(claims)
    claims = claims[: args.claims]
    index = await open_index("memory:")
    await index.upsert(list(read_corpus(folder / "corpus.jsonl")))
    hits = await index.search([claim.text for claim in claims], k=5, mode="bm25")
    known = read_sentences(folder / "cited_docs_sentences.json")
    with Store.open(settings) as store:
        embedder: Any = open_text_embedder(args.embedder, store, settings) if args.embedder else None
        try:
            overlap = Overlap(embedder)
            asked = [
                await ask(claim, [hit.passage for hit in found], overlap, known)
                for claim, found in zip(claims, hits, strict=True)
            ]
        finally:
            if embedder is not None:
                await embedder.aclose()
    report(asked)


if __name__ == "__main__":
    asyncio.run(main())
