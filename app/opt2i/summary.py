"""The end of a run in words, and as JSON for machines; the same facts in both."""

from __future__ import annotations

from typing import Any

from ...graphs.opt2i import Outcome
from ...runtime.run import RunFolder
from ..cli import amount, points, printable, seconds, signed
from .format import best_text, evaluator_name, ours, stop_words, way_name

__all__ = ["as_json", "in_words", "stopped_by_budget"]

_MANY = 30


def stopped_by_budget(outcome: Outcome) -> bool:
    """Whether a budget ended at least one of the tasks."""
    return any("budget" in task.stop for task in outcome.tasks)


def as_json(outcome: Outcome, folder: RunFolder) -> dict[str, Any]:
    """What a script needs; everything else is in `result.json`, whose path is here."""
    return {
        "run_id": outcome.run_id,
        "path": str(folder.path),
        "report": str(folder.report_path),
        "result": str(folder.path / "result.json"),
        "resume": f"inloop resume {folder.path}",
        "seconds": outcome.seconds,
        "stopped_by_budget": stopped_by_budget(outcome),
        "tasks": [
            {
                "id": task.id,
                "text": task.text,
                "best": best_text(task),
                "accepted": task.accepted,
                "stop": task.stop,
                "iterations": task.iterations,
                "questioner": task.questioner,
                "heldout": {key: {"text": held.text, "scores": held.scores} for key, held in task.heldout.items()},
                "warnings": list(task.warnings),
            }
            for task in outcome.tasks
        ],
        "comparisons": [row.model_dump(mode="json") for row in outcome.comparisons],
        "cost": outcome.cost.model_dump(mode="json"),
        "calls": outcome.calls,
        "models": outcome.models,
        "notes": list(outcome.notes),
    }


def in_words(outcome: Outcome, folder: RunFolder, *, bold: bool = False) -> str:
    """The summary as lines of text; `bold` sets the best prompts in bold type for a terminal."""
    strong, plain = ("\x1b[1m", "\x1b[0m") if bold else ("", "")
    lines: list[str] = [""]
    if len(outcome.tasks) == 1:
        task = outcome.tasks[0]
        lines += [f"  your prompt         {printable(task.text)}"]
        changed = best_text(task) != task.text
        found = printable(best_text(task)) if changed else "your own: nothing better was found"
        lines += [f"  best prompt         {strong}{found}{plain}"]
        user, best = task.heldout.get("user"), task.heldout.get("best")
        for index, name in enumerate(user.scores if user else ()):
            before, after = user.scores.get(name) if user else None, best.scores.get(name) if best else None
            change = None if before is None or after is None else (after - before) * 100
            label = f"on {len(task.heldout_seeds)} unseen seeds" if index == 0 else ""
            said = f"{evaluator_name(name)} {points(before)} → {points(after)}  ({signed(change)})"
            lines += [f"  {label}".ljust(22) + said if label else " " * 22 + said]
        if changed and task.heldout:
            lines += [
                "",
                "  "
                + ("The gain holds on unseen seeds." if task.accepted else "The unseen seeds do not confirm the gain."),
            ]
        lines += [f"  stopped: {stop_words(task.stop)}"]
        lines += [f"  warning: {printable(w)}" for w in task.warnings]
    else:
        for task in outcome.tasks[:_MANY]:
            mark = "+" if task.accepted else " "
            lines += [f"  {mark} {printable(task.text)}"]
            if best_text(task) != task.text:
                lines += [f"      {strong}{printable(best_text(task))}{plain}"]
        if len(outcome.tasks) > _MANY:
            lines += [f"    and {len(outcome.tasks) - _MANY} more, in the report"]
        accepted = sum(task.accepted for task in outcome.tasks)
        lines += ["", f"  {accepted} of {len(outcome.tasks)} gains hold on unseen seeds (+)"]
        for reason, count in _reasons(outcome):
            lines += [f"  stopped: {stop_words(reason)} ({count})"]
    if outcome.comparisons:
        lines += ["", *_table(outcome)]
    lines += [""]
    lines += [f"  note: {printable(note)}" for note in outcome.notes]
    paid = ", ".join(f"{amount(c.get('paid', 0))} {kind}" for kind, c in outcome.calls.items())
    reused = sum(c.get("reused", 0) for c in outcome.calls.values())
    money = "price unknown" if outcome.cost.money is None else f"{outcome.cost.money:.4g} US$"
    lines += [
        f"  calls    {paid or 'none'} ({amount(reused)} reused), {money}, {seconds(outcome.seconds)}",
        f"  report   {folder.report_path}",
        f"  resume   inloop resume {folder.path}",
    ]
    return "\n".join(lines)


def _reasons(outcome: Outcome) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for task in outcome.tasks:
        counts[task.stop] = counts.get(task.stop, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])[:5]


def _table(outcome: Outcome) -> list[str]:
    head = ("gain on unseen seeds", "", "gain", "95 % interval", "images")
    rows = [
        (
            ("* " if ours(c.way) else "  ") + way_name(c.way),
            evaluator_name(c.evaluator),
            signed(c.gain),
            "" if c.ci is None else f"{signed(c.ci[0])} to {signed(c.ci[1])}",
            amount(c.images),
        )
        for c in outcome.comparisons
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return [
        "  "
        + "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]
