"""Text embedders by ONNX Runtime: see `tools.models.onnx`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import OnnxGraph, OnnxParts
from .text import LocalTextEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["OnnxTextEmbedder"]


class OnnxTextEmbedder(OnnxParts, LocalTextEmbedder):
    """A `TextEmbedder` by ONNX Runtime; see `open_text_embedder`."""

    _by_torch = LocalTextEmbedder

    def _load(self, device: str) -> None:
        self._model = OnnxGraph(
            self.weights, self._settings, head="AutoModel", output="last_hidden_state",
            inputs=("input_ids", "attention_mask"),
        )  # fmt: skip
        self._tokenizer = self._model.tokenizer
        self._frame(self._model.pad)

    def _ids(self, texts: list[str], special: bool = False) -> list[list[int]]:
        return [coded.ids for coded in self._tokenizer.encode_batch(texts, add_special_tokens=special)]

    def _states(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        states: NDArray[np.float32] = self._model(input_ids=ids, attention_mask=mask)
        return states
