"""What is evaluated, and on what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from ...evaluators.vqa import SetName
from ...runtime.session import option
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

    data: Annotated[SetName, option("okvqa, aokvqa or vqav2")]
    questions: Annotated[
        str, option("official questions, or a list with answers; a file, its zip, or a URL", metavar="FILE")
    ]
    annotations: Annotated[str, option("official annotations, where the questions have no answers", metavar="FILE")] = (
        ""
    )
    images: Annotated[str, option("the pictures; without them captions are needed (text-only mode)", metavar="DIR")] = (
        ""
    )
    captions: Annotated[str, option("captions by question or by picture", metavar="FILE")] = ""
    oracle: Annotated[
        str, option("by question, a caption that lacks nothing, and the passage to know", metavar="FILE")
    ] = ""
    candidates: Annotated[str, option("answers with confidences by question, for --preset prophet", metavar="FILE")] = (
        ""
    )
    predictions: Annotated[
        str,
        option("write our answers here, as leaderboards take them; questions need no answers then", metavar="FILE"),
    ] = ""
    multiple_choice: Annotated[bool, option("choose among the choices of A-OKVQA")] = False
    limit: Annotated[int | None, option("so many questions, drawn with the seed", ge=1)] = None
    way: Annotated[Method, option("", flag=False)] = Method()
    baselines: Annotated[
        str, option("all, none, or names, comma separated; a wrong one lists all", metavar="NAMES")
    ] = "all"
    causes: Annotated[bool, option("ask again with the oracle to explain errors")] = True

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """`vqa_eval("okvqa", questions=...)`: the form of the data set comes first."""
        return {cls.SUBJECT: values[0]} if len(values) == 1 else super().subjects(*values)

    def topics(self) -> list[str]:
        """The file of questions."""
        return [self.questions]
