"""The trained part of `tools.adaptation.memory_classifier`: attention over the keys of a memory, weighting its values, and class weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["MemoryAttention"]

_DROPPED = 0.5  # share of the neighbours that a training step does not see, so that none is learnt by heart
_SHARP = 10.0  # scale of the cosines at first, in the attention and in the logits


class MemoryAttention(nn.Module):
    """Vectors (n, size) with keys (n, k, size) and values (n, k, width) to logits (n, classes).

    `width` None: no memory, a cosine classifier. Queries and keys begin as they are, and so do values of the same size; what is
    learnt is added to that, and weight decay draws it back.
    """

    start: Tensor

    def __init__(self, size: int, width: int | None, classes: int) -> None:
        super().__init__()
        self.classes = nn.Parameter(torch.zeros(classes, size))
        self.scale = nn.Parameter(torch.tensor(math.log(_SHARP)))
        self.offset = nn.Parameter(torch.zeros(size))  # else even a senseless memory helps, by its mean
        self.has_memory = width is not None
        if width is not None:
            self.query, self.key = nn.Parameter(torch.zeros(size, size)), nn.Parameter(torch.zeros(size, size))
            start = torch.eye(size) if width == size else nn.init.orthogonal_(torch.empty(size, width))
            self.register_buffer("start", start)
            self.value = nn.Parameter(torch.zeros(size, width))
            self.sharpness = nn.Parameter(torch.tensor(math.log(_SHARP)))
            self.gate = nn.Parameter(torch.zeros(()))

    @classmethod
    def like(cls, tensors: Mapping[str, Tensor]) -> MemoryAttention:
        """The module that `state_dict` was taken from."""
        classes, size = tensors["classes"].shape
        made = cls(size, tensors["value"].shape[1] if "value" in tensors else None, classes)
        made.load_state_dict(dict(tensors))
        return made.eval()

    def begin(self, vectors: NDArray[np.float32], truth: NDArray[np.int64]) -> None:
        """Let each class weight begin as the mean of its pictures' vectors."""
        with torch.no_grad():
            for place in range(len(self.classes)):
                self.classes[place] = F.normalize(torch.from_numpy(vectors[truth == place].mean(axis=0)), dim=0)

    def refine(self, vectors: Tensor, memory: tuple[Tensor, Tensor, Tensor] | None) -> Tensor:
        """(n, size): the vectors with what the memory says added; a vector without neighbours stays as it is."""
        if memory is None or not self.has_memory:
            return vectors + self.offset
        keys, values, there = memory
        if self.training:
            there = there & (torch.rand(there.shape) >= _DROPPED)
        asked = F.normalize(vectors + vectors @ self.query.T, dim=-1)
        near = (F.normalize(keys + keys @ self.key.T, dim=-1) @ asked[..., None])[..., 0]
        weights = (near * self.sharpness.exp()).masked_fill(~there, -1e4).softmax(dim=-1) * there
        told = (weights[..., None] * values).sum(dim=1) @ (self.start + self.value).T
        return vectors + self.offset + torch.tanh(self.gate) * told

    def forward(self, vectors: Tensor, memory: tuple[Tensor, Tensor, Tensor] | None) -> Tensor:
        """Logits (n, classes)."""
        refined = F.normalize(self.refine(vectors, memory), dim=-1)
        return self.scale.exp() * refined @ F.normalize(self.classes, dim=-1).T

    @staticmethod
    def rows(looked_up: Any, chosen: Any = slice(None)) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor] | None]:
        """Some of what was looked up, as tensors."""
        vectors, memory = looked_up
        if memory is None:
            return torch.from_numpy(vectors[chosen]), None
        keys, values, rows, there = memory
        found = rows[chosen]
        return torch.from_numpy(vectors[chosen]), (
            torch.from_numpy(keys[found]),
            torch.from_numpy(values[found]),
            torch.from_numpy(there[chosen]),
        )

    def shares(self, looked_up: Any) -> NDArray[np.float64]:
        """Probabilities (n, classes)."""
        with torch.inference_mode():
            return np.asarray(self(*self.rows(looked_up)).double().softmax(dim=-1).numpy(), dtype=np.float64)

    def imprint(self, looked_up: Any) -> None:
        """One more class: its weight is the mean of the refined unit vectors of its pictures."""
        with torch.no_grad():
            refined = F.normalize(self.refine(*self.rows(looked_up)), dim=-1).mean(dim=0)
            self.classes = nn.Parameter(torch.cat([self.classes, F.normalize(refined, dim=0)[None]]))
