"""What can be asked of LLM2LLM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator

from ...runtime.errors import BadInput
from ...runtime.session import RunConfig, option
from ...runtime.settings import Settings
from ...runtime.store import StoreLocation, file_sha256
from ...tools.data import kept_rows
from .arms import COMPARISONS, Arm

__all__ = ["ORACLE", "Llm2LlmConfig"]

_PAPER_STEPS = 10  # fine-tunings; the last one writes nothing
_BLIND_STEPS = 20
_FILES = ("train", "test", "dev")
ORACLE = "oracle:"
"""How the spec of an oracle teacher begins; a file of rows follows."""


class Llm2LlmConfig(RunConfig):
    """What is asked for: labelled rows, a student, who writes for it and who checks, and what it is compared with."""

    SUBJECT: ClassVar[str] = "train"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    train: Annotated[
        str,
        option(
            "labelled rows: .jsonl, .json, .csv, .tsv, .parquet, a saved data set, or hf:OWNER/NAME#SPLIT",
            metavar="ROWS",
        ),
    ]
    test: Annotated[
        str | None, option("rows to measure on, looked at once; without it nothing is measured", "data", "FILE")
    ] = None
    dev: Annotated[
        str | None, option("rows that decide whether a step's rows are kept (default: drawn from ROWS)", "data", "FILE")
    ] = None
    seeds_per_class: Annotated[
        int | None, option("learn from N rows of each class (default: from all)", "data", ge=1)
    ] = None
    dev_per_class: Annotated[int | None, option("dev rows of each class from ROWS; 0 for none", "data", ge=0)] = None
    text: Annotated[
        str | None, option("default: text, question, sentence, ...", "data", "NAME", flag="text-column")
    ] = None
    label: Annotated[str | None, option("default: label, intent, answer, ...", "data", "NAME", flag="label-column")] = (
        None
    )
    task: Annotated[
        str, option("classification (default), short-answer, multiple-choice, extraction, or a file", "task", "TASK")
    ] = "classification"
    task_options: Annotated[
        dict[str, Any], option("options of the task: labels, match, marker", "task", flag=False)
    ] = Field(default_factory=dict)
    about: Annotated[str, option("the task in a sentence, for the teacher", "task", "TEXT")] = ""
    student: Annotated[
        str, option("embedding (default, fast), local (LoRA on SmolLM2-135M), or a model folder", "models", "STUDENT")
    ] = "embedding"
    teachers: Annotated[
        tuple[str, ...],
        option(
            "local (SmolLM2-135M, small), http://host:8000/v1[,http://...][#model], openai:MODEL, or oracle:FILE (real rows, for tests); repeatable",
            "models",
            "TEACHER",
            flag="teacher",
            repeat=True,
            min_length=1,
        ),
    ] = ("local",)
    verifiers: Annotated[
        tuple[str, ...],
        option(
            "auto (default), none, student (a classifier), self:VOTES, a model as --teacher[,votes=N], or a .py file with check(row);"
            " repeatable",
            "models",
            "WHO",
            flag="verifier",
            repeat=True,
        ),
    ] = ("auto",)
    preset: Annotated[Literal["ours", "paper"], option("ours (default), or the paper's rule", "how")] = "ours"
    steps: Annotated[int | None, option("rounds of writing rows (default: 3; paper: 9)", "how", ge=1, le=100)] = None
    per_error: Annotated[int, option("rows for each mistake in a step (default: 4; paper: 1)", "how", ge=1, le=20)] = 4
    rows: Annotated[int | None, option("the most rows to add in all", "how", ge=1)] = None
    attempts: Annotated[int, option("how often a step asks again for refused rows", "how", ge=1, le=10)] = 3
    folds: Annotated[int, option("mistakes are found out of N folds", "how", ge=2, le=50)] = 5
    rouge: Annotated[float, option("ROUGE-L above which a row is a copy", "how", "F", gt=0, le=1)] = 0.7
    cosine: Annotated[float, option("cosine above which a row is a copy", "how", "C", gt=0, le=1)] = 0.95
    agreement: Annotated[
        float | None, option("the verifier's agreement that is enough (default: its own)", "how", "A", gt=0, le=1)
    ] = None
    temperature: Annotated[float, option("of the teacher", "how", "T", ge=0, le=2)] = 1.0
    seed: Annotated[int, option("the same seed gives the same run", "how", ge=0, le=1_000_000)] = 0
    repeat: Annotated[int, option("draw the seeds N times, for standard errors", "how", ge=1, le=100)] = 1
    compare: Annotated[
        tuple[str, ...],
        option(
            "all, none, or of seed-only,repeated,eda,random,paper,oracle (default: the first three, which cost no teacher calls)",
            "how",
            "WAYS",
        ),
    ] = ("seed-only", "repeated", "eda")
    soup: Annotated[
        Literal["none", "uniform", "greedy", "stock"], option("also average the students of the steps", "how")
    ] = "none"
    in_flight: Annotated[int, option("repeats that are worked on at once", ge=1, le=64)] = 4
    files: Annotated[
        dict[str, str], option("sha256 of the files by role, so that a resumed run notices a change", flag=False)
    ] = Field(default_factory=lambda fields: _sha256_of(_paths(fields)))

    @classmethod
    def of(cls, *subjects: object, settings: Settings, **options: Any) -> Self:
        """As of any loop; rows may be given as they are in memory too: they are kept in a file of the store, where a resumed run finds them.

        Raises:
            BadInput: also what are no rows.
        """
        given = {**cls.subjects(*subjects), **options}
        for role in _FILES:
            if isinstance(given.get(role), Path):
                given[role] = str(given[role])
            elif given.get(role) is not None and not isinstance(given[role], str):
                given[role] = str(kept_rows(given[role], StoreLocation.named_by(settings).local / "rows", name=role))
        return super().of(settings=settings, **given)

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """One file of rows, or rows."""
        if len(values) > 1:
            raise BadInput(f"{len(values)} files of rows: give one.")
        return {"train": values[0]} if values else {}

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
    paths = {role: fields.get(role) for role in _FILES} | {"pool": next(iter(pools), None)}
    return {role: path for role, path in paths.items() if path}


def _sha256_of(paths: Mapping[str, str]) -> dict[str, str]:
    """Folders, and files that are not there, are left out."""
    return {role: file_sha256(Path(path)) for role, path in paths.items() if Path(path).is_file()}
