"""A run of LLM2LLM in words: while it works, when it is done, and as JSON for machines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...graphs.llm2llm import (
    ARMS,
    ArmDone,
    ArmRow,
    ArmRun,
    ArmStarted,
    Llm2LlmResult,
    MistakesFound,
    NoMistakes,
    RowsJudged,
    StepDone,
    TrainingTold,
    words_of,
)
from ...runtime.display import counted, seconds, signed
from ...runtime.session import Event
from ...runtime.text import lines_of
from ..cli import RunView, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["RowsView", "as_json", "in_words", "refusal"]


def refusal(result: Llm2LlmResult) -> str | None:
    """Why no row was accepted although rows were asked for, with the table of what became of them; None where one was.

    A run that its budget stopped was not refused, and neither was one whose rows the dev rows put aside: that is its finding.
    """
    mine = result.main_runs
    total = sum((run.table for run in mine[1:]), mine[0].table)
    if result.stopped or total.accepted or not total.asked:
        return None
    lines = "\n".join(f"    {line}" for line in lines_of(str(total)))
    why = "no row that the teacher wrote was accepted"
    if not total.parsed and not total.failed and not total.refused and not total.unreadable:  # as only an oracle does
        why = "the oracle has no unused row of the classes that it was asked for"
    return f"{why}: the student is that of the seeds alone.\n{lines}"


def put_aside(result: Llm2LlmResult) -> str | None:
    """That rows were accepted and the dev rows put all of them aside; None where some were added, or none accepted."""
    mine = result.main_runs
    refused = [(run, step) for run in mine for step in run.steps if not step.kept]
    if not refused or any(run.added for run in mine):
        return None
    rows = sum(step.table.accepted for _, step in refused)
    several = len(mine) > 1
    steps = "; ".join(
        f"{f'repeat {run.repeat + 1}, ' if several else ''}step {step.step}: {step.note.removeprefix('put aside: ')}"
        for run, step in refused
    )
    return f"{counted(rows, 'row')} accepted, and put aside by the dev rows ({steps}): the student is that of the seeds alone."


@dataclass
class Working:
    """An arm that is worked on."""

    steps: int = 0
    step: int = 0
    what: str = "training"


class RowsView(RunView):
    """What is known of a run from its events: the arms that are worked on."""

    quiet = (TrainingTold,)

    def __init__(self, *, repeat: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("repeats", clock=clock)
        self.repeat = repeat
        self.working: dict[str, Working] = {}
        self.ended = 0

    @property
    def begun(self) -> bool:
        """Whether an arm was begun."""
        return bool(self.working or self.ended)

    def see(self, event: Event) -> list[str]:
        """Take one event in; the lines that are worth keeping."""
        name, _, repeat = event.task.rpartition(".")
        where = f"{name} {int(repeat) + 1}/{self.repeat}: " if name and self.repeat > 1 else f"{name}: " if name else ""
        arm = ARMS.get(name)
        match event:
            case TrainingTold():
                return [printable(event.text)]
            case ArmStarted():
                self.working[event.task] = Working(steps=event.steps)
            case MistakesFound():
                self._update(event.task, event.step, f"{event.count} of {event.of} seeds, writing rows")
                if arm is None or arm.mining != "random":
                    return [f"{where}step {event.step}: {event.count} of {event.of} seeds are wrong"]
            case NoMistakes():
                return [f"{where}no seed is wrong any more ({event.mining}): nothing to write for"]
            case RowsJudged():
                self._update(event.task, event.step, "training")
                if arm is None or arm.rows == "teacher":
                    return [f"{where}rows: " + ", ".join(f"{count} {what}" for what, count, _ in event.lines if count)]
            case StepDone():
                self._update(event.task, event.step, "training")
                dev = "" if event.dev is None else f", dev {100 * event.dev:.1f}"
                if arm is None or arm.mining != "random":
                    added = f"{event.added} rows added, {event.size} in all{dev}"
                    return [f"{where}step {event.step}: {event.note or added}"]
            case ArmDone():
                self.working.pop(event.task, None)
                self.ended += 1
                score = "no test rows" if event.accuracy is None else f"test {100 * event.accuracy:.1f}"
                return [f"{where}{score}, {event.added} rows added; stopped: {event.stop}"]
            case _:
                return super().see(event)
        return []

    def _update(self, task: str, step: int, what: str) -> None:
        arm = self.working.setdefault(task, Working())
        arm.step, arm.what = step, what

    def table(self, width: int) -> RenderableType:
        """The arms that are worked on."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for task, arm in list(self.working.items()):
            step = f"step {arm.step}" + (f" of {arm.steps}" if arm.steps else "")
            table.add_row(Text("●", style="cyan"), Text(task), Text(step), Text(arm.what[: width - 40], style="dim"))
        foot = f"  {seconds(self.elapsed)} · {self.ended} ways done · Ctrl-C stops after this step, twice at once"
        return Group(Text(""), table, Text(foot[: width - 1], style="dim"))


def as_json(result: Llm2LlmResult) -> dict[str, Any]:
    """What a script needs of this loop; everything else is in `result.json`."""
    why = refusal(result)
    error = {"error": {"kind": "nothing accepted", "message": why, "remedy": None}, "exit_code": 1} if why else {}
    return {
        "counts": result.counts,
        "table": [row.model_dump(mode="json") for row in result.table],
        "main": [_brief(run) for run in result.main_runs],
        "ways": [_brief(run) for run in result.ways if run.way != result.main],
        "spent": {stage: spent.model_dump(mode="json") for stage, spent in result.spent.items()},
        **error,
    }


def _brief(run: ArmRun) -> dict[str, Any]:
    return {
        "way": run.way,
        "repeat": run.repeat,
        "stop": run.stop,
        "seeds": run.seeds,
        "added": run.added,
        "data_sha256": run.data_sha256,
        "accuracy": None if run.test is None else run.test.accuracy,
        "dev": [None if step.dev is None else step.dev.accuracy for step in run.steps],
        "rows": {what: count for what, count, _ in run.table.lines()},
    }


def in_words(result: Llm2LlmResult, bold: bool = False) -> list[str]:
    """The summary as lines of text, the finding first."""
    counts = result.counts
    lines = [
        "",
        f"  {result.finding()}",
        "",
        f"  {counts['seeds']} seeds, {counts['dev']} dev, {counts['test']} test rows; test accuracy in points",
    ]
    lines += ["", *_table(result)] if result.table else []
    main = result.main_runs
    total = sum((run.table for run in main[1:]), main[0].table)
    if total.asked:
        lines += [
            "",
            f"  what became of the rows ({words_of(result.main)}{', all repeats' if len(main) > 1 else ''})",
        ]
        lines += [f"    {line}" for line in lines_of(str(total))]
    stops = dict.fromkeys(run.stop for run in main)
    lines += ["", f"  stopped: {'; '.join(stops)}"]
    if why := refusal(result):
        lines += [f"  {lines_of(why)[0]}"]
    if aside := put_aside(result):
        lines += [f"  {aside}"]
    return lines


def _table(result: Llm2LlmResult) -> list[str]:
    many = any(row.gain_se is not None for row in result.table)
    head = ("", "rows added", "accuracy", "gain", "s.e." if many else "95 % interval", "")
    rows = [_cells(row, mine=row.way == result.main, many=many) for row in result.table]
    widths = [max(len(cells[i]) for cells in [head, *rows]) for i in range(len(head))]
    lines = []
    for cells in [head, *rows]:
        shown = [
            cell.ljust(w) if i in (0, 5) else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(shown)}".rstrip())
    return lines


def _cells(row: ArmRow, *, mine: bool, many: bool) -> tuple[str, ...]:
    spread = "" if row.gain_se is None else f"{row.gain_se:.1f}"
    if not many and row.ci is not None:
        spread = f"{signed(row.ci[0])} to {signed(row.ci[1])}"
    accuracy = (
        "no test" if row.accuracy is None else f"{row.accuracy:.1f}" + ("" if row.se is None else f" ± {row.se:.1f}")
    )
    gain = "" if row.gain is None else signed(row.gain)
    return (f"{'*' if mine else ' '} {words_of(row.way)}", f"{row.rows:g}", accuracy, gain, spread, row.note)
