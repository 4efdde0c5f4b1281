"""Scores pictures with several evaluators, and keeps what is needed of a set: memory does not grow with it.

Every item comes out with a score for every metric; what could not be read or scored has value None and the reason. Model
calls go through the call ledger, so a set that was interrupted, or scored before, pays for nothing twice.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Mapping, Sequence

from ...runtime.errors import BadInput
from ...runtime.protocols import Evaluator
from ...runtime.records import BlobRef, Record, Sample, Score
from ...runtime.session import gather, settled
from ...runtime.store import BlobStore
from ...tools.data import Item, Items, Picture, keep_picture
from ..stats import Comparison, Estimate, by_group, compare, estimate, slices
from .contract import checked_scores

__all__ = ["MetricResult", "Scored", "Tally", "score_items"]


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


async def score_items(
    items: Items, rows: Sequence[Item], evaluators: Mapping[str, Evaluator], blobs: BlobStore
) -> list[Scored]:
    """Score some rows of the items together, in order; their pictures are read at once.

    Raises:
        PrerequisiteError: a model or server that cannot be had: it would fail for every item.
    """
    pictures = await gather([asyncio.to_thread(_read, items, row, blobs) for row in rows])
    samples = [
        Sample(id=row.id, text=row.text, image=picture.blob if isinstance(picture, Picture) else None, meta=row.meta)
        for row, picture in zip(rows, pictures, strict=True)
    ]
    readable = [sample for sample in samples if sample.image is not None]
    columns = await settled([checked_scores(name, evaluator, readable) for name, evaluator in evaluators.items()])
    # by place: ids are the caller's own
    places = [place for place, sample in enumerate(samples) if sample.image is not None]
    by_place = [dict(zip(places, column, strict=True)) for column in columns]
    return [
        Scored(
            id=row.id,
            text=row.text,
            path=row.path,
            image=sample.image,
            tags=row.tags,
            notes=picture.notes if isinstance(picture, Picture) else (),
            scores={
                name: scores.get(place, Score(value=None, explanation=str(picture)))
                for name, scores in zip(evaluators, by_place, strict=True)
            },
        )
        for place, (row, sample, picture) in enumerate(zip(rows, samples, pictures, strict=True))
    ]


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
