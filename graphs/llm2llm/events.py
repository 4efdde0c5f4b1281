"""What LLM2LLM tells on its way; `task` is the arm and the repeat, as in `ours.0`."""

from __future__ import annotations

from typing import Literal

from ...runtime.session import Event
from .arms import Mining

__all__ = [
    "ArmDone",
    "ArmStarted",
    "MistakesFound",
    "NoMistakes",
    "RowsJudged",
    "StepDone",
    "ArmTested",
    "TrainingTold",
]


class ArmStarted(Event):
    """An arm begins, or is gone on with. `steps`: rounds at most; `cap`: the most rows to add, None for any number."""

    event: Literal["way_started"] = "way_started"
    way: str
    repeat: int
    steps: int
    cap: int | None


class MistakesFound(Event):
    """Rows will be written for `count` of `of` seeds."""

    event: Literal["mistakes"] = "mistakes"
    step: int
    count: int
    of: int


class NoMistakes(Event):
    """No seed is wrong any more."""

    event: Literal["no_mistakes"] = "no_mistakes"
    step: int
    mining: Mining


class RowsJudged(Event):
    """What became of the rows of a step so far: (outcome, how many, an example of the reason)."""

    event: Literal["rows"] = "rows"
    step: int
    lines: tuple[tuple[str, int, str], ...]


class StepDone(Event):
    """A step is closed. `size`: rows that are trained on; `dev`: accuracy from 0 to 1; `stop`: why no step follows, else empty."""

    event: Literal["step"] = "step"
    step: int
    mistakes: int
    added: int
    size: int
    dev: float | None
    kept: bool
    note: str
    stop: str


class ArmTested(Event):
    """The last student has met the test rows."""

    event: Literal["test"] = "test"
    accuracy: float
    n: int


class ArmDone(Event):
    """An arm has ended; `accuracy` on the test rows from 0 to 1, None where there are none."""

    event: Literal["way_done"] = "way_done"
    way: str
    stop: str
    added: int
    accuracy: float | None


class TrainingTold(Event):
    """How far a training is, in words."""

    event: Literal["training"] = "training"
    text: str
