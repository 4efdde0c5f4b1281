"""The command of a loop that brings none of its own: flags from its config, its tasks as lines, and the page that serves any loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...runtime.display import worded
from ...runtime.errors import BadInput
from ...runtime.folder import RunResult
from ...runtime.run import Loop
from ..report import run_page
from .command import LoopCommand
from .format import clip
from .progress import RunView
from .streams import printable

__all__ = ["command_of"]

_WIDTH = 200


def command_of(name: str, given: Any) -> LoopCommand[Any, Any]:
    """The command of what a package gives as a loop: a `Loop`, or a `LoopCommand` that puts its results into words itself.

    Raises:
        BadInput: it is neither, or it is named otherwise than its runs are.
    """
    loop = given.loop() if isinstance(given, LoopCommand) else given
    if not isinstance(loop, Loop):
        raise BadInput(f"what is given as the loop {name!r} is no Loop: it is {type(loop).__name__} {loop!r:.60}.")
    if loop.name != name:
        raise BadInput(
            f"the loop {loop.name!r} is given under the name {name!r}: its runs are found by the name of its entry point,"
            f" so that must be {loop.name!r} too."
        )
    if isinstance(given, LoopCommand):
        return given
    return LoopCommand(
        config=loop.config,
        loop=lambda: loop,
        about=f"{loop.brief[:1].upper()}{loop.brief[1:]}.",
        words=_words,
        data=_data,
        page=run_page,
        view=lambda config: RunView(),
    )


def _words(result: RunResult[Any], bold: bool) -> list[str]:
    lines = [result.finding()]
    for row in result.rows():
        (_, task), *fields = [(name, printable(worded(cell))) for name, cell in row.items()]
        lines += ["", f"  {task}", *(f"    {name}: {clip(text, _WIDTH)}" for name, text in fields if text)]
    return [*lines, ""]


def _data(result: RunResult[Any]) -> Mapping[str, Any]:
    return {"tasks": [task.model_dump(mode="json") for task in result.tasks]}
