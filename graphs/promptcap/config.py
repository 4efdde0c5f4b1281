"""What can be asked about pictures, and who does what in every run that answers questions about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from ...agents.captions import PresetName
from ...evaluators.vqa import SetName
from ...runtime.errors import BadInput
from ...runtime.records import Record, options_checked
from ...runtime.session import RunConfig, option
from ...runtime.settings import Settings
from .result import Method

__all__ = ["Asking", "PromptCapConfig", "VQAConfig"]

_ANSWERER = "mini-answerer"  # where the settings name the writer of prompts, which is no answerer


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

    llm: Annotated[
        str,
        option(
            f"who answers: {_ANSWERER} (default), smollm2, gguf:PATH, http://host:8000/v1[,http://...][#model], openai:MODEL",
            "who does what",
            "LLM",
        ),
    ] = _ANSWERER
    captioner: Annotated[
        str,
        option(
            "says what a picture shows: mini-promptcap, a folder, a hub id, or a vision server's URL",
            "who does what",
            "ID",
        ),
    ] = "mini-promptcap"
    tagger: Annotated[str, option("names the things in pictures; empty: tags are those given", flag=False)] = ""
    ocr: Annotated[str, option("reads what is written in pictures; empty: that is given", flag=False)] = ""
    vqa: Annotated[
        str, option("the model that sees the picture: mini, a folder, a hub id, or a URL", "who does what", "ID")
    ] = "mini"
    clip: Annotated[str, option("compares pictures of examples: mini, a folder or a hub id", "who does what", "ID")] = (
        "mini"
    )
    embedder: Annotated[str, option("compares questions; of an index: the one that made it", "who does what", "ID")] = (
        ""
    )
    judge: Annotated[
        Literal["auto", "words", "llm"],
        option(
            "who checks the answers; auto: the language model, a rule of words for the bundled small ones",
            "who does what",
        ),
    ] = "auto"
    preset: Annotated[PresetName, option("the published prompt", "how")] = "promptcap"
    index: Annotated[
        str, option("knowledge: the URL of an index, or a corpus.jsonl in BEIR's layout", "how", "URL")
    ] = ""
    examples: Annotated[
        str, option("questions with answers (and captions) to take worked examples from", "how", "FILE")
    ] = ""
    examples_annotations: Annotated[str, option("their answers, where they are official files", "how", "FILE")] = ""
    examples_captions: Annotated[str, option("their captions, where the questions hold none", "how", "FILE")] = ""
    examples_images: Annotated[str, option("their pictures, for captions and image+question", "how", "DIR")] = ""
    examples_index: Annotated[str, option("where they are searched", "how", "URL")] = "memory:"
    max_tokens: Annotated[int | None, option("of an answer (default: the preset's)", "how", ge=1, le=512)] = None
    seed: Annotated[int, option("the same seed gives the same run", "how")] = 0
    in_flight: Annotated[int, option("questions that are worked on at once", "how", ge=1, le=1024)] = 64

    @classmethod
    def defaults(cls, settings: Settings) -> Mapping[str, Any]:
        """The models of the settings; the writer of prompts is no answerer: the bundled answerer takes its place."""
        return {**super().defaults(settings), **({"llm": _ANSWERER} if settings.llm == "mini-writer" else {})}


class VQAConfig(PromptCapConfig):
    """A run of `inloop vqa`."""

    asked: Annotated[tuple[Asking, ...], option("", flag=False, min_length=1)]
    way: Annotated[Method, option("", flag=False)] = Method()
    data: Annotated[SetName, option("the form of the file of examples", flag=False)] = "okvqa"

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
