"""What can be asked of LLM2LLM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ...runtime.errors import BadInput
from ...runtime.run import RunConfig
from ...runtime.store import file_sha256
from .arms import COMPARISONS, Arm

__all__ = ["ORACLE", "Llm2LlmConfig"]

_PAPER_STEPS = 10  # fine-tunings; the last one writes nothing
_BLIND_STEPS = 20
ORACLE = "oracle:"
"""How the spec of an oracle teacher begins; a file of rows follows."""


_DATA: dict[str, Any] = {"group": "data"}
_TASK: dict[str, Any] = {"group": "task"}
_MODELS: dict[str, Any] = {"group": "models"}
_HOW: dict[str, Any] = {"group": "how"}


class Llm2LlmConfig(RunConfig):
    """What is asked for: labelled rows, a student, who writes for it and who checks, and what it is compared with."""

    SUBJECT: ClassVar[str] = "train"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    train: str = Field(
        description="labelled rows: .jsonl, .json, .csv, .tsv, .parquet, a saved data set, or hf:OWNER/NAME#SPLIT",
        json_schema_extra={"metavar": "ROWS"},
    )
    test: str | None = Field(
        default=None,
        description="rows to measure on, looked at once; without it nothing is measured",
        json_schema_extra=_DATA | {"metavar": "FILE"},
    )
    dev: str | None = Field(
        default=None,
        description="rows that decide whether a step's rows are kept (default: drawn from ROWS)",
        json_schema_extra=_DATA | {"metavar": "FILE"},
    )
    seeds_per_class: int | None = Field(
        default=None, ge=1, description="learn from N rows of each class (default: from all)", json_schema_extra=_DATA
    )
    dev_per_class: int | None = Field(
        default=None, ge=0, description="dev rows of each class from ROWS; 0 for none", json_schema_extra=_DATA
    )
    text: str | None = Field(
        default=None,
        description="default: text, question, sentence, ...",
        json_schema_extra=_DATA | {"metavar": "NAME", "flag": "text-column"},
    )
    label: str | None = Field(
        default=None,
        description="default: label, intent, answer, ...",
        json_schema_extra=_DATA | {"metavar": "NAME", "flag": "label-column"},
    )
    task: str = Field(
        default="classification",
        description="classification (default), short-answer, multiple-choice, extraction, or a file",
        json_schema_extra=_TASK | {"metavar": "TASK"},
    )
    task_options: dict[str, Any] = Field(
        default_factory=dict,
        description="options of the task: labels, match, marker",
        json_schema_extra=_TASK | {"flag": False},
    )
    about: str = Field(
        default="", description="the task in a sentence, for the teacher", json_schema_extra=_TASK | {"metavar": "TEXT"}
    )
    student: str = Field(
        default="embedding",
        description="embedding (default, fast), local (LoRA on SmolLM2-135M), or a model folder",
        json_schema_extra=_MODELS | {"metavar": "STUDENT"},
    )
    teachers: tuple[str, ...] = Field(
        default=("local",),
        min_length=1,
        description="local (SmolLM2-135M, small), http://host:8000/v1[#model], openai:MODEL, or oracle:FILE (real rows, for tests); repeatable",
        json_schema_extra=_MODELS | {"metavar": "TEACHER", "repeat": True, "flag": "teacher"},
    )
    verifiers: tuple[str, ...] = Field(
        default=("auto",),
        description="auto (default), none, student (a classifier), self:VOTES, a model as --teacher[,votes=N], or a .py file with check(row);"
        " repeatable",
        json_schema_extra=_MODELS | {"metavar": "WHO", "repeat": True, "flag": "verifier"},
    )
    preset: Literal["ours", "paper"] = Field(
        default="ours", description="ours (default), or the paper's rule", json_schema_extra=_HOW
    )
    steps: int | None = Field(
        default=None, ge=1, le=100, description="rounds of writing rows (default: 3; paper: 9)", json_schema_extra=_HOW
    )
    per_error: int = Field(
        default=4,
        ge=1,
        le=20,
        description="rows for each mistake in a step (default: 4; paper: 1)",
        json_schema_extra=_HOW,
    )
    rows: int | None = Field(default=None, ge=1, description="the most rows to add in all", json_schema_extra=_HOW)
    attempts: int = Field(
        default=3, ge=1, le=10, description="how often a step asks again for refused rows", json_schema_extra=_HOW
    )
    folds: int = Field(default=5, ge=2, le=50, description="mistakes are found out of N folds", json_schema_extra=_HOW)
    rouge: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="ROUGE-L above which a row is a copy",
        json_schema_extra=_HOW | {"metavar": "F"},
    )
    cosine: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="cosine above which a row is a copy",
        json_schema_extra=_HOW | {"metavar": "C"},
    )
    agreement: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="the verifier's agreement that is enough (default: its own)",
        json_schema_extra=_HOW | {"metavar": "A"},
    )
    temperature: float = Field(
        default=1.0, ge=0, le=2, description="of the teacher", json_schema_extra=_HOW | {"metavar": "T"}
    )
    seed: int = Field(
        default=0, ge=0, le=1_000_000, description="the same seed gives the same run", json_schema_extra=_HOW
    )
    repeat: int = Field(
        default=1, ge=1, le=100, description="draw the seeds N times, for standard errors", json_schema_extra=_HOW
    )
    compare: tuple[str, ...] = Field(
        default=("seed-only", "repeated", "eda"),
        description="all, none, or of seed-only,repeated,eda,random,paper,oracle (default: the first three, which cost no teacher calls)",
        json_schema_extra=_HOW | {"metavar": "WAYS"},
    )
    soup: Literal["none", "uniform", "greedy", "stock"] = Field(
        default="none", description="also average the students of the steps", json_schema_extra=_HOW
    )
    in_flight: int = Field(default=4, ge=1, le=64, description="repeats that are worked on at once")
    files: dict[str, str] = Field(
        default_factory=lambda fields: _sha256_of(_paths(fields)),
        description="sha256 of the files by role, so that a resumed run notices a change",
        json_schema_extra={"flag": False},
    )

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """One file of rows."""
        if len(values) > 1:
            raise BadInput(f"{len(values)} files of rows: give one.")
        return {"train": str(values[0])} if values else {}

    @field_validator("compare")
    @classmethod
    def _are_arms(cls, compare: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted({*compare} - {*COMPARISONS, "ours", "all", "none"})
        if unknown:
            raise BadInput(f"--compare {unknown[0]!r}: there are {', '.join(COMPARISONS)}, all and none.")
        return compare

    @property
    def main(self) -> str:
        """The arm whose rows and student the user gets."""
        return self.preset

    def rounds(self, arm: Arm) -> int:
        """How often rows are written in an arm. Blind arms may make up for refused rows; what they add is capped."""
        if arm.mining == "random":
            return _BLIND_STEPS
        own = 3 if arm.mining == "out of fold" else _PAPER_STEPS - 1
        return self.steps or own if arm.name == self.main else own

    @property
    def paths(self) -> dict[str, str]:
        """The files by their role; `pool` is that of an oracle teacher."""
        return _paths(self.model_dump())

    def changed(self) -> str | None:
        """The role of a file that is not what it was when the run began; None where all are."""
        now = _sha256_of(self.paths)
        return next((role for role, sha256 in self.files.items() if now.get(role) != sha256), None)


def _paths(fields: Mapping[str, Any]) -> dict[str, str]:
    pools = [spec.removeprefix(ORACLE) for spec in fields.get("teachers", ()) if spec.startswith(ORACLE)]
    paths = {role: fields.get(role) for role in ("train", "test", "dev")} | {"pool": next(iter(pools), None)}
    return {role: path for role, path in paths.items() if path}


def _sha256_of(paths: Mapping[str, str]) -> dict[str, str]:
    """Folders, and files that are not there, are left out."""
    return {role: file_sha256(Path(path)) for role, path in paths.items() if Path(path).is_file()}
