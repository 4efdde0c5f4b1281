"""What the LLM2LLM machine plugs in: who is trained, who writes, who judges, and how mistakes are found.

Mistakes are found in one of three ways: "seeds", as the paper does it, on the rows that the student was trained on; "out of fold",
each seed by a student that was trained on the other folds and on all added rows, because a student that has fitted its seeds shows
no mistakes; "random", seeds drawn blindly, for comparison.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from ...agents.rows import Ask, Teacher, Written
from ...evaluators.rows import RowChecks
from ...runtime.budget import Budget
from ...runtime.protocols import Student
from ...runtime.records import Cost, Prediction, Row
from ...runtime.store import BlobStore, Ledger
from ...tools.data import folds
from ...tools.tasks import Task
from .result import Measured, Mistake, Spent

__all__ = ["Event", "Mining", "Ports", "Stages", "ask_about", "find_mistakes", "measure", "write_rows"]

Event = dict[str, Any]
Mining = Literal["seeds", "out of fold", "random"]
_NO_ANSWER = "(no answer)"
_ALIKE, _UNLIKE = 5, 3  # rows of a class that the teacher is shown

_stage: contextvars.ContextVar[list[Cost] | None] = contextvars.ContextVar("stage", default=None)


class Stages:
    """Books what language model calls cost on the stage that makes them; a reused reply counts with what it cost once.

    So the sums of a run that was killed are those of one that was not, but for the seconds.
    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        if ledger is not None:
            ledger.listen(lambda call, cost, cached: self.book(cost) if call.kind == "llm" else None)

    @staticmethod
    def book(cost: Cost) -> None:
        costs = _stage.get()
        if costs is not None:
            costs.append(cost)

    @contextmanager
    def stage(self, name: str, before: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """`before` with what the body costs added to stage `name`, when the body is done."""
        costs: list[Cost] = []
        token, started, after = _stage.set(costs), time.monotonic(), dict(before)
        try:
            yield after
        finally:
            _stage.reset(token)
            spent = Spent.model_validate(before.get(name, {}))
            for cost in costs:
                spent = spent.plus(cost)
            after[name] = spent.plus(Cost(), time.monotonic() - started).model_dump(mode="json")


@dataclass(frozen=True, kw_only=True)
class Ports:
    """One way of getting more rows.

    Args:
        student: of the base model; it is never fitted itself, `fresh` ones are.
        dev: rows that only decide whether a step's rows are kept; none: every step's rows are.
        test: rows that are looked at once, at the end.
        checks: None takes every row that the task can use.
        steps: rounds of finding mistakes and writing rows; 0 trains on the seeds alone.
        per_error: rows wanted for each mistake in a step.
        cap: the most rows to add in all.
        attempts: how often a step asks again for what is missing.
        patience: steps in a row that the dev rows may refuse.
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
    tell: Callable[[Event], None] = lambda event: None


async def predictions(ports: Ports, rows: Sequence[Row], asked: Sequence[Row]) -> list[Prediction]:
    """What a student that was trained on `rows` says to `asked`. One student is trained at a time."""
    async with ports.training:
        student = ports.student.fresh()  # dropped here; what it shares with the others is closed at the end of the run
        await student.fit(rows, ports.seed)
        return await student.predict([row.text for row in asked], scores=False) if asked else []


def measure(task: Task, rows: Sequence[Row], said: Sequence[Prediction]) -> Measured:
    """The grades of the predictions of rows."""
    grades = [task.grade(prediction, row) for prediction, row in zip(said, rows, strict=True)]
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


async def find_mistakes(ports: Ports, added: Sequence[Row], step: int, wanted: int | None) -> list[Mistake]:
    """The seeds to write rows for, in the order of the seeds; [] when the student makes no mistakes on them.

    `wanted`: how many rows may still be added (None: any number); a random choice draws as many seeds as that needs.
    """
    if ports.mining == "random":
        return _random(ports, step, wanted)
    seeds = list(ports.seeds)
    said: dict[str, Prediction] = {}
    if ports.mining == "seeds":
        found = await predictions(ports, [*seeds, *added], seeds)
        said = dict(zip((row.id for row in seeds), found, strict=True))
    else:
        for train, held in folds(seeds, min(ports.folds, len(seeds)), ports.seed):
            rows = [*train, *added]
            only = {row.label for row in rows} if ports.task.classes else set()
            # one class alone cannot be trained on, and whoever knows one class says it
            found = (
                [Prediction(text=only.pop())] * len(held) if len(only) == 1 else await predictions(ports, rows, held)
            )
            said |= dict(zip((row.id for row in held), found, strict=True))
    mistakes = []
    for row in seeds:
        grade = ports.task.grade(said[row.id], row)
        if not grade.right:
            shown = said[row.id].text if grade.answer is None else grade.answer
            outcome: Literal["wrong", "format"] = "format" if grade.outcome == "format" else "wrong"
            mistakes.append(Mistake(seed=row, said=shown[:500], outcome=outcome))
    return mistakes


def _random(ports: Ports, step: int, wanted: int | None) -> list[Mistake]:
    rng = random.Random(f"random/{ports.seed}/{step}")
    count = len(ports.seeds) if wanted is None else -(-wanted // ports.per_error)
    drawn: list[Row] = []
    while len(drawn) < count:  # all seeds once before one comes again
        drawn += rng.sample(ports.seeds, min(len(ports.seeds), count - len(drawn)))
        if len(drawn) >= len(ports.seeds):
            break  # one ask a seed and step: the next step draws again
    return [Mistake(seed=row, outcome="not asked") for row in drawn]


def ask_about(ports: Ports, mistake: Mistake, avoid: Sequence[str] = ()) -> Ask:
    """What the teacher is asked for a mistake.

    A class is told by its name and by other seeds of it: a small teacher that knows the name alone writes what it suggests to
    it ("SearchCreativeWork": whatever one may search). Which seeds are shown changes with what was written before.
    """
    rest = [row for row in ports.seeds if row.id != mistake.seed.id] if ports.task.classes else []
    rng = random.Random(f"shown/{ports.seed}/{mistake.seed.id}/{len(avoid)}")

    def some(label: str | None, most: int) -> tuple[str, ...]:
        found = [row.text for row in rest if row.label == label]
        return tuple(rng.sample(found, min(most, len(found))))

    return Ask(
        seed=mistake.seed, wrong=mistake.said, unreadable=mistake.outcome == "format", avoid=tuple(avoid),
        alike=some(mistake.seed.label, _ALIKE), unlike=some(mistake.said, _UNLIKE),
    )  # fmt: skip


async def write_rows(
    ports: Ports, asks: Sequence[tuple[Ask, int]], *, step: int, attempt: int, taken: frozenset[str]
) -> list[Written]:
    """What the teachers write: for each ask as many rows as it says.

    Asks are dealt to the teachers in turn, and at the next attempt to the next one.
    """
    groups: dict[tuple[int, int], list[Ask]] = {}
    for place, (ask, n) in enumerate(asks):
        groups.setdefault(((place + attempt) % len(ports.teachers), n), []).append(ask)
    written: list[Written] = []
    for (which, n), mine in sorted(groups.items(), key=lambda item: item[0]):
        seed = ((ports.seed * 100 + step) * 10 + attempt) * 10 + which
        made = await ports.teachers[which].write(mine, n=n, seed=seed, taken=taken)
        taken |= {draft.text for reply in made for draft in reply.drafts}
        written += made
    return written
