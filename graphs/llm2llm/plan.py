"""What a run would ask and cost, before anything is paid: the first mistakes are found for real, for the student costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...agents.rows import ChatTeacher
from ...evaluators.capacity import student_fit
from ...runtime.protocols import Student
from ...runtime.records import Record, Row
from ...runtime.session import Session
from ...runtime.settings import Settings
from ...runtime.text import lines_of
from ...runtime.transport import estimate as tokens_of
from ...tools.students import LoraStudent
from ...tools.tasks import Task
from .arms import ARMS, arms_of
from .config import Llm2LlmConfig
from .context import ArmContext
from .data import open_source
from .mistakes import find_mistakes
from .models import Models
from .repeat import Llm2LlmContext
from .result import Mistake
from .stages import Stages
from .teaching import ask_about

__all__ = ["Estimated", "Plan", "estimate"]

_ANSWER = 12  # tokens of JSON around a row
_FREE = ("local", "smollm2", "mini-writer", "mini-answerer")


class Estimated(Record):
    """Teacher calls, tokens and US dollars; `money` is 0 for what runs on this machine, None where the price is not known."""

    calls: int
    input_tokens: int
    output_tokens: int
    money: float | None


class Plan(Record):
    """What a run would ask. `mistakes`: seeds that are wrong now; `example`: the first question to the teacher, empty for an oracle.

    `expected`: when every step finds as many mistakes as the first; `most`: when all seeds are wrong and every attempt is used.
    `capacity`: that the seeds are more facts than the student can hold; empty where they are classes, or where that is not certain.
    """

    seeds: int
    dev: int
    test: int
    mistakes: int
    mining: str
    expected: Estimated
    most: Estimated
    note: str
    example: str
    capacity: str = ""

    def __str__(self) -> str:
        lines = [
            f"  {self.seeds} seeds, {self.dev} dev, {self.test} test rows; {self.mistakes} seeds are wrong now ({self.mining})"
        ]
        for name, asked in (("expected", self.expected), ("most", self.most)):
            money = "price unknown" if asked.money is None else f"{asked.money:.4g} US$"
            tokens = f"{asked.input_tokens} tokens in, {asked.output_tokens} out"
            lines.append(f"  {name:<9} {asked.calls} teacher calls, {tokens}, {money}")
        lines.append(f"  {self.note}")
        if self.capacity:
            lines.append(f"  {self.capacity}")
        if self.example:
            lines += ["", "  the first question to the teacher:", ""]
            lines += [f"    {line}" for line in lines_of(self.example)]
        return "\n".join(lines)


async def estimate(config: Llm2LlmConfig, settings: Settings) -> Plan:
    """Find the first mistakes, and count what would be asked about them.

    Raises what a run raises before anything is paid.
    """
    source = open_source(config)
    parts, main = source.parts(config.seed), ARMS[config.main]
    async with Session.aside(settings, "dry-run") as session:
        models = Models(config, source.task, session)
        context = Llm2LlmContext(config=config, session=session, source=source, models=models, stages=Stages())
        arm = await context.of_arm("seed-only", parts, 0, None)
        arm = replace(arm, mining=main.mining)
        mistakes = await find_mistakes(arm, [], 1, None)
        teacher = next((each for each in models.teachers(main, parts) if isinstance(each, ChatTeacher)), None)
    per_error = config.per_error if main.checks == "all" else 1
    example = _first_question(teacher, arm, mistakes, per_error) if teacher else ""
    rows = [f"{row.text} {row.meta.get('rationale', '')} {row.label}" for row in parts.seeds]
    written = per_error * (_ANSWER + sum(tokens_of(row) for row in rows) // len(rows))
    free = all(spec in _FREE or spec.startswith("gguf:") for spec in config.teachers)
    asking = 1 + len({"random", "paper"}.intersection(arms_of(config.compare, config.main, pool=bool(parts.pool))[1:]))
    steps = config.rounds(main)

    def of(calls: int) -> Estimated:
        calls = calls * steps * config.repeat * asking if teacher else 0
        return Estimated(
            calls=calls,
            input_tokens=calls * tokens_of(example),
            output_tokens=calls * written,
            money=0.0 if free else None,
        )

    return Plan(
        seeds=len(parts.seeds),
        dev=len(parts.dev),
        test=len(parts.test),
        mistakes=len(mistakes),
        mining=main.mining,
        expected=of(len(mistakes)),
        most=of(len(parts.seeds) * config.attempts),
        note=f"{steps} steps, {config.repeat} repeats, {asking} ways that ask the teacher; tokens are estimates, and a verifier that is a"
        " model is not counted"
        if teacher
        else "an oracle draws rows: the teacher costs nothing",
        example=example,
        capacity=_capacity(models.student, source.task, parts.seeds),
    )


def _capacity(student: Student, task: Task, seeds: Sequence[Row]) -> str:
    if task.classes or not isinstance(student, LoraStudent):
        return ""
    fit = student_fit(student, seeds).fit
    return (
        f"as facts to be remembered the seeds do not fit this student: {fit.why}"
        if fit.verdict == "does not fit"
        else ""
    )


def _first_question(teacher: ChatTeacher, arm: ArmContext, mistakes: list[Mistake], per_error: int) -> str:
    first = mistakes[0] if mistakes else Mistake(seed=arm.seeds[0], outcome="not asked")
    messages, _ = teacher.messages(ask_about(arm, first), per_error)
    return "\n\n".join(message.content for message in messages)
