"""What a run of LLM2LLM leaves behind: every step of every way, every row with its lineage, and the table.

`result.json` of a run folder is an `Llm2LlmOutcome`; report, summary and export are made from it and the blob store alone.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ...evaluators.rows import Contamination, Judged, RowTable
from ...runtime.records import Cost, Record, Row

__all__ = [
    "SCHEMA_VERSION",
    "Llm2LlmOutcome",
    "Measured",
    "Mistake",
    "Spent",
    "StepRecord",
    "WayRow",
    "WayRun",
    "WayValue",
]

SCHEMA_VERSION = 1


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

    def plus(self, cost: Cost, seconds: float = 0.0) -> Spent:
        """With one more call, or one more piece of work."""
        return Spent(
            calls=self.calls + cost.calls,
            input_tokens=self.input_tokens + cost.input_tokens,
            output_tokens=self.output_tokens + cost.output_tokens,
            money=None if self.money is None or cost.money is None else self.money + cost.money,
            seconds=round(self.seconds + seconds, 3),
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


class WayRun(Record):
    """One way of getting more rows, from the seeds to the test score, with the seed `repeat`.

    `rows`: address of the added rows in the blob store; `data_sha256`: of the whole training set, seeds and added rows in their order.
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


class WayValue(Record):
    """One repeat of a way: test accuracy and its gain over the seeds alone of the same repeat, in points; `rows`: added ones."""

    repeat: int
    accuracy: float | None
    gain: float | None = None
    rows: int = 0
    stop: str = ""


class WayRow(Record):
    """One line of the table: test accuracy and its gain over fine-tuning on the seeds alone, in points (0-100).

    `se`, `gain_se`: standard errors over the repeats (of the paired gains), None with one repeat; then `ci` is the 95 % interval of
    the gain over the test rows. `rows`: mean number of added rows. `values`: each repeat by itself.
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
    values: tuple[WayValue, ...] = ()


class Llm2LlmOutcome(Record):
    """The whole run. `calls`: by kind, how many were paid and how many came from the ledger; `spent`: by stage, over all ways."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    loop: str = "llm2llm"
    created: str
    seconds: float
    config: dict[str, Any]
    models: dict[str, dict[str, str]]
    task: dict[str, Any]
    main: str
    counts: dict[str, int]
    ways: tuple[WayRun, ...]
    table: tuple[WayRow, ...] = ()
    spent: dict[str, Spent] = Field(default_factory=dict)
    cost: Cost = Cost()
    calls: dict[str, dict[str, int]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
