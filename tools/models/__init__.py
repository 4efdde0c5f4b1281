"""What all local models share: weights, devices, batches."""

from .blip import IMAGES, BlipModel
from .buckets import BATCH, Bucket, buckets
from .device import fast_precision, is_fast_in_bfloat16, is_processor, quiet, torch_device
from .function import FunctionModel
from .local import LocalModel
from .weights import KINDS, WeightKind, Weights, find_weights, is_bundled, options_of

__all__ = [
    "BATCH",
    "BlipModel",
    "Bucket",
    "FunctionModel",
    "IMAGES",
    "KINDS",
    "LocalModel",
    "WeightKind",
    "Weights",
    "buckets",
    "fast_precision",
    "find_weights",
    "is_bundled",
    "is_fast_in_bfloat16",
    "is_processor",
    "options_of",
    "quiet",
    "torch_device",
]
