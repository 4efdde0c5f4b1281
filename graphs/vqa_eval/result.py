"""What an evaluation on a VQA data set comes to: accuracy under every rule, pairs of methods, slices, causes, worst items.

`result.json` of a run folder is a `VQAEvalResult`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from ...evaluators.stats import Comparison, Estimate, compare, estimate
from ...evaluators.vqa import RIGHT, Cause, VQAItem, find_rule, majority, vqa_accuracy
from ...runtime.records import Record
from ...runtime.run import RunResult
from ..promptcap import Method, VQATask
from .ablations import OURS

__all__ = [
    "Pair",
    "Answers",
    "Scores",
    "VQAEvalResult",
    "MethodReport",
    "pairs_of",
    "rows_of",
    "score_tasks",
    "method_report",
    "worst_of",
]

_FEWEST = 5  # items of a slice that is shown

Scores = dict[str, dict[str, float | None]]
"""By rule, by question id, the accuracy; None where it was not answered, or the rule does not count it."""

Answers = dict[str, dict[str, VQATask]]
"""By method, by question id."""


class MethodReport(Record):
    """One method: accuracy from 0 to 1 by rule, with intervals. `told`: the share that was answered at all."""

    way: Method
    rules: dict[str, Estimate]
    slices: dict[str, Estimate] = Field(default_factory=dict)
    told: float | None = None
    notes: tuple[str, ...] = ()


class Pair(Record):
    """Two methods on the same questions, by the headline rule: `comparison.gain` is `after - before`."""

    before: str
    after: str
    comparison: Comparison


class VQAEvalResult(RunResult[VQATask]):
    """The whole evaluation. `causes`: of ours, how many questions each; `unexplained` says why there is none.

    `headline`: the rule of the data set's own script, by which methods are compared and errors told. `tasks` stays empty: every
    question with its answers is a line of `items.jsonl`.
    """

    tasks: tuple[VQATask, ...] = ()
    headline: str
    questions: int
    ways: tuple[MethodReport, ...]
    pairs: tuple[Pair, ...] = ()
    causes: dict[str, int] = Field(default_factory=dict)
    unexplained: str = ""
    worst: tuple[dict[str, Any], ...] = ()


def score_tasks(rules: Sequence[str], asked: Sequence[VQAItem], tasks: Mapping[str, VQATask]) -> Scores:
    """The accuracy of every question under every rule; what was not answered is None."""
    scores: Scores = {}
    for name in rules:
        easy = find_rule(name).easy_only
        scores[name] = {
            item.id: vqa_accuracy(task.answer, item.asked, rule=name)
            if (task := tasks.get(item.id)) is not None
            and task.reason != "failed"
            and not (easy and item.asked.difficult)
            else None
            for item in asked
        }
    return scores


def method_report(
    method: Method,
    asked: Sequence[VQAItem],
    tasks: Mapping[str, VQATask],
    scores: Scores,
    headline: str,
    failures: Sequence[str] = (),
) -> MethodReport:
    """The figures of one method; `failures`: why questions failed for good."""
    rules = {name: estimate(list(by_id.values())) for name, by_id in scores.items()}
    types: dict[str, list[float | None]] = {}
    for item in asked:
        types.setdefault(item.type, []).append(scores[headline][item.id])
    slices = {kind: estimate(values) for kind, values in sorted(types.items()) if len(values) >= _FEWEST}
    told = [task.told for task in tasks.values()] + [False] * len(failures)
    notes = [task.why for task in tasks.values() if "log-probabilities" in task.why]
    failed = [task.why for task in tasks.values() if task.reason == "failed"] + [*failures]
    notes += [f"{method.name}: {len(failed)} questions failed, such as: {failed[0]}"] if failed else []
    return MethodReport(
        way=method,
        rules=rules,
        slices=slices,
        told=sum(told) / len(told) if told else None,
        notes=tuple(dict.fromkeys(notes)),
    )


def pairs_of(methods: Sequence[Method], scores: Mapping[str, Scores], headline: str) -> tuple[Pair, ...]:
    """Each rung with the one before it, and ours with all others."""
    names = [method.name for method in methods]
    rungs = names[: names.index(OURS) + 1]
    wanted = [*itertools.pairwise(rungs), *((name, OURS) for name in names if name != OURS)]
    return tuple(
        Pair(before=before, after=after, comparison=compare(scores[before][headline], scores[after][headline]))
        for before, after in dict.fromkeys(wanted)
    )


def rows_of(
    asked: Sequence[VQAItem], answers: Answers, scores: Mapping[str, Scores], causes: Mapping[str, Cause], headline: str
) -> list[dict[str, Any]]:
    """Every question as a line of `items.jsonl`."""
    rows = []
    for item in asked:
        ours = answers[OURS].get(item.id)
        rows.append(
            {
                "question_id": item.id, "question": item.question, "type": item.type, "people": majority(item.asked),
                "answer": None if ours is None else ours.answer, "score": scores[OURS][headline][item.id],
                "cause": causes.get(item.id), "captions": [] if ours is None else [c.text for c in ours.evidence.captions],
                "tags": "" if ours is None else ours.evidence.tags, "text": "" if ours is None else ours.evidence.ocr,
                "passages": [] if ours is None else [seen.id for seen in ours.evidence.passages],
                "ways": {
                    name: {"answer": tasks[item.id].answer, "score": scores[name][headline][item.id]}
                    for name, tasks in answers.items()
                    if item.id in tasks
                },
            }
        )  # fmt: skip
    return rows


def worst_of(rows: Sequence[dict[str, Any]], most: int = 20) -> tuple[dict[str, Any], ...]:
    """The rows that ours got wrong, the lowest scores first."""
    wrong = [row for row in rows if row["score"] is not None and row["score"] < RIGHT]
    return tuple(sorted(wrong, key=lambda row: (row["score"], row["question_id"]))[:most])
