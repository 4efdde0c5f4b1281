"""What a look at a student's capacity leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...evaluators.capacity import Fit, OfferedBits, Room
from ...evaluators.stats import Estimate
from ...runtime.display import Forest, Interval
from ...runtime.folder import RunResult, Task

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = ["CapacityResult", "CapacityTask"]


class CapacityTask(Task):
    """One number of facts. `ratio`: stored by offered bits, with an interval over facts; `offered` and `ratio` None where nothing was measured.

    `answers`: how many there were to choose from, so that a fact is log2 of it in bits.
    """

    facts: int
    exposures: int
    answers: int | None = None
    offered: float | None = None
    ratio: Estimate | None = None

    @property
    def stored(self) -> float | None:
        """Bits that were stored of all facts of this size; below 0 for a student that is worse than a guess."""
        if self.ratio is None or self.ratio.value is None or self.offered is None:
            return None
        return self.ratio.value * self.offered


class CapacityResult(RunResult[CapacityTask]):
    """What the rows ask for, the room that the student has, the verdict, and what was measured, if it was."""

    loop: str = "capacity"
    tasks: tuple[CapacityTask, ...] = ()
    offered: OfferedBits
    room: Room
    fit: Fit
    measured: bool

    def finding(self) -> str:
        """The verdict in words."""
        return f"{self.fit.verdict}: {self.fit.why}"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a number of facts that was measured."""
        rows: list[dict[str, Cell]] = []
        for task in self.tasks:
            if task.ratio is not None:
                low, high = task.ratio.ci or (None, None)
                rows.append(
                    {
                        "facts": task.facts,
                        "bits offered": task.offered,
                        "bits stored": task.stored,
                        "stored/offered": task.ratio.value,
                        "low": low,
                        "high": high,
                    }
                )
        return rows

    def forests(self) -> tuple[Forest, ...]:
        """Stored by offered bits by number of facts."""
        lines = tuple(
            Interval.of(f"{task.facts} facts", task.ratio.value, task.ratio.ci) for task in self.tasks if task.ratio
        )
        title = "Stored by offered bits, with 95 % intervals over facts"
        return (Forest(title=title, rows=lines, gains=False, digits=2),) if lines else ()
