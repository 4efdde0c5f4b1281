"""A run of LLM2LLM in words: while it works, when it is done, and as JSON for machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...graphs.llm2llm import WAYS, Llm2LlmOutcome, WayRow, WayRun
from ...runtime.run import RunFolder
from ..cli import amount, printable, seconds, signed

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["RowsView", "as_json", "in_words", "refusal", "stopped_by_budget", "way_words"]


def way_words(name: str) -> str:
    """A way in words."""
    return WAYS[name].words if name in WAYS else name


def stopped_by_budget(outcome: Llm2LlmOutcome) -> bool:
    """Whether a budget ended at least one of the ways."""
    return any(run.stop.startswith("budget") for run in outcome.ways)


def refusal(outcome: Llm2LlmOutcome) -> str | None:
    """Why the main way has no rows although rows were asked for, with the table of what became of them; None where it has some."""
    mine = [run for run in outcome.ways if run.way == outcome.main]
    if any(run.added for run in mine) or not any(run.table.asked for run in mine):
        return None
    total = sum((run.table for run in mine[1:]), mine[0].table)
    lines = "\n".join(f"    {line}" for line in str(total).splitlines())
    why = "no row that the teacher wrote was accepted"
    if not total.parsed and not total.failed and not total.refused and not total.unreadable:  # as only an oracle does
        why = "the oracle has no unused row of the classes that it was asked for"
    return f"{why}: the student is that of the seeds alone.\n{lines}"


class RowsView:
    """What is known of a run from its events (a `progress.View`)."""

    quiet = frozenset({"training"})

    def __init__(self, *, repeat: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.repeat = repeat
        self.working: dict[str, dict[str, Any]] = {}
        self.done: list[str] = []
        self._clock = clock
        self._began = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since this process took the run up."""
        return self._clock() - self._began

    def see(self, event: Mapping[str, Any]) -> list[str]:
        """Take one event in; the lines that are worth keeping."""
        task = str(event.get("task", ""))
        name, _, repeat = task.rpartition(".")
        where = f"{name} {int(repeat) + 1}/{self.repeat}: " if name and self.repeat > 1 else f"{name}: " if name else ""
        kind = event.get("event")
        if kind == "run_started":
            return [f"run {event.get('run_id', '')}"]
        if kind == "models":
            found = event.get("models", {})
            return ["models: " + ", ".join(f"{role} {printable(str(model['id']))}" for role, model in found.items())]
        if kind == "way_started":
            self.working[task] = {"step": 0, "steps": event.get("steps", 0), "rows": 0, "what": "training"}
            return []
        if kind == "mistakes":
            self._put(task, step=event["step"], what=f"{event['count']} of {event['of']} seeds, writing rows")
            blind = name in WAYS and WAYS[name].mining == "random"
            return [] if blind else [f"{where}step {event['step']}: {event['count']} of {event['of']} seeds are wrong"]
        if kind == "no_mistakes":
            return [f"{where}no seed is wrong any more ({event['mining']}): nothing to write for"]
        if kind == "rows":
            lines = {str(what): int(count) for what, count, _ in event["lines"]}
            self._put(task, what="training")
            if name in WAYS and WAYS[name].rows != "teacher":
                return []
            return [f"{where}rows: " + ", ".join(f"{count} {what}" for what, count in lines.items() if count)]
        if kind == "step":
            self._put(task, step=event["step"], rows=event["added"])
            dev = "" if event["dev"] is None else f", dev {100 * event['dev']:.1f}"
            if name in WAYS and WAYS[name].mining == "random":
                return []
            said = f"{event['added']} rows added, {event['size']} in all{dev}"
            return [f"{where}step {event['step']}: {event['note'] or said}"]
        if kind == "way_done":
            self.working.pop(task, None)
            self.done.append(task)
            score = "no test rows" if event["accuracy"] is None else f"test {100 * event['accuracy']:.1f}"
            return [f"{where}{score}, {event['added']} rows added; stopped: {event['stop']}"]
        if kind == "training":
            return [printable(str(event.get("text", "")))]
        return [f"warning: {printable(str(event.get('text', '')))}"] if kind == "warning" else []

    def _put(self, task: str, **values: Any) -> None:
        self.working.setdefault(task, {"step": 0, "steps": 0, "rows": 0, "what": ""}).update(values)

    def table(self, width: int) -> RenderableType:
        """The ways that are worked on."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for task, found in list(self.working.items()):
            step = f"step {found['step']}" + (f" of {found['steps']}" if found["steps"] else "")
            table.add_row(
                Text("●", style="cyan"), Text(task), Text(step), Text(str(found["what"])[: width - 40], style="dim")
            )
        foot = f"  {seconds(self.elapsed)} · {len(self.done)} ways done · Ctrl-C stops after this step, twice at once"
        return Group(Text(""), table, Text(foot[: width - 1], style="dim"))


def as_json(outcome: Llm2LlmOutcome, folder: RunFolder) -> dict[str, Any]:
    """What a script needs; everything else is in `result.json`, whose path is here."""
    main = [run for run in outcome.ways if run.way == outcome.main]
    return {
        "run_id": outcome.run_id,
        "path": str(folder.path),
        "report": str(folder.report_path),
        "result": str(folder.path / "result.json"),
        "data": str(folder.path / "data"),
        "student": str(folder.path / "student"),
        "resume": f"inloop resume {folder.path}",
        "seconds": outcome.seconds,
        "stopped_by_budget": stopped_by_budget(outcome),
        "counts": outcome.counts,
        "table": [row.model_dump(mode="json") for row in outcome.table],
        "main": [_brief(run) for run in main],
        "ways": [_brief(run) for run in outcome.ways if run.way != outcome.main],
        "spent": {stage: spent.model_dump(mode="json") for stage, spent in outcome.spent.items()},
        "cost": outcome.cost.model_dump(mode="json"),
        "calls": outcome.calls,
        "models": outcome.models,
        "notes": list(outcome.notes),
    }


def _brief(run: WayRun) -> dict[str, Any]:
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


def in_words(outcome: Llm2LlmOutcome, folder: RunFolder) -> str:
    """The summary as lines of text."""
    counts = outcome.counts
    lines = ["", f"  {counts['seeds']} seeds, {counts['dev']} dev, {counts['test']} test rows; test accuracy in points"]
    lines += ["", *_table(outcome)] if outcome.table else []
    main = [run for run in outcome.ways if run.way == outcome.main]
    total = sum((run.table for run in main[1:]), main[0].table)
    if total.asked:
        lines += [
            "",
            f"  what became of the rows ({way_words(outcome.main)}{', all repeats' if len(main) > 1 else ''})",
        ]
        lines += [f"    {line}" for line in str(total).splitlines()]
    stops = dict.fromkeys(run.stop for run in main)
    lines += ["", f"  stopped: {'; '.join(stops)}"]
    lines += [f"  note: {printable(note)}" for note in outcome.notes]
    paid = ", ".join(f"{amount(c.get('paid', 0))} {kind}" for kind, c in outcome.calls.items())
    reused = sum(c.get("reused", 0) for c in outcome.calls.values())
    money = "price unknown" if outcome.cost.money is None else f"{outcome.cost.money:.4g} US$"
    lines += [
        f"  calls    {paid or 'none'} ({amount(reused)} reused), {money}, {seconds(outcome.seconds)}",
        f"  data     {folder.path / 'data'}",
        f"  student  {folder.path / 'student'}",
        f"  report   {folder.report_path}",
    ]
    return "\n".join(lines)


def _table(outcome: Llm2LlmOutcome) -> list[str]:
    many = max(row.repeats for row in outcome.table) > 1
    head = ("", "rows added", "accuracy", "gain", "s.e." if many else "95 % interval", "")
    rows = [_cells(row, mine=row.way == outcome.main, many=many) for row in outcome.table]
    widths = [max(len(cells[i]) for cells in [head, *rows]) for i in range(len(head))]
    lines = []
    for cells in [head, *rows]:
        shown = [
            cell.ljust(w) if i in (0, 5) else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(shown)}".rstrip())
    return lines


def _cells(row: WayRow, *, mine: bool, many: bool) -> tuple[str, ...]:
    spread = "" if row.gain_se is None else f"{row.gain_se:.1f}"
    if not many and row.ci is not None:
        spread = f"{signed(row.ci[0])} to {signed(row.ci[1])}"
    accuracy = (
        "no test" if row.accuracy is None else f"{row.accuracy:.1f}" + ("" if row.se is None else f" ± {row.se:.1f}")
    )
    gain = "" if row.gain is None else signed(row.gain)
    return (f"{'*' if mine else ' '} {way_words(row.way)}", f"{row.rows:g}", accuracy, gain, spread, row.note)
