"""What mini-verifier does on documents and claims that it was not trained on."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ....tools.entailment import Entailment
from .rows import Row, Rows
from .texts import Claim, collect
from .wordnet import WordNet

__all__ = ["held_out_rows", "measure_verifier"]

Figures = dict[str, float]


async def measure_verifier(judge: Entailment, work: Path, *, count: int) -> Figures:
    """Shares of `count` statements a domain that it calls supported, by the judge's own line; and on SciFact's test claims.

    Raises:
        PrerequisiteError: the texts are not here.
    """
    texts = collect(work)
    wordnet = WordNet.read(texts.wordnet)
    line = judge.thresholds["entails"]
    figures: Figures = {}
    kinds: defaultdict[str, list[bool]] = defaultdict(list)
    for domain in dict.fromkeys(text.domain for text in texts.held_out):
        rows = held_out_rows(Rows([text for text in texts.held_out if text.domain == domain], [], wordnet), count)
        supports = [each.supports for each in await judge.judge([(row.premise, row.statement) for row in rows])]
        true = [value for value, row in zip(supports, rows, strict=True) if row.outcome == "supports"]
        false = [value for value, row in zip(supports, rows, strict=True) if row.outcome != "supports"]
        figures |= {
            f"{domain}: true statements called supported": _share(true, line),
            f"{domain}: false ones": _share(false, line),
            f"{domain}: area under the curve": _area(true, false),
        }
        for value, row in zip(supports, rows, strict=True):
            if row.outcome != "supports":
                kinds[row.kind].append(value >= line)
    figures |= {f"false ones, {kind}": round(float(np.mean(flags)), 4) for kind, flags in sorted(kinds.items())}
    return figures | await _on_claims(judge, texts.test_claims)


def held_out_rows(rows: Rows, count: int) -> list[Row]:
    """The same rows each time."""
    rng = random.Random(99)
    return [rows.draw(rng) for _ in range(count)]


async def _on_claims(judge: Entailment, claims: Sequence[Claim]) -> Figures:
    """Of the marked sentences together; for a claim without any, of one sentence of what it cites."""
    rng = random.Random(98)
    pairs, outcomes = [], []
    for claim in claims:
        lines = claim.text.sentences
        marked = [lines[place] for place in claim.evidence]
        if marked or not claim.outcome:
            pairs.append((" ".join(marked) if claim.outcome else rng.choice(lines), claim.claim))
            outcomes.append(claim.outcome)
    judged = await judge.judge(pairs)
    by_outcome = {
        name: [each for each, outcome in zip(judged, outcomes, strict=True) if outcome == name]
        for name in ("supports", "contradicts", "")
    }
    supported = [each.supports for each in by_outcome["supports"]]
    others = [each.supports for name in ("contradicts", "") for each in by_outcome[name]]
    against = [each.supports for each in by_outcome["contradicts"]]
    told = [each.evidence for name in ("supports", "contradicts") for each in by_outcome[name]]
    line = judge.thresholds["entails"]
    return {
        "SciFact test claims: true ones called supported": _share(supported, line),
        "SciFact test claims: others": _share(others, line),
        "SciFact test claims: supported from the rest, area under the curve": _area(supported, others),
        "SciFact test claims: supported from contradicted, area": _area(supported, against),
        "SciFact test claims: evidence from none, area": _area(told, [each.evidence for each in by_outcome[""]]),
    }


def _share(values: Sequence[float], line: float) -> float:
    return round(float(np.mean(np.array(values) >= line)), 4)


def _area(above: Sequence[float], below: Sequence[float]) -> float:
    """The probability that one of `above` is larger than one of `below`."""
    return round(float(np.mean(np.array(above)[:, None] > np.array(below)[None])), 4)
