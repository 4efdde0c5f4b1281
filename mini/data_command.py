"""`python -m inloop.mini data`: what there is, and a data set written with a line that shows how far it is."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["list_sets", "write"]


def list_sets() -> None:
    """Print the data sets, how large they are by themselves, and what they are for."""
    from .world.data import SETS

    for each in SETS.values():
        print(f"{each.name}  ({each.count} {each.counts})\n    {each.summary}")


def write(name: str, out: Path, *, count: int | None, seed: int) -> None:
    """Write one and say what it holds; errors are those of `write_set`."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from .world.data import write_set

    console = Console(file=sys.stderr)
    columns = (
        SpinnerColumn(),
        TextColumn("drawing {task.description}: {task.completed} pictures"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as line:
        task = line.add_task(name, total=None)
        written = write_set(name, out, count=count, seed=seed, progress=lambda done: line.update(task, completed=done))
    sizes = ", ".join(f"{number} {split}" for split, number in written.splits.items())
    print(f"{sizes} -> {out}" + ("" if written.drawn else " (it was there; nothing was drawn)"))
