"""Which way a model is asked: as its spec says, else as its config or its methods do."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ...agents.captions import ClassNamer
from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.protocols import TextEmbedder
from ...runtime.registry import import_object, is_object
from ...tools.encoders import FAMILIES, open_clip, open_encoder, open_text_embedder
from ...tools.models import find_weights
from ...tools.vision import open_captioner, open_classifier, open_vqa
from .answerers import Answerer, Chosen, Classified, Described, EachAsked, Named, Probed, read_labels
from .pictures import Pictures

if TYPE_CHECKING:
    from ...runtime.session import Session
    from ...runtime.settings import Settings
    from .config import BiasConfig

__all__ = ["MANNERS", "manner_of", "open_answerer"]

MANNERS = ("probe", "zero-shot", "classifier", "vqa", "describe")
_URL = ("http://", "https://")


def manner_of(spec: str, settings: Settings) -> tuple[str, str]:
    """How a model is asked (one of `MANNERS`), and its spec without that word.

    Raises:
        BadInput: nobody can tell: it must be said.
        PrerequisiteError: a model whose config cannot be fetched.
    """
    word, sign, rest = spec.partition(":")
    if sign and word in MANNERS:
        if not rest:
            raise BadInput(f"{spec!r}: name the model behind the colon, as in {word}:mini.")
        return word, rest
    if spec.partition("?")[0] == "mini":
        return "zero-shot", spec
    if sign and word in FAMILIES:
        return ("zero-shot" if word == "clip" else "probe"), spec
    if spec.startswith(_URL):
        return "vqa", spec
    if is_object(spec.partition("?")[0]):
        return _of_object(import_object(spec.partition("?")[0], "model")), spec
    config = find_weights(spec, "vqa", settings.cache_dir).config()
    kind = str((config.get("architectures") or [""])[0])
    if kind.endswith("ForImageClassification"):
        return "classifier", spec
    if str(config.get("model_type")) == "clip":
        return "zero-shot", spec
    if kind.endswith(("ForConditionalGeneration", "ForVisionText2Text", "ForImageTextToText", "ForQuestionAnswering")):
        return "vqa", spec
    return "probe", spec


def _of_object(part: Any) -> str:
    if hasattr(part, "images"):
        return "zero-shot" if hasattr(part, "texts") else "probe"
    if hasattr(part, "classify"):
        return "classifier"
    if hasattr(part, "answer"):
        return "vqa"
    if hasattr(part, "caption"):
        return "describe"
    if inspect.isroutine(part):
        parameters = [*inspect.signature(part).parameters]
        if len(parameters) > 1 and "question" in parameters:
            return "vqa"
    return "classifier"


def open_answerer(config: BiasConfig, session: Session, spec: str, pictures: Pictures) -> Answerer:
    """The model behind a spec, ready to name classes.

    Raises:
        BadInput: no such model, or one that cannot be asked so.
        PrerequisiteError: a model or a package that cannot be had.
    """
    manner, name = manner_of(spec, session.settings)
    classes = pictures.classes
    if manner == "probe":
        if not pictures.learn:
            raise BadInput(
                f"{spec!r} is asked by a linear probe, and there is nothing to learn from: give --learn SET."
            )
        return Probed(session.open(spec, open_encoder, name), pictures.learn, config.seed)
    if manner == "zero-shot":
        template = config.template or ("a {}" if config.drawn else "a photo of a {}")
        clip = open_clip if name.startswith(_URL) or name.partition("?")[0] == "mini" else open_encoder
        encoder: Any = session.open(spec, clip, name)
        if not hasattr(encoder, "texts"):
            raise BadInput(f"{spec!r} knows no words: ask it by a linear probe (probe:{name}).")
        return Named(encoder, classes, template)
    if manner == "classifier":
        return Classified(session.open(spec, open_classifier, name), classes, read_labels(config.labels), name)
    if manner == "vqa":
        vqa = session.open(spec, open_vqa, name)
        each = config.ask == "each" or (config.ask == "auto" and vqa.model.startswith("mini-"))
        return EachAsked(vqa, classes, config.question) if each else Chosen(vqa, classes, config.question)
    namer: ClassNamer | None = None
    embedder: TextEmbedder | None = None
    if config.mapper == "llm":
        if not config.llm:
            raise BadInput("--mapper llm asks a chat model: name one with --llm.")
        namer = ClassNamer(session.open("llm", open_chat, config.llm), classes)
    elif config.mapper != "words":
        embedder = session.open("mapper", open_text_embedder, config.mapper)
    captioner = session.open(spec, open_captioner, "mini-promptcap" if name == "mini" else name)
    return Described(
        captioner, classes, namer=namer, embedder=embedder, likeness=config.likeness, question=config.question
    )
