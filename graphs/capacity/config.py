"""Which facts, which student, and whether it is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.records import Row
from ...runtime.session import RunConfig, option
from ...runtime.store import file_sha256
from ...tools.data import read_rows
from ...tools.tasks import Task, open_task

__all__ = ["CapacityConfig"]


class CapacityConfig(RunConfig):
    """Which facts, which student, and whether it is measured."""

    SUBJECT: ClassVar[str] = "rows"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    in_flight: Annotated[int, option("trainings at once", flag=False, ge=1, le=1)] = 1
    rows: Annotated[
        str,
        option("questions and answers: .jsonl, .json, .csv, .tsv, .parquet, a saved data set, or hf:OWNER/NAME#SPLIT", metavar="ROWS"),
    ]  # fmt: skip
    student: Annotated[
        str, option("local (LoRA on SmolLM2-135M), lora:MODEL or full:MODEL; ?epochs=N, ?rank=R", metavar="STUDENT")
    ] = "local"
    measure: Annotated[
        bool, option("train the student on as many drawn facts, of as many bits each, and read what it stored")
    ] = False
    sizes: Annotated[
        int, option("with --measure: how many sizes, each twice the one before, the last as many as ROWS", "how", ge=1, le=8)
    ] = 3  # fmt: skip
    text: Annotated[str | None, option("default: text, question, ...", "how", "NAME", flag="text-column")] = None
    label: Annotated[str | None, option("default: label, answer, ...", "how", "NAME", flag="label-column")] = None
    task: Annotated[
        str, option("short-answer (default), multiple-choice, extraction, classification, or a file", "how", "TASK")
    ] = "short-answer"
    seed: Annotated[int, option("of the drawn facts and the training", "how", ge=0)] = 0
    sha256: Annotated[str, option("of the file, so that a resumed run notices a change", flag=False)] = Field(
        default_factory=lambda fields: _sha256(fields.get("rows", ""))
    )

    def read(self) -> tuple[Task, list[Row], list[str]]:
        """The task, the rows in its form, and what is to be noted.

        Raises:
            BadInput: a file that cannot be used, or that has changed since the run began.
        """
        if self.sha256 != _sha256(self.rows):
            raise BadInput(f"{self.rows!r} has changed since the run began: restore it, or start a new run.")
        notes: list[str] = []
        rows = read_rows(self.rows, text=self.text, label=self.label, note=notes.append)
        task = open_task(self.task, rows)
        return task, task.check(rows), notes

    @classmethod
    def subjects(cls, *values: object) -> dict[str, Any]:
        """One file of rows."""
        if len(values) > 1:
            raise BadInput(f"{values[1]!r}: give one file of rows.")
        return {"rows": str(values[0])} if values else {}


def _sha256(path: str) -> str:
    return file_sha256(Path(path)) if Path(path).is_file() else ""
