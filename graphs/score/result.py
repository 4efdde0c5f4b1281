"""What a scoring leaves behind as `result.json`; every item with every score is in `items.jsonl` beside it."""

from __future__ import annotations

from pydantic import Field

from ...evaluators.run import MetricResult
from ...evaluators.stats import Comparison, SetStatistics
from ...evaluators.text_image import Agreement
from ...runtime.run import RunResult, Task

__all__ = ["ScoreResult", "ScoreTask"]


class ScoreTask(Task):
    """A chunk of the pictures that was scored."""

    items: int


class ScoreResult(RunResult[ScoreTask]):
    """The figures of a set.

    `items` pictures of `prompts` different prompts were scored. `against` compares with an earlier run, metric by metric (`holm`:
    the p-values corrected for their number); `statistics` with a set of reference pictures.
    """

    loop: str = "score"
    tasks: tuple[ScoreTask, ...] = ()
    items: int
    prompts: int
    metrics: tuple[MetricResult, ...]
    agreement: Agreement | None = None
    against: dict[str, Comparison] = Field(default_factory=dict)
    holm: dict[str, float] = Field(default_factory=dict)
    statistics: SetStatistics | None = None
