"""What is scored, by which metrics, and what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.run import RunConfig

__all__ = ["ScoreConfig"]

_MODELS: dict[str, Any] = {"group": "models", "metavar": "ID"}
_FILE: dict[str, Any] = {"group": "how", "metavar": "FILE"}


class ScoreConfig(RunConfig):
    """What is scored, by which metrics, and what it is compared with.

    The pictures are scored a chunk after the other, so that their files are read in order and none is held for long.
    """

    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm", "vqa", "clip")

    in_flight: int = Field(
        default=1, ge=1, le=1, description="chunks that are scored at once", json_schema_extra={"flag": False}
    )
    pictures: str = Field(
        description="folder of pictures, CSV/JSONL table, a saved Hugging Face data set, or hf:OWNER/NAME",
        json_schema_extra={"flag": False},
    )
    prompts: str | None = Field(
        default=None,
        description="text file with a line a picture, or a table of names and prompts",
        json_schema_extra={"flag": False},
    )
    metric: str = Field(
        default="dsg,clipscore",
        description="comma separated; an unknown one lists all",
        json_schema_extra={"metavar": "NAMES"},
    )
    vqa: str = Field(
        default="mini",
        description="mini, a folder or a hub id; several, comma separated: DSG as an ensemble",
        json_schema_extra={"group": "models", "metavar": "IDS"},
    )
    clip: str = Field(default="mini", description="CLIP model: mini, a folder or a hub id", json_schema_extra=_MODELS)
    detector: str = Field(
        default="ssd",
        description="of GenEval: ssd, a folder or a hub id; ?detection=0.3&counting=0.9",
        json_schema_extra=_MODELS,
    )
    reward: tuple[str, ...] = Field(
        default=(),
        description="another checkpoint of pickscore, hpsv2 or imagereward (folder or hub id)",
        json_schema_extra={"group": "models", "metavar": "NAME=ID", "repeat": True},
    )
    llm: str = Field(
        default="mini-writer",
        description="writes the questions, as in inloop opt2i",
        json_schema_extra={"group": "models", "metavar": "LLM"},
    )
    questioner: str = Field(
        default="",
        description="another LLM for the questions, or simple-english",
        json_schema_extra={"group": "models", "metavar": "WHO"},
    )
    rule: Literal["strict", "released"] = Field(
        default="strict", description="of DSG", json_schema_extra={"group": "how"}
    )
    lazy: bool = Field(
        default=False,
        description="DSG does not ask what a failed parent decides",
        json_schema_extra={"group": "how"},
    )
    long: Literal["refuse", "window"] = Field(
        default="refuse", description="prompts longer than CLIP's text encoder", json_schema_extra={"group": "how"}
    )
    template: str | None = Field(
        default=None,
        description="VQAScore's question, with {} for the prompt",
        json_schema_extra={"group": "how", "metavar": "TEXT"},
    )
    questions: str | None = Field(
        default=None, description="TIFA questions, as tifa_v1.0_question_answers.json", json_schema_extra=_FILE
    )
    geneval: str | None = Field(
        default=None,
        description="GenEval requirements by prompt, as evaluation_metadata.jsonl",
        json_schema_extra=_FILE,
    )
    limit: int | None = Field(
        default=None, ge=1, description="score the first N pictures only", json_schema_extra={"group": "how"}
    )
    worst: int = Field(
        default=8, ge=1, description="worst pictures shown for each metric", json_schema_extra={"group": "how"}
    )
    reference: str | None = Field(
        default=None,
        description="pictures to take FID, KID, precision and recall against (CLIP)",
        json_schema_extra={"group": "how", "metavar": "DIR"},
    )
    against: str | None = Field(
        default=None,
        description="compare with an earlier run over the same prompts, paired",
        json_schema_extra={"group": "how", "metavar": "RUN"},
    )

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """The pictures, and their prompts where they are beside them; texts or paths."""
        if len(values) > 2:
            raise BadInput(f"{values[2]!r}: give the pictures and at most one file of prompts.")
        return {name: str(value) for name, value in zip(("pictures", "prompts"), values, strict=False)}
