"""Scores a set of pictures with several evaluators: in chunks, so that memory does not grow with the set.

Every item comes out with a score for every metric; what could not be read or scored has value None and the reason. Model
calls go through the call ledger, so a set that was interrupted, or scored before, pays for nothing twice.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.protocols import Evaluator
from ...runtime.records import BlobRef, Cost, Record, Sample, Score
from ...runtime.run import settled
from ...runtime.store import BlobStore
from ...tools.data import Item, Items, Picture, keep_picture
from ..stats import Comparison, Estimate, SetStatistics, by_group, compare, estimate, slices
from ..text_image import Agreement

__all__ = ["MetricResult", "ScoreRun", "Scored", "Tally", "score_items"]

CHUNK = 32


class Scored(Record):
    """One item with its scores by metric; `image` is None where the picture could not be read."""

    id: str
    text: str
    path: str | None = None
    image: BlobRef | None = None
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    scores: dict[str, Score]


class MetricResult(Record):
    """One metric over the set. `overall` and `slices` are over prompts, `pictures` counts the scored pictures."""

    metric: str
    evaluator: str
    about: str
    overall: Estimate
    pictures: int
    unscored: int
    reasons: dict[str, int]
    slices: dict[str, Estimate]
    worst: tuple[Scored, ...]


class ScoreRun(Record):
    """What `inloop score` leaves behind as `result.json`.

    `against` compares with an earlier run, metric by metric; `statistics` with a set of reference pictures.
    """

    run_id: str
    loop: str = "score"
    created: str
    seconds: float
    config: dict[str, Any]
    models: dict[str, dict[str, str]]
    items: int
    prompts: int
    metrics: tuple[MetricResult, ...]
    agreement: Agreement | None = None
    against: dict[str, Comparison] = Field(default_factory=dict)
    holm: dict[str, float] = Field(default_factory=dict)
    statistics: SetStatistics | None = None
    calls: dict[str, dict[str, int]]
    cost: Cost
    notes: tuple[str, ...] = ()


async def score_items(
    items: Items,
    evaluators: Mapping[str, Evaluator],
    blobs: BlobStore,
    *,
    on_scored: Callable[[Scored], None],
    chunk: int = CHUNK,
) -> None:
    """Score all items; `on_scored` gets each one, in order, as soon as its chunk is done.

    Raises:
        PrerequisiteError: a model or server that cannot be had: it would fail for every item.
    """
    for start in range(0, len(items), chunk):
        rows = items.items[start : start + chunk]
        read = await settled([asyncio.to_thread(_read, items, row, blobs) for row in rows])
        samples = [
            Sample(id=row.id, text=row.text, image=got.blob if isinstance(got, Picture) else None, meta=row.meta)
            for row, got in zip(rows, read, strict=True)
        ]
        shown = [sample for sample in samples if sample.image is not None]
        scored = await settled([evaluator.score(shown) for evaluator in evaluators.values()])
        by_id = [{sample.id: score for sample, score in zip(shown, column, strict=True)} for column in scored]
        for row, sample, got in zip(rows, samples, read, strict=True):
            none = Score(value=None, explanation=str(got))
            on_scored(
                Scored(
                    id=row.id,
                    text=row.text,
                    path=row.path,
                    image=sample.image,
                    tags=row.tags,
                    notes=got.notes if isinstance(got, Picture) else (),
                    scores={name: found.get(row.id, none) for name, found in zip(evaluators, by_id, strict=True)},
                )
            )


def _read(items: Items, item: Item, blobs: BlobStore) -> Picture | BadInput:
    try:
        return keep_picture(items.data(item), blobs, name=item.path or f"{item.id} of the data set")
    except BadInput as error:
        return error


class Tally:
    """What is kept of a set while it is scored: numbers of every item, and the worst few of each metric whole."""

    def __init__(self, metrics: Sequence[str], *, worst: int = 8) -> None:
        self.metrics = tuple(metrics)
        self.items = 0
        self._worst = worst
        self._texts: list[str] = []
        self._tags: list[tuple[str, ...]] = []
        self._values: dict[str, list[float | None]] = {name: [] for name in self.metrics}
        self._reasons: dict[str, Counter[str]] = {name: Counter() for name in self.metrics}
        # heaps of (-value, -place, item): the best of the worst is on top
        self._heaps: dict[str, list[tuple[float, int, Scored]]] = {name: [] for name in self.metrics}

    def add(self, scored: Scored) -> None:
        """Take one item in."""
        place, self.items = self.items, self.items + 1
        self._texts.append(scored.text)
        self._tags.append(scored.tags)
        for name in self.metrics:
            score = scored.scores[name]
            self._values[name].append(score.value)
            if score.value is None:
                self._reasons[name][score.explanation[:200]] += 1
                continue
            heap = self._heaps[name]
            heapq.heappush(heap, (-score.value, -place, scored))
            if len(heap) > self._worst:
                heapq.heappop(heap)

    @property
    def prompts(self) -> int:
        """How many different prompts there are."""
        return len(set(self._texts))

    def values(self, metric: str) -> list[float | None]:
        """The value of each item, in order."""
        return list(self._values[metric])

    def by_prompt(self, metric: str) -> dict[str, float | None]:
        """The mean of each prompt's pictures."""
        return by_group(self._values[metric], self._texts)

    def result(self, metric: str, *, evaluator: str = "", about: str = "") -> MetricResult:
        """The metric's figures as they stand."""
        values = self._values[metric]
        unscored = sum(value is None for value in values)
        worst = sorted(self._heaps[metric], key=lambda entry: (-entry[0], -entry[1]))
        return MetricResult(
            metric=metric,
            evaluator=evaluator,
            about=about,
            overall=estimate(list(self.by_prompt(metric).values())),
            pictures=len(values) - unscored,
            unscored=unscored,
            reasons=dict(self._reasons[metric].most_common(5)),
            slices=slices(values, self._texts, self._tags) if any(self._tags) else {},
            worst=tuple(entry[2] for entry in worst),
        )

    def against(self, metric: str, other: Mapping[str, float | None]) -> Comparison:
        """This set against another one's values by prompt (`other` is before); `BadInput` where no prompt is shared."""
        return compare(other, self.by_prompt(metric))
