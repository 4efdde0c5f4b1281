"""What is scored, by which metrics, and what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from ...runtime.errors import BadInput
from ...runtime.session import RunConfig, option

__all__ = ["ScoreConfig"]


class ScoreConfig(RunConfig):
    """What is scored, by which metrics, and what it is compared with.

    The pictures are scored a chunk after the other, so that their files are read in order and none is held for long.
    """

    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm", "vqa", "clip")

    in_flight: Annotated[int, option("chunks that are scored at once", flag=False, ge=1, le=1)] = 1
    pictures: Annotated[
        str, option("folder of pictures, CSV/JSONL table, a saved Hugging Face data set, or hf:OWNER/NAME", flag=False)
    ]
    prompts: Annotated[
        str | None, option("text file with a line a picture, or a table of names and prompts", flag=False)
    ] = None
    metric: Annotated[str, option("comma separated; an unknown one lists all", metavar="NAMES")] = "dsg,clipscore"
    vqa: Annotated[
        str,
        option("mini, a folder, a hub id or a server's URL; 'A + B' or a certificate: several as one", "models", "ID"),
    ] = "mini"
    clip: Annotated[str, option("CLIP model: mini, a folder or a hub id", "models", "ID")] = "mini"
    detector: Annotated[
        str, option("of GenEval: ssd, a folder or a hub id; ?detection=0.3&counting=0.9", "models", "ID")
    ] = "ssd"
    reward: Annotated[
        tuple[str, ...],
        option(
            "another checkpoint of pickscore, hpsv2 or imagereward (folder or hub id)", "models", "NAME=ID", repeat=True
        ),
    ] = ()
    llm: Annotated[str, option("writes the questions, as in inloop opt2i", "models", "LLM")] = "mini-writer"
    questioner: Annotated[str, option("another LLM for the questions, or simple-english", "models", "WHO")] = ""
    rule: Annotated[Literal["strict", "released"], option("of DSG", "how")] = "strict"
    lazy: Annotated[bool, option("DSG does not ask what a failed parent decides", "how")] = False
    long: Annotated[Literal["refuse", "window"], option("prompts longer than CLIP's text encoder", "how")] = "refuse"
    template: Annotated[str | None, option("VQAScore's question, with {} for the prompt", "how", "TEXT")] = None
    questions: Annotated[str | None, option("TIFA questions, as tifa_v1.0_question_answers.json", "how", "FILE")] = None
    geneval: Annotated[
        str | None, option("GenEval requirements by prompt, as evaluation_metadata.jsonl", "how", "FILE")
    ] = None
    limit: Annotated[int | None, option("score the first N pictures only", "how", ge=1)] = None
    worst: Annotated[int, option("worst pictures shown for each metric", "how", ge=1)] = 8
    reference: Annotated[
        str | None, option("pictures to take FID, KID, precision and recall against (CLIP)", "how", "DIR")
    ] = None
    against: Annotated[
        str | None, option("compare with an earlier run over the same prompts, paired", "how", "RUN")
    ] = None

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """The pictures, and their prompts where they are beside them; texts or paths."""
        if len(values) > 2:
            raise BadInput(f"{values[2]!r}: give the pictures and at most one file of prompts.")
        return {name: str(value) for name, value in zip(("pictures", "prompts"), values, strict=False)}
