"""What can be asked of the two loops that make a captioner: which rows, which models, and where the result goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from ...runtime.session import RunConfig, option
from ...runtime.settings import Settings

__all__ = ["CaptionSynthesisConfig", "CaptionTrainingConfig"]


class _RowsConfig(RunConfig):
    SUBJECT: ClassVar[str] = "rows"

    rows: Annotated[str, option("JSONL or Parquet with image, question, answers, captions", metavar="ROWS")]
    out: Annotated[str, option("the folder that is written", metavar="DIR")]
    limit: Annotated[int | None, option("the first rows only", ge=1)] = None
    seed: Annotated[int, option("the same seed gives the same result")] = 0

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

    llm: Annotated[
        str, option("the writer: mini-writer, smollm2, gguf:PATH, a server's URL, openai:MODEL", metavar="LLM")
    ] = "mini-writer"
    reader: Annotated[str, option("who answers from the captions (default: the writer's model)", metavar="LLM")] = ""
    judge: Annotated[
        str,
        option("who judges planted answers, or none: they are refused (default: the writer's model)", metavar="LLM"),
    ] = ""
    samples: Annotated[int, option("captions asked for a row", ge=1)] = 10
    shots: Annotated[int | None, option("examples in the prompt, 0 to 20 (default: 20)", ge=0)] = None
    filter: Annotated[Literal["soft", "hard", "none"], option("what a caption is chosen by")] = "soft"
    least: Annotated[float, option("the soft accuracy that it must reach")] = 0.5
    in_flight: Annotated[int, option("rows that are worked on at once", ge=1, le=1024)] = 16


class CaptionTrainingConfig(_RowsConfig):
    """A run of `inloop promptcap train`."""

    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    start: Annotated[
        str, option("a captioner's folder or hub id: BLIP learns whole, others by LoRA", metavar="MODEL")
    ] = "mini-promptcap"
    epochs: Annotated[int, option("times each row is seen", ge=1)] = 3
    rate: Annotated[float | None, option("learning rate (default: 5e-5; with LoRA 2e-4)", gt=0)] = None
    batch: Annotated[int, option("rows a step", ge=1)] = 32
    train_vision: Annotated[bool, option("train the picture encoder too")] = False
    test: Annotated[str, option("held-out rows with image, question and answers to measure on", metavar="ROWS")] = ""
    generic: Annotated[bool, option("train one on unasked captions too, which the other is compared with")] = True
    reader: Annotated[
        str,
        option(
            "who answers the test questions from the captions (default: a rule: the answer stands in it)", metavar="LLM"
        ),
    ] = ""
    in_flight: Annotated[int, option("one step after the other", flag=False, ge=1, le=1)] = 1
