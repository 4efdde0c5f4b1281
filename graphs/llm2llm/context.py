"""What the machine of one arm works with: who is trained, who writes, who judges, and on which rows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...agents.rows import Teacher
from ...evaluators.rows import RowChecks
from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.protocols import Student
from ...runtime.records import Prediction, Row
from ...runtime.session import Event
from ...runtime.store import BlobStore
from ...tools.tasks import Task
from .arms import Mining
from .result import Measured
from .stages import Stages

__all__ = ["ArmContext", "measured"]

_NO_ANSWER = "(no answer)"


@dataclass(frozen=True, kw_only=True)
class ArmContext:
    """One arm in one repeat.

    Args:
        student: of the base model; it is never fitted itself, `fresh` ones are.
        dev: rows that only decide whether a step's rows are kept; none: every step's rows are.
        test: rows that are looked at once, at the end.
        steps: rounds of finding mistakes and writing rows; 0 trains on the seeds alone.
        per_error: rows wanted for each mistake in a step.
        cap: the most rows to add in all; None for any number.
        attempts: how often a step asks again for what is missing.
        patience: steps in a row that the dev rows may refuse.
        training: held while a student is trained: one at a time.
    """

    task: Task
    student: Student
    seeds: tuple[Row, ...]
    dev: tuple[Row, ...]
    test: tuple[Row, ...]
    mining: Mining
    teachers: tuple[Teacher, ...]
    checks: RowChecks
    blobs: BlobStore
    steps: int
    per_error: int = 1
    cap: int | None = None
    attempts: int = 3
    folds: int = 5
    patience: int = 2
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    stages: Stages = field(default_factory=Stages)
    training: asyncio.Lock = field(default_factory=asyncio.Lock)
    emit: Callable[[Event], None] = lambda event: None

    async def predictions(self, rows: Sequence[Row], asked: Sequence[Row]) -> list[Prediction]:
        """What a student that was trained on `rows` says to `asked`."""
        async with self.training:
            student = (
                self.student.fresh()
            )  # dropped here; what it shares with the others is closed at the end of the run
            await student.fit(rows, self.seed)
            predictions = await student.predict([row.text for row in asked], scores=False) if asked else []
        if len(predictions) != len(asked):
            raise BadInput(
                f"the student {student.model!r} ({type(student).__name__}) gave {len(predictions)} answers to {len(asked)} texts:"
                " it must give one to each, in their order."
            )
        return predictions

    async def measure(self, added: Sequence[Row], asked: Sequence[Row]) -> Measured:
        """A student that was trained on the seeds and the added rows, on the rows `asked`."""
        return measured(self.task, asked, await self.predictions([*self.seeds, *added], asked))


def measured(task: Task, rows: Sequence[Row], predictions: Sequence[Prediction]) -> Measured:
    """The grades of the predictions of rows."""
    grades = [task.grade(prediction, row) for prediction, row in zip(predictions, rows, strict=True)]
    confusion: dict[str, Counter[str]] = {}
    if task.classes:
        for row, grade in zip(rows, grades, strict=True):
            confusion.setdefault(row.label, Counter())[_NO_ANSWER if grade.answer is None else grade.answer] += 1
    return Measured(
        n=len(rows),
        accuracy=sum(grade.right for grade in grades) / len(grades),
        format=sum(grade.outcome == "format" for grade in grades),
        right=tuple(grade.right for grade in grades),
        confusion={label: dict(counts) for label, counts in sorted(confusion.items())},
    )
