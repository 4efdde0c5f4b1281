"""A running average of the weights: steadier than the last ones, which depend on the last batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

__all__ = ["WeightAverage"]


class WeightAverage:
    """The exponential average of a model's trained parameters, by name; frozen ones are not copied.

    The decay begins at 1/10, so that the weights of the start are soon forgotten, and grows to `decay`.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self._trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.weights: Mapping[str, Tensor] = {name: value.detach().clone() for name, value in self._trained.items()}

    def update(self, step: int) -> None:
        """Take in the weights after the step of this number, counted from 0."""
        import torch

        decay = min(self.decay, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, value in self._trained.items():
                self.weights[name].lerp_(value, 1 - decay)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from the `weights` of an earlier average."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    def put_in(self) -> None:
        """Let the model have the averaged weights."""
        import torch

        with torch.no_grad():
            for name, value in self._trained.items():
                value.copy_(self.weights[name])
