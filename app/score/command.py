"""`inloop score`: pictures with their prompts in, a table with intervals and the worst items out.

A run is a folder: `items.jsonl` (every item with every score and its reasons), `scores.csv`, `result.json`,
`report.html`. What was paid for is in the call ledger.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...graphs import score as room
from ...runtime.session import Event
from ..cli import LoopCommand, RunView
from .format import in_words
from .report import render

if TYPE_CHECKING:
    from ...graphs.score import ScoreResult

__all__ = ["score"]


class _View(RunView):
    """Counts pictures: a chunk that was scored again after a kill is told twice."""

    def __init__(self, tasks: str) -> None:
        super().__init__(tasks)
        self.pictures = 0

    def see(self, event: Event) -> list[str]:
        if isinstance(event, room.PicturesScored):
            self.pictures = min(event.of, self.pictures + event.pictures)
            return self._paced("pictures", self.pictures, event.of)
        return super().see(event)


def _flags(command: argparse.ArgumentParser) -> None:
    fields = room.ScoreConfig.model_fields
    command.add_argument("pictures", metavar="PICTURES", help=fields["pictures"].description)
    command.add_argument("prompts", nargs="?", metavar="PROMPTS", help=fields["prompts"].description)


def _data(result: ScoreResult) -> Mapping[str, Any]:
    return result.model_dump(mode="json")


score = LoopCommand(
    config=room.ScoreConfig,
    loop=lambda: room.score,
    about=__doc__,
    words=in_words,
    data=_data,
    page=render,
    view=lambda config: _View(""),
    flags=_flags,
    exit_code=lambda result: int(not any(metric.pictures for metric in result.metrics)),
)
