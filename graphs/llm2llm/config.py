"""What a user asks of `inloop llm2llm`, and the models that a run opens for it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ...runtime.records import Record
from .arms import Way

__all__ = ["Llm2LlmConfig"]

_PAPER_STEPS = 10  # fine-tunings; the last one writes nothing
_BLIND_STEPS = 20
_ORACLE = "oracle:"


class Llm2LlmConfig(Record):
    """What is asked for.

    `train`, `test`, `dev`: files of rows. `teachers`: "local", a chat model as in `Settings`, or "oracle:FILE". `verifiers`: "auto",
    "none", "student", "self:VOTES", a chat model (with ",votes=N"), or a Python file. `preset` "paper" runs the paper's rule.
    `steps`: rounds of writing rows (None: 3, the paper's rule 9).
    `rouge`, `cosine`: above, a row is a copy. `agreement`: instead of each verifier's own threshold.
    `soup`: also average the students of the kept steps. `files`: the sha256 of the files by role, so that a resumed run notices a change.
    """

    train: str
    test: str | None = None
    dev: str | None = None
    task: str = "classification"
    task_options: dict[str, Any] = Field(default_factory=dict)
    about: str = ""
    text: str | None = None
    label: str | None = None
    seeds_per_class: int | None = Field(default=None, ge=1)
    dev_per_class: int | None = Field(default=None, ge=0)
    student: str = "embedding"
    teachers: tuple[str, ...] = Field(default=("local",), min_length=1)
    verifiers: tuple[str, ...] = ("auto",)
    preset: Literal["ours", "paper"] = "ours"
    steps: int | None = Field(default=None, ge=1, le=100)
    per_error: int = Field(default=4, ge=1, le=20)
    rows: int | None = Field(default=None, ge=1)
    attempts: int = Field(default=3, ge=1, le=10)
    folds: int = Field(default=5, ge=2, le=50)
    rouge: float = Field(default=0.7, gt=0, le=1)
    cosine: float = Field(default=0.95, gt=0, le=1)
    agreement: float | None = Field(default=None, gt=0, le=1)
    temperature: float = Field(default=1.0, ge=0, le=2)
    repeat: int = Field(default=1, ge=1, le=100)
    seed: int = Field(default=0, ge=0, le=1_000_000)
    soup: Literal["none", "uniform", "greedy", "stock"] = "none"
    compare: tuple[str, ...] = ("seed-only", "repeated", "eda")
    budget: str = ""
    in_flight: int = Field(default=4, ge=1, le=64)
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def main(self) -> str:
        """The way whose rows and student the user gets."""
        return self.preset

    def rounds(self, way: Way) -> int:
        """How often rows are written in a way. Blind ways may make up for refused rows; what they add is capped."""
        if way.mining == "random":
            return _BLIND_STEPS
        own = 3 if way.mining == "out of fold" else _PAPER_STEPS - 1
        return self.steps or own if way.name == self.main else own

    @property
    def pool(self) -> str | None:
        """The file of an oracle teacher."""
        return next((spec.removeprefix(_ORACLE) for spec in self.teachers if spec.startswith(_ORACLE)), None)

    @property
    def paths(self) -> dict[str, str | None]:
        """The files by their role."""
        return {"train": self.train, "test": self.test, "dev": self.dev, "pool": self.pool}
