"""Students by name.

    embedding[:EMBEDDER]        sentence embeddings and a linear classifier (default: minilm)
    local                       SmolLM2-135M-Instruct with a LoRA adapter
    lora:MODEL, full:MODEL      any causal language model, by adapter or as a whole
    classifier[:MODEL]          a sequence classifier on any encoder (default: minilm)
    FOLDER, OWNER/NAME          a student that was saved, or a model: the fitting one of the above
    NAME, module:object         a tool of an installed package, or a student of your own

MODEL is a folder or a hub id. Options stand behind a `?`: `local?epochs=3&rank=8`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from ...runtime import models
from ...runtime.errors import BadInput
from ...runtime.protocols import Student
from ...runtime.records import Record
from ...runtime.roles import Role
from ...runtime.serving import model_folder
from ..encoders import TextMemory, open_text_embedder, text_weights
from ..models import Weights, find_weights, options_of
from ..tasks import Task
from ..training import Say
from .base import CARD, StoredStudent, read_card
from .classifier import ClassifierRecipe, ClassifierStudent
from .embedding import EmbeddingStudent, LinearRecipe
from .lora import LoraRecipe, LoraStudent

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["open_student"]

STUDENT: Role[Student] = Role("student", Student, own=("local", "embedding", "classifier", "lora", "full"))

RecipeT = TypeVar("RecipeT", bound=Record)
_EMBEDDER_OPTIONS = ("pool", "tokens", "batch")


def open_student(
    spec: str,
    task: Task,
    settings: Settings,
    store: Store,
    *,
    say: Say = lambda text: None,
    progress: models.Progress | None = None,
) -> Student:
    """The student behind `spec` (see the module), untrained unless it is the folder of a saved one.

    `say` is told in words how far a training is, `progress` about the download of a model. A student of your own can ask for all
    of this function's arguments.

    Raises:
        BadInput: no such form or option, or a student that cannot do the task.
        PrerequisiteError: a model cannot be fetched.
    """
    if STUDENT.is_brought(spec):
        return STUDENT.bring(spec, store=store, task=task, settings=settings, say=say, progress=progress)
    folder = Path(spec.partition("?")[0]).expanduser()
    if (folder / CARD).is_file():
        opened = open_student(str(read_card(folder).get("spec", "")), task, settings, store, say=say, progress=progress)
        opened.load(folder)
        return opened
    form, target, options = _form(spec, settings)
    made: StoredStudent
    if form == "embedding":
        kept = "&".join(f"{key}={options.pop(key)}" for key in _EMBEDDER_OPTIONS if key in options)
        recipe = _recipe(spec, LinearRecipe, options)
        embedder = TextMemory(
            open_text_embedder(f"{target}?{kept}" if kept else target, store, settings, progress=progress)
        )
        made = EmbeddingStudent(task, store, settings, embedder=embedder, recipe=recipe, say=say)
    elif form == "classifier":
        sorting = _recipe(spec, ClassifierRecipe, options)
        weights = text_weights(target, settings, progress=progress)
        made = ClassifierStudent(task, store, settings, weights=weights, recipe=sorting, say=say)
    else:
        writing = _recipe(spec, LoraRecipe, {"method": form, **options})
        weights = (
            _smollm2(settings, progress, say)
            if target == "smollm2"
            else find_weights(target, "text", settings.cache_dir)
        )
        made = LoraStudent(task, store, settings, weights=weights, recipe=writing, say=say)
    made.spec = spec
    return made


def _form(spec: str, settings: Settings) -> tuple[str, str, dict[str, str]]:
    """(embedding | classifier | lora | full, the model, the options) of a spec."""
    bare, _, query = spec.partition("?")
    options = options_of(spec, query)
    form, mark, target = bare.partition(":")
    if bare == "local":
        return "lora", "smollm2", options
    if form in ("embedding", "classifier") and (mark or not target):
        return form, target or "minilm", options
    if form in ("lora", "full") and target:
        return form, target, options
    if bare and ("/" in bare or Path(bare).expanduser().is_dir()):
        found = find_weights(bare, "text", settings.cache_dir)
        if found.file("modules.json") is not None:
            return "embedding", bare, options
        names = found.config().get("architectures") or [""]
        return ("lora" if str(names[0]).endswith("ForCausalLM") else "classifier"), bare, options
    raise BadInput(
        f"{spec!r} names no student: give embedding, local, classifier, lora:MODEL, full:MODEL, embedding:MODEL,"
        " classifier:MODEL, or the folder of a saved student; MODEL is a folder or a hub id."
    )


def _smollm2(settings: Settings, progress: models.Progress | None, say: Say) -> Weights:
    """SmolLM2-135M-Instruct as a folder of transformers, made once from the fetched GGUF file."""
    gguf = models.fetch("smollm2", settings.cache_dir, progress)
    folder = model_folder(gguf, settings.cache_dir, say)
    return Weights(
        spec="local",
        model="HuggingFaceTB/SmolLM2-135M-Instruct",
        revision=str(models.MODELS["smollm2"].sha256),
        source=str(folder),
        commit=None,
        root=folder,
        marker="config.json",
        options={},
    )


def _recipe(spec: str, kind: type[RecipeT], options: dict[str, Any]) -> RecipeT:
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        known = ", ".join(kind.model_fields)
        raise BadInput(
            f"{spec!r}: {'.'.join(str(place) for place in first['loc'])}: {first['msg']}. The options are {known}."
        ) from None
