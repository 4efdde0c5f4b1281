"""Segmenters by name."""

from __future__ import annotations

from ...runtime.errors import BadInput
from ...runtime.protocols import Segmenter
from ...runtime.roles import Role
from ...runtime.settings import Settings
from ...runtime.store import Store
from ..models import find_weights
from .drawn_segmenter import DrawnSegmenter
from .sam import Sam2Segmenter, SamSegmenter
from .sam2_onnx import Sam2Onnx

__all__ = ["open_segmenter"]

SEGMENTER: Role[Segmenter] = Role("segmenter", Segmenter, own=("mini", "sam2-tiny"))


@SEGMENTER.opener
def open_segmenter(spec: str, store: Store, settings: Settings) -> Segmenter:
    """The segmenter behind `spec`: "mini" (drawn pictures alone), "sam2-tiny" (ONNX Runtime), a folder or hub id of a SAM or SAM 2, or your own.

    Raises:
        BadInput: no such model, or a model of another kind.
        PrerequisiteError: the model or ONNX Runtime cannot be had.
    """
    name, _, query = spec.strip().partition("?")
    if query:
        raise BadInput(f"{spec!r}: a segmenter takes no options behind a '?'.")
    if name == "mini":
        return DrawnSegmenter(store, settings)
    if name == "sam2-tiny":
        return Sam2Onnx(store, settings)
    weights = find_weights(spec, "segmenter", settings.cache_dir)
    kind = SamSegmenter if weights.config()["model_type"] == "sam" else Sam2Segmenter
    return kind(weights, store, settings)
