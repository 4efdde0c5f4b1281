"""The report of `inloop llm2llm`: what the rows were worth, where the student errs before and after, and what was written for what.

Drawn from `result.json` and nothing else. One HTML file without scripts or outside resources; text of rows and models is escaped.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...graphs.llm2llm import ArmRow, ArmRun, Llm2LlmResult, Measured, StepRecord, words_of
from ..cli import amount, seconds, signed
from ..report import CurvePoint, Interval, curve, draw, intervals

if TYPE_CHECKING:
    from ...runtime.store import BlobStore
from ...runtime.run import RunFolder

__all__ = ["render", "read_outcome"]

_EXAMPLES = 12
_WRITTEN = 6
_LABELS = 25  # more columns than that cannot be read


@dataclass(kw_only=True)
class Example:
    """A mistake, what was written for it, and what became of it."""

    text: str
    label: str
    said: str
    step: int
    rows: list[tuple[str, str, str]]
    fixed: str


@dataclass(kw_only=True)
class Confusion:
    """A table of labels against answers."""

    name: str
    answers: list[str]
    rows: list[tuple[str, list[tuple[int, str]]]]


def render(outcome: Llm2LlmResult, blobs: BlobStore) -> str:
    """The whole page as a string."""
    main = outcome.main_runs
    first = main[0]
    total = sum((run.table for run in main[1:]), first.table)
    seeds = next((run for run in outcome.ways if run.way == "seed-only" and run.repeat == first.repeat), None)
    return draw(
        "llm2llm/llm2llm.html.j2",
        outcome=outcome,
        headline=outcome.finding(),
        kind=_kind(outcome),
        when=outcome.created.replace("T", " ")[:16],
        took=seconds(outcome.seconds),
        main=words_of(outcome.main),
        table=[_cells(row, outcome.main) for row in outcome.table],
        many=max((row.repeats for row in outcome.table), default=1) > 1,
        plot=_plot(outcome),
        curves=[(f"repeat {run.repeat + 1}", drawn) for run in main if (drawn := _curve(run))],
        steps=[_step(step) for step in first.steps],
        refusals=total.lines(),
        stops=list(dict.fromkeys(run.stop for run in main)),
        confusions=_confusions(seeds, first),
        examples=_examples(first),
        contamination=first.contamination,
        spent=[
            (
                stage,
                amount(s.calls),
                amount(s.input_tokens),
                amount(s.output_tokens),
                _money(s.money),
                seconds(s.seconds),
            )
            for stage, s in outcome.spent.items()
        ],
        paid=_money(outcome.cost.money),
        calls=[
            (kind, amount(c.get("paid", 0)), amount(c.get("reused", 0))) for kind, c in sorted(outcome.calls.items())
        ],
        config=[
            (key, "none" if value in (None, "", [], {}) else str(value))
            for key, value in sorted(outcome.config.items())
        ],
        ways=[(words_of(row.way), row.note) for row in outcome.table if row.note],
    )


def _kind(result: Llm2LlmResult) -> str:
    """The colour of the verdict: "good" only where the main arm beats the seeds alone and every rival."""
    row, rival = result.main_row, result.rival
    if row is None or row.gain is None:
        return "unknown"
    if row.verdict == "better" and rival is not None and (rival.gain or 0.0) >= row.gain:
        return "unknown"
    return {"better": "good", "worse": "bad", "unclear": "unknown"}[row.verdict]


def _cells(row: ArmRow, main: str) -> dict[str, object]:
    spread = "" if row.gain_se is None else f"{row.gain_se:.1f}"
    if row.gain_se is None and row.ci is not None:
        spread = f"{signed(row.ci[0])} to {signed(row.ci[1])}"
    return {
        "way": words_of(row.way),
        "mine": row.way == main,
        "rows": f"{row.rows:g}",
        "accuracy": "no test" if row.accuracy is None else f"{row.accuracy:.1f}",
        "se": "" if row.se is None else f"± {row.se:.1f}",
        "gain": "" if row.gain is None else signed(row.gain),
        "spread": spread,
        "repeats": row.repeats,
        "note": row.note,
    }


def _plot(outcome: Llm2LlmResult) -> str:
    rows = []
    for row in outcome.table:
        if row.gain is None:
            continue
        low, high = row.interval or (None, None)
        rows.append(Interval(words_of(row.way), row.gain, low, high, row.way == outcome.main))
    return intervals(rows, name="Gain in test accuracy over the seeds alone, in points") if rows else ""


def _curve(run: ArmRun) -> str:
    points = [
        CurvePoint(
            step.step,
            None if step.dev is None else 100 * step.dev.accuracy,
            f"step {step.step}: {step.size} rows, dev {100 * step.dev.accuracy:.1f}{'' if step.kept else ' (put aside)'}"
            if step.dev
            else "",
        )
        for step in run.steps
    ]
    first = next((point.points for point in points if point.points is not None), None)
    return curve(points, baseline=first, name="Accuracy on the dev rows after each step; dashed: the seeds alone") if first is not None else ""  # fmt: skip


def _step(step: StepRecord) -> dict[str, object]:
    formats = sum(one.outcome == "format" for one in step.mistakes)
    return {
        "step": step.step,
        "mistakes": len(step.mistakes),
        "formats": formats,
        "asked": step.table.asked,
        "accepted": step.table.accepted,
        "added": step.added,
        "size": step.size,
        "dev": "" if step.dev is None else f"{100 * step.dev.accuracy:.1f}",
        "note": step.note,
    }


def _confusions(seeds: ArmRun | None, run: ArmRun) -> list[Confusion]:
    found = []
    for name, measured in (("seeds alone", None if seeds is None else seeds.test), (words_of(run.way), run.test)):
        if measured is not None and measured.confusion:
            found.append(_confusion(name, measured))
    return found


def _confusion(name: str, measured: Measured) -> Confusion:
    labels = list(measured.confusion)
    if len(labels) > _LABELS:
        name = f"{name}, the {_LABELS} of {len(labels)} labels with the most mistakes"
        wrong = {label: sum(counts.values()) - counts.get(label, 0) for label, counts in measured.confusion.items()}
        labels = sorted(sorted(labels, key=lambda label: -wrong[label])[:_LABELS])
    answers = sorted({answer for label in labels for answer in measured.confusion[label]} | set(labels))
    rows = []
    for label in labels:
        counts = measured.confusion[label]
        cells = [
            (counts.get(answer, 0), "high" if answer == label else "low" if counts.get(answer) else "none")
            for answer in answers
        ]
        rows.append((label, cells))
    return Confusion(name=name, answers=answers, rows=rows)


def _examples(run: ArmRun) -> list[Example]:
    """Mistakes with what was written for them; first those whose rows were taken."""
    later: dict[str, list[int]] = {}
    for step in run.steps:
        for one in step.mistakes:
            later.setdefault(one.seed.id, []).append(step.step)
    last = max((step.step for step in run.steps if step.mistakes), default=0)
    found = []
    for step in run.steps:
        for one in step.mistakes:
            mine = [entry for entry in step.judged if entry.seed == one.seed.id]
            again = [place for place in later[one.seed.id] if place > step.step]
            if again:
                fixed = f"still wrong in step {again[0]}"
            elif step.step == last:
                fixed = "not looked at again: the last step"
            else:
                fixed = f"right in step {step.step + 1}"
            found.append(
                Example(
                    text=one.seed.text[:400],
                    label=one.seed.label[:200],
                    said=f"no answer of the task: {one.said!r}" if one.outcome == "format" else str(one.said),
                    step=step.step,
                    rows=[
                        (entry.text[:300], entry.outcome, entry.reason if entry.outcome != "accepted" else "")
                        for entry in sorted(mine, key=lambda entry: entry.outcome != "accepted")[:_WRITTEN]
                    ],
                    fixed=fixed,
                )
            )
    counts = Counter(example.fixed.startswith("right") for example in found)
    # fixed and unfixed ones by turns, as they come, so that the page does not flatter
    wanted = {True: max(1, round(_EXAMPLES * counts[True] / max(1, len(found)))), False: _EXAMPLES}
    shown: list[Example] = []
    for example in found:
        good = example.fixed.startswith("right")
        if wanted[good] > 0 and len(shown) < _EXAMPLES:
            wanted[good] -= 1
            shown.append(example)
    return shown


def _money(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g} US$"


def read_outcome(folder: RunFolder) -> Llm2LlmResult:
    """The result of a finished run; `PrerequisiteError` where it is not one of this version."""
    from ...graphs.llm2llm import Llm2LlmResult

    return folder.result_as(Llm2LlmResult)
