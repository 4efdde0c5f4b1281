"""What a task is: how a text is put to a student, what an answer is, and when one is right.

A grade keeps three things apart: right, wrong, and no answer at all (`format`), because they are mended differently.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from ...prompts import load
from ...runtime.errors import BadInput
from ...runtime.records import Prediction, Record, Row
from ...runtime.store import canonical_json

__all__ = ["NoAnswer", "Task", "Verdict"]


class NoAnswer(ValueError):
    """What a student wrote is no answer to the task; the message says why."""


class Verdict(Record):
    """A grade. `answer`: what was understood, None where that is nothing; `parts`: by field, for extraction."""

    outcome: Literal["right", "wrong", "format"]
    answer: str | None = None
    explanation: str = ""
    parts: dict[str, bool] = Field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Whether the answer is the row's."""
        return self.outcome == "right"


class Task(Record, ABC):
    """Base of the tasks. A subclass gives `read`, and `same` where equal answers can be written differently."""

    kind: str
    template: str
    """The prompt template (`prompts/<template>.md`) with the one variable `text`; it ends where the answer begins."""

    @abstractmethod
    def read(self, said: str, row: Row | None = None) -> str:
        """The answer in what a student said, in one form for all ways of writing it; raises `NoAnswer`."""

    def same(self, answer: str, row: Row) -> bool:
        """Whether an answer that was read is the row's."""
        return answer == self.read(self.completion(row), row)

    def grade(self, prediction: Prediction | str, row: Row) -> Verdict:
        """Right, wrong, or no answer at all."""
        said = prediction if isinstance(prediction, str) else prediction.text
        try:
            answer = self.read(said, row)
        except NoAnswer as error:
            return Verdict(outcome="format", explanation=str(error))
        if self.same(answer, row):
            return Verdict(outcome="right", answer=answer)
        return Verdict(outcome="wrong", answer=answer, explanation=f"{answer!r} is not {row.label!r}")

    def prompt(self, text: str) -> str:
        """What a generating student is given for a row's text."""
        return load(self.template).render(text=text)

    def completion(self, row: Row) -> str:
        """What a generating student is to write for a row."""
        return row.label

    @property
    def classes(self) -> tuple[str, ...]:
        """All answers there are, in a fixed order; empty where they are open."""
        return ()

    @property
    def answer_tokens(self) -> int:
        """The most new tokens an answer may take."""
        return 64

    @property
    def sha256(self) -> str:
        """Names the task in keys: its description and the words of its template."""
        words = load(self.template).sha256
        text = canonical_json([type(self).__qualname__, self.model_dump(mode="json"), words], f"the task {self.kind!r}")
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def row(self, name: str, text: str, label: str, /, **meta: Any) -> Row:
        """A row of this task with its label in the one form that it has; raises `BadInput` as `check` does."""
        row = Row(id=name, text=text.strip(), label=label.strip(), meta=meta)
        if not row.text:
            raise BadInput(f"row {name!r}: the text is empty.")
        try:
            self.read(self.completion(row), row)
        except NoAnswer as error:
            raise BadInput(f"row {name!r}: the label {label[:80]!r} cannot be used: {error}") from None
        return row

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """The rows in this task's form, ready to be learned.

        Raises `BadInput` for no rows, a label that is no answer (with the one that may be meant), or rows of one class.
        """
        if not rows:
            raise BadInput("there are no rows: give at least a few labelled examples.")
        return [self.row(row.id, row.text, row.label, **row.meta) for row in rows]
