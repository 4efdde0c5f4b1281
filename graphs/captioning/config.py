"""What can be asked of the two loops that make a captioner: which rows, which models, and where the result goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from ...runtime.run import RunConfig
from ...runtime.settings import Settings

__all__ = ["CaptionSynthesisConfig", "CaptionTrainingConfig"]


class _RowsConfig(RunConfig):
    SUBJECT: ClassVar[str] = "rows"

    rows: str = Field(
        description="JSONL or Parquet with image, question, answers, captions", json_schema_extra={"metavar": "ROWS"}
    )
    out: str = Field(description="the folder that is written", json_schema_extra={"metavar": "DIR"})
    limit: int | None = Field(default=None, ge=1, description="the first rows only")
    seed: int = Field(default=0, description="the same seed gives the same result")

    @classmethod
    def of(cls, *subjects: object, settings: Settings, **options: Any) -> Self:
        """The config of a call; the paths are made absolute, for a run may be resumed from another folder."""
        options = {**cls.subjects(*subjects), **options}
        for name in {"rows", "out", "test"} & {*options}:
            options[name] = str(Path(options[name]).resolve()) if options[name] else ""
        return super().of(settings=settings, **options)

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """The file of rows comes first."""
        return {cls.SUBJECT: values[0]} if len(values) == 1 else super().subjects(*values)


class CaptionSynthesisConfig(_RowsConfig):
    """A run of `inloop promptcap synthesize`."""

    llm: str = Field(
        default="mini-writer",
        description="the writer: mini-writer, smollm2, gguf:PATH, a server's URL, openai:MODEL",
        json_schema_extra={"metavar": "LLM"},
    )
    reader: str = Field(
        default="",
        description="who answers from the captions (default: the writer's model)",
        json_schema_extra={"metavar": "LLM"},
    )
    judge: str = Field(
        default="",
        description="who judges planted answers, or none: they are refused (default: the writer's model)",
        json_schema_extra={"metavar": "LLM"},
    )
    samples: int = Field(default=10, ge=1, description="captions asked for a row")
    shots: int | None = Field(default=None, ge=0, description="examples in the prompt, 0 to 20 (default: 20)")
    filter: Literal["soft", "hard", "none"] = Field(default="soft", description="what a caption is chosen by")
    least: float = Field(default=0.5, description="the soft accuracy that it must reach")
    in_flight: int = Field(default=16, ge=1, le=1024, description="rows that are worked on at once")


class CaptionTrainingConfig(_RowsConfig):
    """A run of `inloop promptcap train`."""

    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    start: str = Field(
        default="mini-promptcap",
        description="a captioner's folder or hub id: BLIP learns whole, others by LoRA",
        json_schema_extra={"metavar": "MODEL"},
    )
    epochs: int = Field(default=3, ge=1, description="times each row is seen")
    rate: float | None = Field(default=None, gt=0, description="learning rate (default: 5e-5; with LoRA 2e-4)")
    batch: int = Field(default=32, ge=1, description="rows a step")
    train_vision: bool = Field(default=False, description="train the picture encoder too")
    test: str = Field(
        default="",
        description="held-out rows with image, question and answers to measure on",
        json_schema_extra={"metavar": "ROWS"},
    )
    generic: bool = Field(
        default=True, description="train one on unasked captions too, which the other is compared with"
    )
    reader: str = Field(
        default="",
        description="who answers the test questions from the captions (default: a rule: the answer stands in it)",
        json_schema_extra={"metavar": "LLM"},
    )
    in_flight: int = Field(default=1, ge=1, le=1, json_schema_extra={"flag": False})
