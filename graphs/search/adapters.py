"""A task in the places that the machine has: proposer, realiser and evaluators; what it gives is checked where it comes in."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from ...evaluators.stats import unscored
from ...runtime.errors import BadInput, CallFailed
from ...runtime.records import BlobRef, Sample, Score
from ..opt2i import Trial
from .search_task import SearchTask

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["Proposing", "Realising", "Scored", "evaluators_of"]


class Proposing:
    """The `Proposer` of a task."""

    def __init__(self, task: SearchTask) -> None:
        self.task = task

    async def propose(self, text: str, history: Sequence[Trial], *, n: int, seed: int) -> list[str]:
        """What the task proposes; the machine checks it."""
        given = await _awaited(self.task.propose(text, history, n=n, seed=seed))
        return list(given) if isinstance(given, list | tuple) else given


class Realising:
    """The `Realiser` of a task: what it makes goes into the blob store."""

    def __init__(self, task: SearchTask, blobs: BlobStore) -> None:
        self.task, self.blobs = task, blobs

    async def realise(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[BlobRef | None]]:
        """The addresses of what the task makes of texts and seeds."""
        rows = await _awaited(self.task.realise(texts, seeds))
        if not isinstance(rows, list | tuple) or not all(isinstance(row, list | tuple) for row in rows):
            raise BadInput(
                f"the task {_name(self.task)} realised {rows!r:.80}: it must give a list of a list for each text."
            )
        return await asyncio.to_thread(lambda: [[self._kept(made) for made in row] for row in rows])

    def _kept(self, made: Any) -> BlobRef | None:
        if made is None or isinstance(made, BlobRef):
            return made
        if isinstance(made, str):
            return self.blobs.put(made.encode(), "text/plain")
        if not isinstance(made, BaseModel | Mapping | list | tuple | int | float):
            from PIL.Image import Image

            if isinstance(made, Image):
                return self.blobs.put_image(made.convert("RGB"))
        try:
            return self.blobs.put(to_json(made, inf_nan_mode="constants"), "application/json")
        except PydanticSerializationError as error:
            raise BadInput(
                f"the task {_name(self.task)} made {type(made).__name__} {made!r:.60}: give JSON, a text, a picture or None ({error})."
            ) from None


class Scored:
    """One score of a task as an `Evaluator`; the scores of one task share `seen`, so that each artefact is judged once."""

    def __init__(self, task: SearchTask, name: str, blobs: BlobStore, seen: dict[str, dict[str, Score]]) -> None:
        self.task, self.name, self.blobs, self._seen = task, name, blobs, seen

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """The score of each sample; None, with the reason, where the task could not tell it or its call failed for good."""
        return list(await asyncio.gather(*(self._score(sample) for sample in samples)))

    async def _score(self, sample: Sample) -> Score:
        if sample.image is None:
            return unscored(sample)
        key = json.dumps([sample.text, sample.image.sha256])
        found = self._seen.get(key)
        if found is None or self.name not in found:
            found = self._seen[key] = await self._judged(sample, sample.image)
        score = found.pop(self.name)
        if not found:
            self._seen.pop(key, None)
        return score

    async def _judged(self, sample: Sample, made: BlobRef) -> dict[str, Score]:
        try:
            given = await _awaited(self.task.score(sample.text, await asyncio.to_thread(self._read, made)))
        except CallFailed as error:
            if error.retryable:
                raise
            return {name: unscored(sample, error) for name in self.task.scores}
        if not isinstance(given, Mapping) or {*given} != {*self.task.scores}:
            raise BadInput(
                f"the task {_name(self.task)} scored {given!r:.80}: it must give {', '.join(self.task.scores)} by name."
            )
        return {name: self._checked(name, value) for name, value in given.items()}

    def _checked(self, name: str, value: Any) -> Score:
        if isinstance(value, Score):
            return value
        if value is None:
            return Score(value=None, explanation="the task cannot tell it")
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or not 0 <= value <= 1
        ):
            raise BadInput(f"the task {_name(self.task)} scored {name} {value!r}: give a number from 0 to 1, or None.")
        return Score(value=float(value))

    def _read(self, made: BlobRef) -> Any:
        if made.media_type.startswith("image/"):
            return self.blobs.get_image(made)
        data = self.blobs.get(made)
        return json.loads(data) if made.media_type == "application/json" else data.decode()


def evaluators_of(task: SearchTask, blobs: BlobStore) -> dict[str, Scored]:
    """An evaluator for each score of a task."""
    seen: dict[str, dict[str, Score]] = {}
    return {name: Scored(task, name, blobs, seen) for name in task.scores}


def _name(task: SearchTask) -> str:
    return type(task).__name__


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
