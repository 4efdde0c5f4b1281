"""Question answering models by name."""

from __future__ import annotations

from ...runtime.errors import BadInput
from ...runtime.protocols import VisualQA
from ...runtime.roles import Role
from ...runtime.settings import Settings
from ...runtime.store import Store
from ..models import find_weights
from .function import FunctionVQA
from .served import is_served, open_served_vqa
from .vqa import BlipVQA

__all__ = ["open_vqa"]


JUDGE: Role[VisualQA] = Role(
    "question answering model",
    VisualQA,
    own=("mini",),
    plain=FunctionVQA,
    form="answer(image: PIL.Image.Image, question: str) -> str | float",
)


@JUDGE.opener
def open_vqa(spec: str, store: Store, settings: Settings) -> VisualQA:
    """The question answering model behind `spec`: "mini", a folder of `BlipForQuestionAnswering`, a hub id, a URL, or your own.

    `http(s)://HOST:PORT/v1[#MODEL]` is a vision-language chat model behind a server (`inloop serve`, vLLM, OpenAI-like).

    Raises:
        BadInput: no such model, or a model of another kind.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    if is_served(spec):
        return open_served_vqa(spec, store, settings)
    weights = find_weights(spec, "vqa", settings.cache_dir)
    if weights.options:
        raise BadInput(f"{spec!r}: a question answering model takes no options: leave out {weights.options!r}.")
    return BlipVQA(weights, store, settings)
