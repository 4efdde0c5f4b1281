"""Which models are looked at, on which pictures, and how they are asked."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import field_validator

from ...runtime.errors import BadInput
from ...runtime.session import RunConfig, option

__all__ = ["MEASURES", "BiasConfig"]

MEASURES = ("conflict", "spectrum", "band", "changes", "shifted")


class BiasConfig(RunConfig):
    """Which models are looked at, on which pictures, and how they are asked."""

    SUBJECT: ClassVar[str] = "models"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm",)

    in_flight: Annotated[int, option("models at once", flag=False, ge=1, le=1)] = 1
    models: Annotated[
        tuple[str, ...],
        option(
            "mini, a folder, a hub id or module:object; probe:, zero-shot:, classifier:, vqa: or describe: before it says how it is asked",
            metavar="MODEL",
            min_length=1,
        ),
    ]
    on: Annotated[
        str,
        option(
            "cue-conflict pictures: class folders of names such as cat1-elephant2.png, or a table with shape and texture",
            "pictures",
            "SET",
        ),
    ] = ""
    plain: Annotated[str, option("labelled pictures that are filtered, disturbed and changed", "pictures", "SET")] = ""
    shifted: Annotated[
        tuple[str, ...], option("labelled pictures of another domain", "pictures", "SET", repeat=True)
    ] = ()
    learn: Annotated[str, option("labelled pictures that a linear probe learns from", "pictures", "SET")] = ""
    label: Annotated[str, option("the column of the class in tables", "pictures", "COLUMN")] = "label"
    pictures: Annotated[int, option("plain and shifted pictures at most, each", "pictures", "N", ge=16, le=2000)] = 64
    measures: Annotated[
        tuple[Literal["conflict", "spectrum", "band", "changes", "shifted"], ...],
        option("some of conflict, spectrum, band, changes, shifted", "pictures", min_length=1),
    ] = ("conflict", "spectrum", "band", "changes", "shifted")
    template: Annotated[
        str,
        option("of a class name for zero-shot, with {}; default: a photo of a {}, of drawn pictures: a {}", "asking"),
    ] = ""
    ask: Annotated[
        Literal["auto", "choice", "each"],
        option(
            "vqa: one question with all classes to choose from, or yes or no for each (auto: each for mini)", "asking"
        ),
    ] = "auto"
    question: Annotated[
        str, option("vqa: your own wording, with {} in the place of the choices or of the class", "asking", "TEXT")
    ] = ""
    mapper: Annotated[
        str,
        option(
            "who maps descriptions that name no class by its word: words (nobody), llm, or a text embedder", "asking"
        ),
    ] = "words"
    likeness: Annotated[
        float, option("the least cosine at which a text embedder maps a description", "asking", ge=0, le=1)
    ] = 0.5
    labels: Annotated[
        str, option("classifier: a JSON file of its labels and the classes that they belong to", "asking", "FILE")
    ] = ""
    llm: Annotated[str, option("chat model for --mapper llm", "asking")] = ""
    seed: Annotated[int, option("of drawn pictures, of noise, and of which pictures are taken", "pictures", ge=0)] = 0

    @field_validator("template", "question")
    @classmethod
    def _has_a_place(cls, value: str) -> str:
        if value and "{}" not in value:
            raise BadInput(f"{value!r} has no place for the class: put {{}} where its name goes.")
        return value

    @property
    def drawn(self) -> bool:
        """Whether the pictures are those of the drawn world."""
        return not (self.on or self.plain or self.shifted)
