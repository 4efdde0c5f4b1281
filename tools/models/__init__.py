"""What all local models share: weights, devices, batches."""

from .blip import IMAGES, BlipModel
from .device import is_fast_in_bfloat16, quiet, torch_device
from .local import LocalModel
from .weights import Weights, find_weights, options_of

__all__ = [
    "BlipModel",
    "IMAGES",
    "LocalModel",
    "Weights",
    "find_weights",
    "is_fast_in_bfloat16",
    "options_of",
    "quiet",
    "torch_device",
]
