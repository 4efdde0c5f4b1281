"""A student and the rows it is to learn: what they ask for, what it has room for, and what that means."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...runtime.errors import BadInput
from ...runtime.protocols import Student
from ...runtime.records import Record, Row
from ...tools.students import LoraStudent
from ..stats import Estimate, estimate
from .facts import OfferedBits, offered_bits
from .fit import Fit, Room, fit_of, room_of

__all__ = ["StudentFit", "held_share", "student_fit", "writing_student"]


class StudentFit(Record):
    """`offered` by the rows, the `room` of the student, and the verdict that follows without a measurement."""

    offered: OfferedBits
    room: Room
    fit: Fit


def writing_student(student: Student) -> LoraStudent:
    """The student, which writes its answers.

    Raises:
        BadInput: it sorts into classes or is one of your own: facts are answers to be written.
    """
    if not isinstance(student, LoraStudent):
        raise BadInput(
            f"the student {student.model!r} does not write answers with a model that can be counted: give local, lora:MODEL or full:MODEL."
        )
    return student


def student_fit(student: LoraStudent, rows: Sequence[Row]) -> StudentFit:
    """Whether `rows` fit, by the numbers that the student trains and how often its recipe shows it each row.

    Raises:
        BadInput: no rows.
        PrerequisiteError: the model's config cannot be had, or a package is missing.
    """
    offered = offered_bits(rows)
    room = room_of(student.trained_parameters(), student.recipe.plan(len(rows))[1], student.recipe.method)
    return StudentFit(offered=offered, room=room, fit=fit_of(offered, room))


async def held_share(student: LoraStudent, facts: Sequence[Row], answers: int) -> Estimate:
    """Stored by offered bits of drawn facts (see `draw_facts`), of a student that was trained on them; with an interval over facts.

    A fact's stored bits are log2 `answers` less its answer's loss, which the end mark is part of; below 0 where it is further off than a guess.
    """
    bits = math.log2(answers)
    return estimate([1 - loss / math.log(2) / bits for loss in await student.losses(facts)])
