"""What all local models share: weights, devices, batches."""

from .blip import IMAGES, BlipModel, images_beside
from .buckets import BATCH, Bucket, buckets
from .device import fast_precision, hushed, is_fast_in_bfloat16, quiet, torch_device
from .function import FunctionModel
from .local import LocalModel
from .onnx import BACKENDS, OnnxGraph, OnnxParts, by_onnx, onnx_session
from .shapes import PromptedImage, Rows, rows_of, shapes
from .vision_language import Generated, VisionLanguageModel, too_long, vision_inputs
from .weights import KINDS, WeightKind, Weights, find_weights, hub_file, is_bundled, is_hub_id, options_of

__all__ = [
    "BACKENDS",
    "BATCH",
    "BlipModel",
    "Bucket",
    "FunctionModel",
    "Generated",
    "IMAGES",
    "KINDS",
    "LocalModel",
    "OnnxGraph",
    "OnnxParts",
    "PromptedImage",
    "Rows",
    "VisionLanguageModel",
    "WeightKind",
    "Weights",
    "buckets",
    "by_onnx",
    "fast_precision",
    "find_weights",
    "hub_file",
    "hushed",
    "images_beside",
    "is_bundled",
    "is_fast_in_bfloat16",
    "is_hub_id",
    "onnx_session",
    "options_of",
    "quiet",
    "rows_of",
    "shapes",
    "too_long",
    "torch_device",
    "vision_inputs",
]
