"""Captioners that are trained: on all weights, or with LoRA adapters."""

from .base import Trained, mask_padding
from .train import check_folder, generic_rows, train_captioner

__all__ = ["Trained", "check_folder", "generic_rows", "mask_padding", "train_captioner"]
