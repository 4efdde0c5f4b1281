"""What a run of LLM2LLM leaves behind: every step of every arm, every row with its lineage, and the table.

Report, summary and export are made from it and the blob store alone. In JSON an arm is called a way.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ...evaluators.rows import Contamination, Judged, RowTable
from ...runtime.display import Cell, Forest, Interval, signed
from ...runtime.folder import RunResult, Task
from ...runtime.records import Cost, Record, Row
from .arms import words_of

__all__ = [
    "ArmRow",
    "ArmRun",
    "ArmValue",
    "Llm2LlmResult",
    "Llm2LlmTask",
    "Measured",
    "Mistake",
    "Spent",
    "StepRecord",
    "task_id",
]


class Mistake(Record):
    """A seed row that the student got wrong. `said`: its answer; "format": that was no answer of the task at all."""

    seed: Row
    said: str | None = None
    outcome: Literal["wrong", "format", "not asked"] = "wrong"


class Spent(Record):
    """What one stage cost: what its model calls cost when they were paid, by whichever run, and its seconds of wall clock.

    `money` is in US dollars, None where a price is not known.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    money: float | None = 0.0
    seconds: float = 0.0

    @classmethod
    def of(cls, cost: Cost, seconds: float = 0.0) -> Spent:
        """What calls cost, with the seconds that they and the rest took."""
        return cls(
            calls=cost.calls,
            input_tokens=cost.input_tokens,
            output_tokens=cost.output_tokens,
            money=cost.money,
            seconds=round(seconds, 3),
        )

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            money=None if self.money is None or other.money is None else self.money + other.money,
            seconds=round(self.seconds + other.seconds, 3),
        )


class Measured(Record):
    """A student on labelled rows it was not trained on. `format`: answers that were none; `confusion`: label -> answer -> rows.

    `right` follows the rows, for paired comparisons; in `confusion` an answer that was none is "(no answer)".
    """

    n: int
    accuracy: float
    format: int = 0
    right: tuple[bool, ...] = ()
    confusion: dict[str, dict[str, int]] = Field(default_factory=dict)


class StepRecord(Record):
    """One round: the mistakes that were found, what was written for them, and what the dev rows said of it.

    `judged`: all rows that were read, accepted or not; `replies`: addresses of what the teachers wrote, one an attempt.
    `kept` False: the dev rows got worse, and the rows were put aside.
    """

    step: int
    mistakes: tuple[Mistake, ...] = ()
    table: RowTable = RowTable()
    judged: tuple[Judged, ...] = ()
    replies: tuple[str, ...] = ()
    added: int = 0
    size: int = 0
    dev: Measured | None = None
    kept: bool = True
    note: str = ""


class ArmRun(Record):
    """One arm from the seeds to the test score, in one repeat.

    `way`: the arm's name. `rows`: address of the added rows in the blob store; `data_sha256`: of the whole training set, seeds and added
    rows in their order. `stop`: why no step follows.
    """

    way: str
    repeat: int
    stop: str
    seeds: int
    added: int
    rows: str = ""
    data_sha256: str = ""
    teacher: str = ""
    verifier: str = ""
    steps: tuple[StepRecord, ...] = ()
    test: Measured | None = None
    contamination: tuple[Contamination, ...] = ()
    spent: dict[str, Spent] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def table(self) -> RowTable:
        """What became of all rows of all steps."""
        return sum((step.table for step in self.steps), RowTable())

    def light(self) -> ArmRun:
        """Without each row and mistake of its steps; the rows that were added are in the blob store."""
        steps = tuple(step.model_copy(update={"judged": (), "mistakes": ()}) for step in self.steps)
        return self.model_copy(update={"steps": steps})


class ArmValue(Record):
    """One repeat of an arm: test accuracy and its gain over the seeds alone of the same repeat, in points; `rows`: added ones."""

    repeat: int
    accuracy: float | None
    gain: float | None = None
    rows: int = 0
    stop: str = ""


class ArmRow(Record):
    """One line of the table: test accuracy and its gain over fine-tuning on the seeds alone, in points (0-100).

    `se`, `gain_se`: standard errors over the repeats (of the paired gains), None where the repeats cannot give one: one repeat, the
    same seeds in all, or the same figure in all. Then `ci` is the 95 % interval of the gain over the test rows.
    `rows`: mean number of added rows. `values`: each repeat by itself.
    """

    way: str
    accuracy: float | None
    se: float | None = None
    gain: float | None = None
    gain_se: float | None = None
    ci: tuple[float, float] | None = None
    repeats: int = 0
    rows: float = 0.0
    note: str = ""
    values: tuple[ArmValue, ...] = ()

    @property
    def interval(self) -> tuple[float, float] | None:
        """Two standard errors on either side of the gain, else its 95 % interval over the test rows; None where there is neither."""
        if self.gain is None or self.gain_se is None:
            return self.ci
        return self.gain - 2 * self.gain_se, self.gain + 2 * self.gain_se

    @property
    def verdict(self) -> Literal["better", "worse", "unclear"]:
        """Whether the whole interval of the gain lies on one side of 0."""
        low, high = self.interval or (0.0, 0.0)
        return "better" if low > 0 else "worse" if high < 0 else "unclear"

    def drawn(self, *, main: bool) -> Interval:
        """The gain as a line of a forest plot."""
        low, high = self.interval or (None, None)
        return Interval(words_of(self.way), self.gain, low, high, main)

    def words(self) -> str:
        """The gain in words, "+1.1 ± 0.3"; the accuracy where there are no seeds alone to compare with."""
        if self.gain is None:
            return "not measured" if self.accuracy is None else f"{self.accuracy:.1f}"
        return signed(self.gain) if self.gain_se is None else f"{signed(self.gain)} ± {self.gain_se:.1f}"


class Llm2LlmTask(Task):
    """One repeat: every arm on one draw of the seeds, the main one first."""

    repeat: int
    ways: tuple[ArmRun, ...]


class Llm2LlmResult(RunResult[Llm2LlmTask]):
    """The whole run. `main`: the arm whose rows and student the user gets; `spent`: by stage, over all arms and repeats.

    `counts`: seeds, dev, test and pool rows of the first repeat.
    """

    task: dict[str, Any]
    main: str
    counts: dict[str, int]
    table: tuple[ArmRow, ...] = ()
    spent: dict[str, Spent] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, fields: Any) -> Any:
        """Results of earlier versions list the arms of all repeats in one row."""
        if not isinstance(fields, dict) or "ways" not in fields:
            return fields
        repeats: dict[int, list[Any]] = {}
        for run in fields["ways"]:
            repeats.setdefault(run["repeat"], []).append(run)
        tasks = [{"id": task_id(repeat), "repeat": repeat, "ways": runs} for repeat, runs in repeats.items()]
        return {name: value for name, value in fields.items() if name != "ways"} | {"tasks": tasks}

    @property
    def ways(self) -> tuple[ArmRun, ...]:
        """The arms of all repeats."""
        return tuple(run for task in self.tasks for run in task.ways)

    @property
    def main_runs(self) -> tuple[ArmRun, ...]:
        """The main arm of each repeat."""
        return tuple(run for run in self.ways if run.way == self.main)

    @property
    def main_row(self) -> ArmRow | None:
        """The main arm's line of the table."""
        return next((row for row in self.table if row.way == self.main), None)

    @property
    def rival(self) -> ArmRow | None:
        """The strongest other arm that got rows, or more training, in another way; None where no such arm was measured."""
        others = [row for row in self.table if row.way not in (self.main, "seed-only", "soup")]
        return max(
            (row for row in others if row.accuracy is not None), key=lambda row: row.accuracy or 0.0, default=None
        )

    def finding(self) -> str:
        """What came out in one sentence: the gain and, beside it, that of the strongest rival."""
        row, rival = self.main_row, self.rival
        if row is None or row.accuracy is None:
            return "Nothing was measured: there are no test rows"
        beside = f"; {words_of(rival.way)} {rival.words()}" if rival else "; no other way of getting rows was tried"
        if row.gain is None:
            return f"{row.words()} points on the test rows{beside}"
        doubt = "" if row.verdict != "unclear" else "No confirmed gain: "
        draws = ", in one repeat" if row.repeats == 1 else ""
        return f"{doubt}{row.words()} points over the seeds alone{draws}{beside}"

    def rows(self) -> list[dict[str, Cell]]:
        """The table: a row an arm, figures in points."""
        return [
            {
                "way": words_of(row.way),
                "rows added": row.rows,
                "accuracy": row.accuracy,
                "s.e.": row.se,
                "gain": row.gain,
                "from": None if row.interval is None else row.interval[0],
                "to": None if row.interval is None else row.interval[1],
                "repeats": row.repeats,
                "note": row.note,
            }
            for row in self.table
        ]

    def forests(self) -> tuple[Forest, ...]:
        """The gains of the arms."""
        rows = [row for row in self.table if row.gain is not None]
        if not rows:
            return ()
        several = any(row.gain_se is not None for row in rows)
        spread = "two standard errors over the repeats" if several else "95 % intervals over the test rows"
        return (
            Forest(
                title=f"Gain in test accuracy over the seeds alone, in points; {spread}",
                rows=tuple(row.drawn(main=row.way == self.main) for row in rows),
            ),
        )


def task_id(repeat: int) -> str:
    """The id of a repeat's task."""
    return f"r{repeat + 1}"
