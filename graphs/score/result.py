"""What a scoring leaves behind as `result.json`; every item with every score is in `items.jsonl` beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ...evaluators.run import MetricResult, Scored
from ...evaluators.stats import Comparison, Estimate, SetStatistics
from ...evaluators.text_image import Agreement
from ...runtime.display import Forest, Interval, counted
from ...runtime.folder import RunResult, Task
from ...runtime.records import BlobRef, Record
from ...runtime.session import Event

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = ["Heard", "PicturesScored", "ScoreResult", "ScoreTask", "ScoredChunk"]


class PicturesScored(Event):
    """So many more of `of` pictures have their scores."""

    event: Literal["pictures_scored"] = "pictures_scored"
    pictures: int
    of: int


class ScoreTask(Task):
    """A chunk of the pictures that was scored; `scored`: its items with their scores, a `ScoredChunk` as JSON."""

    items: int
    scored: BlobRef | None = None


class Heard(Record):
    """What each of several judges said to one question about a picture, by its sha256."""

    picture: str
    question: str
    verdicts: tuple[bool, ...]


class ScoredChunk(Record):
    """The items of a chunk in order, and what several judges said of their pictures."""

    items: tuple[Scored, ...]
    heard: tuple[Heard, ...] = ()


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

    def finding(self) -> str:
        """How many pictures were scored, and the mean of each metric."""
        means = ", ".join(
            f"{each.metric} {'not scored' if each.overall.value is None else f'{each.overall.value:.3f}'}"
            for each in self.metrics
        )
        return f"{counted(self.items, 'picture')} of {counted(self.prompts, 'prompt')}: {means}"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a metric: its mean over prompts with the ends of its interval."""
        return [
            {
                "metric": each.metric,
                "mean": each.overall.value,
                "low": (each.overall.ci or (None, None))[0],
                "high": (each.overall.ci or (None, None))[1],
                "prompts": each.overall.n,
                "pictures": each.pictures,
                "not scored": each.unscored,
                "evaluator": each.evaluator,
            }
            for each in self.metrics
        ]

    def forests(self) -> tuple[Forest, ...]:
        """By metric the mean of all pictures and of those of each tag; then the gains over an earlier run."""
        means = [
            Forest(
                title=f"{each.metric}: mean over prompts, with 95 % intervals",
                rows=(
                    _interval("all pictures", each.overall, main=True),
                    *(_interval(tag, estimate) for tag, estimate in each.slices.items()),
                ),
                gains=False,
                digits=3,
            )
            for each in self.metrics
        ]
        return (*means, self.gains) if self.against else tuple(means)

    @property
    def gains(self) -> Forest:
        """By metric, what was gained over the earlier run."""
        rows = tuple(_interval(name, compared.gain) for name, compared in self.against.items())
        return Forest(title="Gain over the earlier run, with 95 % intervals over prompts", rows=rows, digits=3)


def _interval(name: str, estimate: Estimate, *, main: bool = False) -> Interval:
    return Interval.of(name, estimate.value, estimate.ci, main=main)
