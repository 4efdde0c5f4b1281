"""Whether facts fit a student, as one object: a task a number of drawn facts that it is trained on, or one that looks at the rows alone.

A training goes on from its checkpoint, a trained student is taken from the store, and its losses are in the call ledger.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...evaluators.capacity import (
    StudentFit,
    draw_facts,
    fit_of_measured,
    held_share,
    offered_bits,
    student_fit,
    writing_student,
)
from ...runtime.records import Row
from ...runtime.run import Loop
from ...runtime.session import Mapped, Progressed, Session
from ...runtime.settings import Settings
from ...runtime.store import Store
from ...tools.students import LoraStudent, open_student
from ...tools.tasks import open_task
from .config import CapacityConfig
from .plan import sizes_of
from .result import CapacityResult, CapacityTask

__all__ = ["capacity"]

_READ = 5000  # facts whose losses are read: of more, the first ones, which were drawn as the others were
_MOST_BITS = 12  # of a drawn fact


@dataclass(frozen=True)
class _Context:
    config: CapacityConfig
    session: Session
    student: LoraStudent
    rows: list[Row]
    known: StudentFit


def _sizes(config: CapacityConfig) -> Mapping[str, int]:
    _, rows, _ = config.read()
    facts = offered_bits(rows).facts
    return {f"n{size}": size for size in sizes_of(config, facts)} if config.measure else {"rows": facts}


async def _open(config: CapacityConfig, session: Session) -> _Context:
    task, rows, notes = config.read()
    session.notes += notes

    def opener(spec: str, store: Store, settings: Settings) -> LoraStudent:
        return writing_student(open_student(spec, task, settings, store))

    student = writing_student(session.open("student", opener, config.student))
    checked = student.check(rows)
    known = await asyncio.to_thread(student_fit, student, checked)
    session.notes.append(
        "bits are counted as if no answer followed from its question or were known already: where one does, less room is needed"
    )
    return _Context(config, session, student, checked, known)


async def _look(context: _Context, id: str, size: int) -> CapacityTask | None:
    config, session = context.config, context.session
    exposures = context.known.room.exposures
    if not config.measure:
        return CapacityTask(id=id, facts=size, exposures=exposures)
    if session.budget.exhausted():
        return None
    batch, _ = context.student.recipe.plan(len(context.rows))
    answers = 2 ** min(_MOST_BITS, max(1, round(context.known.offered.a_fact)))
    facts = draw_facts(size, answers, seed=config.seed)

    def say(text: str) -> None:
        session.emit(Progressed(text=f"{size} drawn facts, {text}"))

    bare, _, query = config.student.partition("?")
    options = [*filter(None, query.split("&")), f"epochs={exposures}", f"batch={batch}"]
    spec = f"{bare}?{'&'.join(dict.fromkeys(options))}"
    student = writing_student(open_student(spec, open_task("short-answer"), session.settings, session.store, say=say))
    session.close_later(student)
    await student.fit(facts, config.seed)
    ratio = await held_share(student, facts[:_READ], answers)
    await student.aclose()
    return CapacityTask(
        id=id, facts=size, exposures=exposures, answers=answers, offered=size * math.log2(answers), ratio=ratio
    )


def _summary(context: _Context, mapped: Mapped[CapacityTask]) -> Mapping[str, Any]:
    known, fit = context.known, context.known.fit
    whole = mapped.results.get(f"n{known.offered.facts}")
    if whole is not None and whole.ratio is not None:
        fit = fit_of_measured(whole.facts, whole.ratio, whole.exposures)
        if known.offered.a_fact > _MOST_BITS + 0.5:
            context.session.notes.append(
                f"the rows ask for {known.offered.a_fact:.1f} bits a fact, the drawn facts for {_MOST_BITS}, the most that can be drawn"
            )
    return {"offered": known.offered, "room": known.room, "fit": fit, "measured": context.config.measure}


capacity = Loop(
    name="capacity",
    config=CapacityConfig,
    result=CapacityResult,
    inputs=_sizes,
    open=_open,
    work=_look,
    summary=_summary,
    checkpoints=False,
    shareable=False,
    brief="whether facts fit a student",
)
