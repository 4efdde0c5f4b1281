"""What is evaluated, and on what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from ...evaluators.vqa import SetName
from ..promptcap import Method, PromptCapConfig

__all__ = ["VQAEvalConfig"]


class VQAEvalConfig(PromptCapConfig):
    """What is evaluated, on what. Paths of files; empty where there is none.

    `images` or captions are needed; without `images` the set is in text-only mode. Without `examples`, worked examples are the
    questions of the same file that are not asked. `way.tags` and `way.ocr`: with a tool (`tagger`, `ocr`) they are made by it,
    else they are those of the files.
    """

    SUBJECT: ClassVar[str] = "data"
    FILES: ClassVar[tuple[str, ...]] = (
        *PromptCapConfig.FILES, "questions", "annotations", "images", "captions", "oracle", "candidates",
    )  # fmt: skip

    data: SetName = Field(description="okvqa, aokvqa or vqav2")
    questions: str = Field(
        description="official questions, or a list with answers; a file, its zip, or a URL",
        json_schema_extra={"metavar": "FILE"},
    )
    annotations: str = Field(
        default="",
        description="official annotations, where the questions have no answers",
        json_schema_extra={"metavar": "FILE"},
    )
    images: str = Field(
        default="",
        description="the pictures; without them captions are needed (text-only mode)",
        json_schema_extra={"metavar": "DIR"},
    )
    captions: str = Field(
        default="", description="captions by question or by picture", json_schema_extra={"metavar": "FILE"}
    )
    oracle: str = Field(
        default="",
        description="by question, a caption that lacks nothing, and the passage to know",
        json_schema_extra={"metavar": "FILE"},
    )
    candidates: str = Field(
        default="",
        description="answers with confidences by question, for --preset prophet",
        json_schema_extra={"metavar": "FILE"},
    )
    multiple_choice: bool = Field(default=False, description="choose among the choices of A-OKVQA")
    limit: int | None = Field(default=None, ge=1, description="so many questions, drawn with the seed")
    way: Method = Field(default=Method(), json_schema_extra={"flag": False})
    baselines: str = Field(
        default="all",
        description="all, none, or names, comma separated; a wrong one lists all",
        json_schema_extra={"metavar": "NAMES"},
    )
    causes: bool = Field(default=True, description="ask again with the oracle to explain errors")

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """`vqa_eval("okvqa", questions=...)`: the form of the data set comes first."""
        return {cls.SUBJECT: values[0]} if len(values) == 1 else super().subjects(*values)

    def topics(self) -> list[str]:
        """The file of questions."""
        return [self.questions]
