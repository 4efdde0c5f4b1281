"""`inloop capacity`: whether facts fit a student, or are better looked up."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...graphs import capacity as room
from ...runtime.settings import Settings
from ..cli import LoopCommand, RunView, printable
from .report import render

if TYPE_CHECKING:
    from ...graphs.capacity import CapacityConfig, CapacityPlan, CapacityResult

__all__ = ["capacity"]

_ABOUT = """Say whether facts fit a student: "fits", "does not fit: use retrieval", or "cannot tell".

The bits that the rows ask for are counted from their answers, and set against the room of the numbers that the student trains. Without
--measure that room is a wide range, and the answer is often "cannot tell". With it the student is trained on as many drawn facts of as many
bits each, and fewer, and the answer is what it stored. A measurement goes on with `inloop resume` after it was stopped."""


def _words(result: CapacityResult, bold: bool) -> list[str]:
    verdict, told = result.fit.verdict, printable(result.finding())
    lines = textwrap.wrap(told, width=80, initial_indent="  ", subsequent_indent="  ")
    if bold:
        lines[0] = lines[0].replace(verdict, f"\033[1m{verdict}\033[0m", 1)
    lines.append("")
    measured = [task for task in result.tasks if task.ratio is not None and task.stored is not None]
    if measured:
        lines.append(f"  {'facts':>8}  {'bits offered':>12}  {'bits stored':>12}  stored/offered")
    for task in measured:
        if task.ratio is None or task.ratio.value is None:
            continue
        ends = "" if task.ratio.ci is None else f" ({task.ratio.ci[0]:.3f} to {task.ratio.ci[1]:.3f})"
        lines.append(f"  {task.facts:>8,}  {task.offered:>12,.0f}  {task.stored:>12,.0f}  {task.ratio.value:.3f}{ends}")
    return [*lines, *([""] if measured else [])]


def _data(result: CapacityResult) -> Mapping[str, Any]:
    return {
        "verdict": result.fit.verdict,
        "why": result.fit.why,
        "offered": result.offered.model_dump(mode="json"),
        "room": result.room.model_dump(mode="json"),
        "measured": result.measured,
        "tasks": [{**task.model_dump(mode="json"), "stored": task.stored} for task in result.tasks],
    }


def _dry_run(config: CapacityConfig, settings: Settings) -> CapacityPlan:
    return asyncio.run(room.plan(config, settings))


capacity = LoopCommand(
    config=room.CapacityConfig,
    loop=lambda: room.capacity,
    about=_ABOUT,
    words=_words,
    data=_data,
    page=lambda result, blobs, limit: render(result, blobs),
    view=lambda config: RunView("trainings" if config.measure else ""),
    dry_run=_dry_run,
)
