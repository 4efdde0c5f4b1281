"""What an evaluation on a VQA data set comes to: accuracy under every rule, pairs of ways, slices, causes, worst items.

`result.json` of a run folder is a `VQAReport`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from ...evaluators.stats import Comparison, Estimate, compare, estimate
from ...evaluators.vqa import RIGHT, Cause, VQAItem, find_rule, majority, vqa_accuracy
from ...runtime.records import Cost, Record
from ..promptcap import VQATask, Way
from .ablations import OURS

__all__ = [
    "Pair",
    "Scores",
    "Tasks",
    "VQAReport",
    "WayReport",
    "pairs_of",
    "rows_of",
    "score_tasks",
    "way_report",
    "worst_of",
]

_FEWEST = 5  # items of a slice that is shown

Scores = dict[str, dict[str, float | None]]
"""By rule, by question id, the accuracy; None where it was not answered, or the rule does not count it."""

Tasks = Mapping[str, Mapping[str, VQATask]]
"""By way, by question id."""


class WayReport(Record):
    """One way: accuracy from 0 to 1 by rule, with intervals. `told`: the share that was answered at all."""

    way: Way
    rules: dict[str, Estimate]
    slices: dict[str, Estimate] = Field(default_factory=dict)
    told: float | None = None
    notes: tuple[str, ...] = ()


class Pair(Record):
    """Two ways on the same questions, by the headline rule: `comparison.gain` is `after - before`."""

    before: str
    after: str
    comparison: Comparison


class VQAReport(Record):
    """The whole evaluation. `causes`: of ours, how many questions each; `unexplained` says why there is none.

    `headline`: the rule of the data set's own script, by which ways are compared and errors told.
    """

    schema_version: int = 1
    run_id: str
    loop: str = "vqa_eval"
    created: str
    seconds: float
    config: dict[str, Any]
    models: dict[str, dict[str, str]]
    headline: str
    questions: int
    ways: tuple[WayReport, ...]
    pairs: tuple[Pair, ...] = ()
    causes: dict[str, int] = Field(default_factory=dict)
    unexplained: str = ""
    worst: tuple[dict[str, Any], ...] = ()
    cost: Cost = Cost()
    calls: dict[str, dict[str, int]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    stopped: str | None = None


def score_tasks(rules: Sequence[str], asked: Sequence[VQAItem], tasks: Mapping[str, VQATask]) -> Scores:
    """The accuracy of every question under every rule; what was not answered is None."""
    found: Scores = {}
    for name in rules:
        easy = find_rule(name).easy_only
        found[name] = {
            item.id: vqa_accuracy(task.answer, item.asked, rule=name)
            if (task := tasks.get(item.id)) is not None
            and task.reason != "failed"
            and not (easy and item.asked.difficult)
            else None
            for item in asked
        }
    return found


def way_report(
    way: Way, asked: Sequence[VQAItem], tasks: Mapping[str, VQATask], scores: Scores, headline: str
) -> WayReport:
    """The figures of one way."""
    rules = {name: estimate(list(by_id.values())) for name, by_id in scores.items()}
    types: dict[str, list[float | None]] = {}
    for item in asked:
        types.setdefault(item.type, []).append(scores[headline][item.id])
    slices = {kind: estimate(values) for kind, values in sorted(types.items()) if len(values) >= _FEWEST}
    told = [task.told for task in tasks.values()]
    notes = [task.why for task in tasks.values() if "log-probabilities" in task.why]
    failed = [task.why for task in tasks.values() if task.reason == "failed"]
    notes += [f"{way.name}: {len(failed)} questions failed, such as: {failed[0]}"] if failed else []
    return WayReport(
        way=way,
        rules=rules,
        slices=slices,
        told=sum(told) / len(told) if told else None,
        notes=tuple(dict.fromkeys(notes)),
    )


def pairs_of(ways: Sequence[Way], scores: Mapping[str, Scores], headline: str) -> tuple[Pair, ...]:
    """Each rung with the one before it, and ours with all others."""
    names = [way.name for way in ways]
    rungs = names[: names.index(OURS) + 1]
    wanted = [*itertools.pairwise(rungs), *((name, OURS) for name in names if name != OURS)]
    return tuple(
        Pair(before=before, after=after, comparison=compare(scores[before][headline], scores[after][headline]))
        for before, after in dict.fromkeys(wanted)
    )


def rows_of(
    asked: Sequence[VQAItem], tasks: Tasks, scores: Mapping[str, Scores], causes: Mapping[str, Cause], headline: str
) -> list[dict[str, Any]]:
    """Every question as a line of `items.jsonl`."""
    rows = []
    for item in asked:
        ours = tasks[OURS].get(item.id)
        rows.append(
            {
                "question_id": item.id, "question": item.question, "type": item.type, "people": majority(item.asked),
                "answer": None if ours is None else ours.answer, "score": scores[OURS][headline][item.id],
                "cause": causes.get(item.id), "captions": [] if ours is None else [c.text for c in ours.evidence.captions],
                "tags": "" if ours is None else ours.evidence.tags, "text": "" if ours is None else ours.evidence.ocr,
                "passages": [] if ours is None else [seen.id for seen in ours.evidence.passages],
                "ways": {
                    name: {"answer": found[item.id].answer, "score": scores[name][headline][item.id]}
                    for name, found in tasks.items()
                    if item.id in found
                },
            }
        )  # fmt: skip
    return rows


def worst_of(rows: Sequence[dict[str, Any]], most: int = 20) -> tuple[dict[str, Any], ...]:
    """The rows that ours got wrong, the lowest scores first."""
    wrong = [row for row in rows if row["score"] is not None and row["score"] < RIGHT]
    return tuple(sorted(wrong, key=lambda row: (row["score"], row["question_id"]))[:most])
