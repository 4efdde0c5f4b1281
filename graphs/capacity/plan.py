"""What is known before anything is trained."""

from __future__ import annotations

import asyncio

from ...evaluators.capacity import StudentFit, student_fit, writing_student
from ...runtime.display import counted
from ...runtime.records import Record
from ...runtime.session import Session
from ...runtime.settings import Settings
from ...tools.students import open_student
from .config import CapacityConfig

__all__ = ["CapacityPlan", "plan", "sizes_of"]


class CapacityPlan(Record):
    """The verdict without a measurement, and the trainings that --measure would make: `sizes` facts each, `exposures` times."""

    known: StudentFit
    sizes: tuple[int, ...]

    def __str__(self) -> str:
        lines = [f"  {self.known.fit.verdict}: {self.known.fit.why}"]
        if self.sizes:
            sizes = ", ".join(map(str, self.sizes))
            lines.append(f"  to measure: {counted(len(self.sizes), 'training')} on {sizes} drawn facts, each seen"
                         f" {counted(self.known.room.exposures, 'time')}")  # fmt: skip
        return "\n".join(lines)


async def plan(config: CapacityConfig, settings: Settings) -> CapacityPlan:
    """Read the rows and the model's config; raises what a run raises before it trains."""
    task, rows, _ = config.read()
    async with Session.aside(settings, "dry-run") as session:
        student = writing_student(open_student(config.student, task, settings, session.store))
        known = await asyncio.to_thread(student_fit, student, student.check(rows))
    return CapacityPlan(known=known, sizes=sizes_of(config, known.offered.facts) if config.measure else ())


def sizes_of(config: CapacityConfig, facts: int) -> tuple[int, ...]:
    """The numbers of facts that are measured, the fewest first."""
    return tuple(sorted({max(1, facts // 2**power) for power in range(config.sizes)}))
