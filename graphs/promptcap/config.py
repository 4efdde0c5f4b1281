"""What can be asked about pictures, and who does what in every run that answers questions about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from ...agents.captions import PresetName
from ...evaluators.vqa import SetName
from ...runtime.errors import BadInput
from ...runtime.records import Record, options_checked
from ...runtime.run import RunConfig
from ...runtime.settings import Settings
from .result import Method

__all__ = ["Asking", "PromptCapConfig", "VQAConfig"]

_ANSWERER = "smollm2"  # where the settings name the writer of prompts, which is no answerer


def _option(group: str, metavar: str = "") -> dict[str, Any]:
    return {"group": group} | ({"metavar": metavar} if metavar else {})


class Asking(Record):
    """One question. `image`: a picture file; `caption`: what it shows, told instead of the captioner's; `tags` and `ocr` (what is
    written in it) are told beside the caption, where `PromptCapConfig` names no tool that looks for them.
    """

    question: str
    image: str = ""
    caption: str = ""
    tags: str = ""
    ocr: str = ""
    choices: tuple[str, ...] = ()


class PromptCapConfig(RunConfig):
    """Who does what, in every run that answers questions about pictures."""

    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm", "vqa", "clip")
    FILES: ClassVar[tuple[str, ...]] = ("examples", "examples_annotations", "examples_captions", "examples_images")
    """The fields that are paths of files."""

    llm: str = Field(
        default=_ANSWERER,
        description=f"who answers: {_ANSWERER} (default), gguf:PATH, http://host:8000/v1[#model], openai:MODEL",
        json_schema_extra=_option("who does what", "LLM"),
    )
    captioner: str = Field(
        default="mini-promptcap",
        description="says what a picture shows: mini-promptcap, a folder, a hub id, or a vision server's URL",
        json_schema_extra=_option("who does what", "ID"),
    )
    tagger: str = Field(
        default="",
        description="names the things in pictures; empty: tags are those given",
        json_schema_extra={"flag": False},
    )
    ocr: str = Field(
        default="",
        description="reads what is written in pictures; empty: that is given",
        json_schema_extra={"flag": False},
    )
    vqa: str = Field(
        default="mini",
        description="the model that sees the picture: mini, a folder, a hub id, or a URL",
        json_schema_extra=_option("who does what", "ID"),
    )
    clip: str = Field(
        default="mini",
        description="compares pictures of examples: mini, a folder or a hub id",
        json_schema_extra=_option("who does what", "ID"),
    )
    embedder: str = Field(
        default="",
        description="compares questions; of an index: the one that made it",
        json_schema_extra=_option("who does what", "ID"),
    )
    judge: Literal["auto", "words", "llm"] = Field(
        default="auto",
        description="who checks the answers; auto: the language model, a rule of words for the bundled small ones",
        json_schema_extra=_option("who does what"),
    )
    preset: PresetName = Field(
        default="promptcap", description="the published prompt", json_schema_extra=_option("how")
    )
    index: str = Field(
        default="",
        description="knowledge: the URL of an index, or a corpus.jsonl in BEIR's layout",
        json_schema_extra=_option("how", "URL"),
    )
    examples: str = Field(
        default="",
        description="questions with answers (and captions) to take worked examples from",
        json_schema_extra=_option("how", "FILE"),
    )
    examples_annotations: str = Field(
        default="", description="their answers, where they are official files", json_schema_extra=_option("how", "FILE")
    )
    examples_captions: str = Field(
        default="",
        description="their captions, where the questions hold none",
        json_schema_extra=_option("how", "FILE"),
    )
    examples_images: str = Field(
        default="",
        description="their pictures, for captions and image+question",
        json_schema_extra=_option("how", "DIR"),
    )
    examples_index: str = Field(
        default="memory:", description="where they are searched", json_schema_extra=_option("how", "URL")
    )
    max_tokens: int | None = Field(
        default=None, ge=1, le=512, description="of an answer (default: the preset's)", json_schema_extra=_option("how")
    )
    seed: int = Field(default=0, description="the same seed gives the same run", json_schema_extra=_option("how"))
    in_flight: int = Field(
        default=64, ge=1, le=1024, description="questions that are worked on at once", json_schema_extra=_option("how")
    )

    @classmethod
    def defaults(cls, settings: Settings) -> Mapping[str, Any]:
        """The models of the settings; the writer of prompts is no answerer: the bare model takes its place."""
        return {**super().defaults(settings), **({"llm": _ANSWERER} if settings.llm == "mini-writer" else {})}


class VQAConfig(PromptCapConfig):
    """A run of `inloop vqa`."""

    asked: tuple[Asking, ...] = Field(min_length=1, json_schema_extra={"flag": False})
    way: Method = Field(default=Method(), json_schema_extra={"flag": False})
    data: SetName = Field(
        default="okvqa", description="the form of the file of examples", json_schema_extra={"flag": False}
    )

    @classmethod
    def of(cls, *subjects: object, settings: Settings, **options: Any) -> Self:
        """The config of `vqa(image, question, ...)`: a picture file (None: none, with `caption`) and one or more questions.

        `caption`, `tags` and `ocr_text` are what is known of the picture, `choices` the answers to choose among (see `Asking`).
        Without `way`, a question-aware caption and no examples.

        Raises:
            BadInput: an option that there is not or that cannot be used; it names the option.
        """
        if subjects:
            image, *questions = subjects
            given = {name: options.pop(name, "") for name in ("caption", "tags", "ocr_text")}
            choices = tuple(options.pop("choices", ()))
            if not questions:
                raise BadInput(f"there is no question to {image!r}: vqa(image, question), with None for no picture.")
            with options_checked():
                options["asked"] = tuple(
                    Asking(
                        question=question, image=str(Path(str(image)).resolve()) if image else "", caption=given["caption"],
                        tags=given["tags"], ocr=given["ocr_text"], choices=choices,
                    )
                    for question in questions
                )  # fmt: skip
            method = Method(
                caption="aware" if image else "given",
                tags=bool(given["tags"] or options.get("tagger")),
                ocr=bool(given["ocr_text"] or options.get("ocr")),
            )
            options = {"way": method, **options}
        return super().of(settings=settings, **options)

    def topics(self) -> list[str]:
        """The questions."""
        return [asking.question for asking in self.asked]
