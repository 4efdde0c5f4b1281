"""`inloop search`: a text of any kind, bettered by what a task of one's own makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...graphs import search as room
from ..cli import LoopCommand, RunView, points, printable, signed

if TYPE_CHECKING:
    from ...graphs.opt2i import SearchedTask
    from ...graphs.search import SearchResult

__all__ = ["search"]

_ABOUT = """Better a text of any kind by what it does.

A task of your own (a Python file that defines `task`, a SearchTask) proposes texts, says what becomes of one and what that is worth. The
machine is OPT2I's: what scored better is fed back, and the best text is checked on instances that nothing was chosen on."""


def _words(result: SearchResult, bold: bool) -> list[str]:
    lines = [""]
    for task in result.tasks:
        lines += [*_of_one(task, bold), ""]
    return lines


def _of_one(task: SearchedTask, bold: bool) -> list[str]:
    strong, plain = ("\x1b[1m", "\x1b[0m") if bold else ("", "")
    changed = task.best_text != task.text
    best = printable(task.best_text) if changed else "your own: nothing better was found"
    lines = [f"  your text   {printable(task.text)}", f"  best text   {strong}{best}{plain}"]
    user, held = task.heldout.get("user"), task.heldout.get("best")
    for name, before in (user.scores if user else {}).items():
        after = held.scores.get(name) if held else None
        change = None if before is None or after is None else 100 * (after - before)
        lines += [
            f"  {name} on {len(task.heldout_seeds)} unseen instances: {points(before)} → {points(after)}  ({signed(change)})"
        ]
    if task.broken:
        lines += [f"  the best text breaks a floor: {task.broken}"]
    if changed and task.heldout:
        lines += [f"  {'confirmed: use it' if task.accepted else 'not confirmed: keep your own'}"]
    return [*lines, f"  stopped: {task.stop}"]


def _data(result: SearchResult) -> dict[str, Any]:
    return {
        "tasks": [
            {
                "id": task.id,
                "text": task.text,
                "best": task.best_text,
                "accepted": task.accepted,
                "chosen": task.chosen,
                "verdict": task.verdict,
                "broken": task.broken,
                "stop": task.stop,
                "iterations": task.iterations,
                "heldout": {key: {"text": held.text, "scores": held.scores} for key, held in task.heldout.items()},
            }
            for task in result.tasks
        ],
        "comparisons": [row.model_dump(mode="json") for row in result.comparisons],
    }


search = LoopCommand(
    config=room.SearchConfig,
    loop=lambda: room.search,
    about=_ABOUT,
    words=_words,
    data=_data,
    view=lambda config: RunView(),
)
