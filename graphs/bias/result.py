"""What a look at models' biases leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...evaluators.bias import READING, CriticalBand, Relation, ShapeBias
from ...evaluators.stats import Estimate
from ...runtime.display import Forest, Interval
from ...runtime.folder import RunResult, Task
from ...runtime.records import BlobRef, Record

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = ["BandPoint", "BiasResult", "BiasTask", "ChangeEffect", "CurvePoint", "Sample"]


class CurvePoint(Record):
    """Accuracy on pictures that were filtered at a cutoff, a share of the largest frequency."""

    cutoff: float
    accuracy: Estimate


class BandPoint(Record):
    """Accuracy under noise of one octave around `frequency` (cycles a picture) at a standard deviation of `level`."""

    frequency: float
    level: float
    accuracy: float


class ChangeEffect(Record):
    """What one change of the pictures does: accuracy on the changed ones, the paired gain, and the share of answers that became others.

    `followed`: of a word that was written on the picture, the share of pictures that were then named by it.
    """

    change: str
    accuracy: Estimate
    gain: Estimate
    moved: Estimate
    followed: Estimate | None = None


class Sample(Record):
    """A cue-conflict picture and what the models named, by their specs."""

    image: BlobRef
    shape: str
    texture: str
    answers: dict[str, str | None]


class BiasTask(Task):
    """One model. What was not measured is None or empty.

    `manner`: how it was asked. `at_chance`: why its shape bias means nothing, "" where it may mean something. `classes`: those that it can
    name at all; conflicts of others are left out. `answers`: what it named of each cue-conflict picture, None for none of the classes.
    """

    model: str
    manner: str
    classes: tuple[str, ...]
    chance: float
    conflict: ShapeBias | None = None
    at_chance: str = ""
    answers: tuple[str | None, ...] = ()
    plain: Estimate | None = None
    plain_at_chance: bool = False
    unmapped: int = 0
    low_pass: tuple[CurvePoint, ...] = ()
    high_pass: tuple[CurvePoint, ...] = ()
    band: CriticalBand | None = None
    band_points: tuple[BandPoint, ...] = ()
    changes: tuple[ChangeEffect, ...] = ()
    shifted: Estimate | None = None

    def readings(self) -> dict[str, float | None]:
        """Each bias as one number; None where it was not measured, or where the accuracy under it is that of guessing."""
        usable = not self.plain_at_chance
        values = {
            "shape bias": self.conflict.bias.value if self.conflict and not self.at_chance else None,
            "low-pass accuracy": _mean(self.low_pass) if usable else None,
            "high-pass accuracy": _mean(self.high_pass) if usable else None,
            "band: centre": self.band.centre if self.band else None,
            "band: bandwidth": self.band.bandwidth if self.band else None,
            "band: sensitivity": self.band.sensitivity if self.band else None,
        }
        return values | {f"change: {each.change}": each.gain.value if usable else None for each in self.changes}


class BiasResult(RunResult[BiasTask]):
    """All models on the same pictures. `relations`: each bias with the shifted accuracy over these models; `reading`: how to take it."""

    loop: str = "bias"
    tasks: tuple[BiasTask, ...] = ()
    classes: tuple[str, ...]
    drawn: bool
    conflicts: int
    plain: int
    shifted: int
    samples: tuple[Sample, ...] = ()
    relations: tuple[Relation, ...] = ()
    reading: str = READING

    def finding(self) -> str:
        """The shape bias of each model, beside what it rests on."""
        if not self.tasks:
            return "no model was finished"
        if not self.conflicts:
            return f"{len(self.tasks)} model{'s' * (len(self.tasks) > 1)} looked at; no cue-conflict pictures"
        told = []
        for task in self.tasks:
            value = None if task.conflict is None else task.conflict.bias.value
            if task.at_chance:
                told.append(f"{task.model}: no shape bias to tell (at chance)")
            elif value is not None:
                told.append(f"{task.model}: shape bias {value:.2f}")
            else:
                told.append(f"{task.model}: neither cue was ever named")
        return "; ".join(told)

    def rows(self) -> list[dict[str, Cell]]:
        """One row a model."""
        return [self._row(task) for task in self.tasks]

    def _row(self, task: BiasTask) -> dict[str, Cell]:
        row: dict[str, Cell] = {"model": task.model, "asked by": task.manner}
        if task.conflict is not None:
            low, high = task.conflict.bias.ci or (None, None)
            row |= {"shape bias": task.conflict.bias.value, "low": low, "high": high}
            row |= {"its accuracy": task.conflict.accuracy.value, "at chance": task.at_chance or None}
        row |= {"plain": task.plain.value if task.plain else None}
        row |= {"shifted": task.shifted.value if task.shifted else None}
        return row | {name: value for name, value in task.readings().items() if name != "shape bias"}

    def forests(self) -> tuple[Forest, ...]:
        """Shape bias and its accuracy, and the plain and the shifted accuracy, with their intervals."""
        bias = [
            Interval.of(task.model, task.conflict.bias.value, task.conflict.bias.ci)
            for task in self.tasks
            if task.conflict and not task.at_chance
        ]
        named = [
            Interval.of(task.model, task.conflict.accuracy.value, task.conflict.accuracy.ci)
            for task in self.tasks
            if task.conflict
        ]
        moved = [Interval.of(task.model, task.shifted.value, task.shifted.ci) for task in self.tasks if task.shifted]
        titles = (
            ("Shape bias: 0 by texture alone, 1 by shape alone, with 95 % intervals over pictures", bias),
            ("Accuracy on cue-conflict pictures: the share of which either cue is named", named),
            ("Accuracy on shifted pictures", moved),
        )
        return tuple(Forest(title=title, rows=tuple(rows), gains=False, digits=3) for title, rows in titles if rows)


def _mean(points: tuple[CurvePoint, ...]) -> float | None:
    known = [each.accuracy.value for each in points if each.accuracy.value is not None]
    return sum(known) / len(known) if known else None
