"""A model's weights at fewer bits: what of its knowledge outlives that.

Each matrix is rounded to the nearest of 2^b - 1 steps that are symmetric about 0, with a scale for each output channel (the row of a
linear layer or an embedding, the column of GPT-2's `Conv1D`, the filter of a convolution): its largest magnitude is the last step. No
calibration data; vectors (norms, biases) stay as they are, and activations too. Computed in float32 on the rounded weights.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    import torch

__all__ = ["PRECISIONS", "Precision", "at_precision"]

Precision = Literal["fp32", "int8", "int4"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8", "int4")
_BITS: dict[Precision, int] = {"int8": 8, "int4": 4}

ModelT = TypeVar("ModelT", bound="torch.nn.Module")


def at_precision(model: ModelT, precision: Precision) -> ModelT:
    """A copy of `model` with weights of that precision; see the module. fp32 gives the model itself."""
    if precision == "fp32":
        return model
    import torch

    rounded = copy.deepcopy(model)
    done: set[int] = set()  # tied weights are rounded once
    with torch.no_grad():
        for module in rounded.modules():
            for weight in module.parameters(recurse=False):
                if weight.ndim < 2 or id(weight) in done:
                    continue
                done.add(id(weight))
                channel = 1 if type(module).__name__ == "Conv1D" else 0
                weight.copy_(_rounded(weight, channel, _BITS[precision]))
    return rounded


def _rounded(weight: torch.Tensor, channel: int, bits: int) -> torch.Tensor:
    steps = 2 ** (bits - 1) - 1
    others = [axis for axis in range(weight.ndim) if axis != channel]
    scale = weight.abs().amax(dim=others, keepdim=True).clamp(min=1e-12) / steps
    rounded: torch.Tensor = (weight / scale).round().clamp(-steps, steps) * scale
    return rounded
