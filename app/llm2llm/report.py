"""The report of `inloop llm2llm`: what the rows were worth, where the student errs before and after, and what was written for what.

Drawn from `result.json` and nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...graphs.llm2llm import ArmRow, ArmRun, Llm2LlmResult, Measured, StepRecord, words_of
from ...runtime.display import amount, seconds, signed
from ..report import CurvePoint, curve, run_page

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["render"]

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


def render(result: Llm2LlmResult, blobs: BlobStore | None = None) -> str:
    """The whole page as a string."""
    main = result.main_runs
    first = main[0]
    seeds = next((run for run in result.ways if run.way == "seed-only" and run.repeat == first.repeat), None)
    counts, stops = result.counts, "; ".join(dict.fromkeys(run.stop for run in main))
    return run_page(
        result,
        blobs,
        template="llm2llm/llm2llm.html.j2",
        hidden=("files", "task_options"),
        verdict=f"{counts['seeds']} seeds, {counts['dev']} dev rows, {counts['test']} test rows. Stopped: {stops}.",
        kind=_kind(result),
        main=words_of(result.main),
        several=any(row.gain_se is not None for row in result.table),
        table=[_cells(row) for row in result.table],
        curves=[(f"repeat {run.repeat + 1}", svg) for run in main if (svg := _curve(run))],
        steps=[_step(step) for step in first.steps],
        outcomes=sum((run.table for run in main[1:]), first.table).lines(),
        confusions=_confusions(seeds, first),
        examples=_examples(first),
        contamination=first.contamination,
        stages=[
            (
                stage,
                amount(spent.calls),
                amount(spent.input_tokens),
                amount(spent.output_tokens),
                "unknown" if spent.money is None else f"{spent.money:.4g} US$",
                seconds(spent.seconds),
            )
            for stage, spent in result.spent.items()
        ],
    )


def _kind(result: Llm2LlmResult) -> str:
    """The colour of the verdict: "good" only where the main arm beats the seeds alone and every rival."""
    row, rival = result.main_row, result.rival
    if row is None or row.gain is None:
        return "unknown"
    if row.verdict == "better" and rival is not None and (rival.gain or 0.0) >= row.gain:
        return "unknown"
    return {"better": "good", "worse": "bad", "unclear": "unknown"}[row.verdict]


def _cells(row: ArmRow) -> tuple[str, ...]:
    spread = "" if row.gain_se is None else f"{row.gain_se:.1f}"
    if row.gain_se is None and row.ci is not None:
        spread = f"{signed(row.ci[0])} to {signed(row.ci[1])}"
    accuracy = "no test" if row.accuracy is None else f"{row.accuracy:.1f}"
    return (
        words_of(row.way),
        f"{row.rows:g}",
        accuracy if row.se is None else f"{accuracy} ± {row.se:.1f}",
        "" if row.gain is None else signed(row.gain),
        spread,
        str(row.repeats),
        row.note,
    )


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


def _step(step: StepRecord) -> tuple[str, ...]:
    return (
        str(step.step or "seeds"),
        str(len(step.mistakes)),
        str(sum(one.outcome == "format" for one in step.mistakes)),
        str(step.table.asked),
        str(step.table.accepted),
        str(step.added),
        str(step.size),
        "" if step.dev is None else f"{100 * step.dev.accuracy:.1f}",
        step.note,
    )


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
