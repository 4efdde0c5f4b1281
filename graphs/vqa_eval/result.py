"""What an evaluation on a VQA data set comes to: accuracy under every rule, pairs of methods, slices, causes, worst items.

`result.json` of a run folder is a `VQAEvalResult`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ...evaluators.stats import Comparison, Estimate, compare, estimate
from ...evaluators.vqa import RIGHT, Cause, VQAItem, find_rule, majority, vqa_accuracy
from ...runtime.display import Forest, Interval, amount
from ...runtime.folder import RunResult
from ...runtime.records import Record
from ..promptcap import Method, VQATask
from .ablations import OURS

if TYPE_CHECKING:
    from ...runtime.display import Cell

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

    `headline`: the rule by which methods are compared and errors told: that of the data set's own script, or `any_human_answer`
    where most questions have too few human answers for it. `tasks` stays empty: every question with its answers is a line of
    `items.jsonl`. `predictions`: the file of answers that was written, "" for none.
    """

    tasks: tuple[VQATask, ...] = ()
    headline: str
    questions: int
    ways: tuple[MethodReport, ...]
    pairs: tuple[Pair, ...] = ()
    causes: dict[str, int] = Field(default_factory=dict)
    unexplained: str = ""
    worst: tuple[dict[str, Any], ...] = ()
    predictions: str = ""

    @property
    def rival(self) -> Pair | None:
        """The best of the methods that ours is compared with, by the headline rule; one with an oracle is a bound and no rival."""
        bounds = {each.way.name for each in self.ways if "oracle" in (each.way.caption, each.way.knowledge)}
        scores = {each.way.name: each.rules[self.headline].value for each in self.ways}
        pairs = [pair for pair in self.pairs if pair.after == OURS and pair.before not in bounds]
        scored = [(score, pair) for pair in pairs if (score := scores.get(pair.before)) is not None]
        return max(scored, key=lambda each: each[0])[1] if scored else None

    def finding(self) -> str:
        """The accuracy of ours, the best other method beside it."""
        scores = {each.way.name: each.rules[self.headline].value for each in self.ways}
        ours, rival = scores.get(OURS), self.rival
        asked = f"of {amount(self.questions)} questions" if self.questions != 1 else "of one question"
        if ours is None:
            return f"Nothing was scored {asked}"
        beside = f", {rival.before} {100 * (scores[rival.before] or 0.0):.1f}" if rival is not None else ""
        return f"{OURS.capitalize()} {100 * ours:.1f} percent {asked}{beside}"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a method, in percent: accuracy by the headline rule with its interval, then by every other rule."""
        return [
            {
                "method": each.way.name,
                "accuracy": _percent(each.rules[self.headline].value),
                "low": _percent((each.rules[self.headline].ci or (None, None))[0]),
                "high": _percent((each.rules[self.headline].ci or (None, None))[1]),
                "scored": each.rules[self.headline].n,
                "not scored": each.rules[self.headline].unscored,
                **{name: _percent(rule.value) for name, rule in each.rules.items() if name != self.headline},
            }
            for each in self.ways
        ]

    def forests(self) -> tuple[Forest, ...]:
        """Every method's accuracy, and what ours gains over each on the same questions."""
        rule = self.headline.replace("_", " ")
        methods = Forest(
            title=f"Accuracy in percent by {rule}, with 95 % intervals over questions",
            rows=tuple(_interval(each.way.name, each.rules[self.headline]) for each in self.ways),
            gains=False,
        )
        pairs = [_interval(f"over {pair.before}", pair.comparison.gain) for pair in self.pairs if pair.after == OURS]
        gains = Forest(title="What ours gains on the same questions, in points", rows=tuple(pairs))
        return (methods, gains) if pairs else (methods,)


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _interval(name: str, estimate: Estimate) -> Interval:
    low, high = estimate.ci or (None, None)
    return Interval(name, _percent(estimate.value), _percent(low), _percent(high), main=name == OURS)


def score_tasks(rules: Sequence[str], asked: Sequence[VQAItem], tasks: Mapping[str, VQATask]) -> Scores:
    """The accuracy of every question under every rule; what was not answered is None."""
    scores: Scores = {}
    for name in rules:
        rule = find_rule(name)
        scores[name] = {
            item.id: vqa_accuracy(task.answer, item.asked, rule=name)
            if (task := tasks.get(item.id)) is not None
            and task.reason != "failed"
            and rule.can_score(item.asked)
            and not (rule.easy_only and item.asked.difficult)
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
