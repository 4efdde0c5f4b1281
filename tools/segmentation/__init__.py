"""Masks of objects: models that make them, what they are compared and written by, and how they are drawn."""

from .masks import Box, Mask, box_iou, box_of, get_mask, mask_iou, put_mask
from .outlines import filled, outlines, simplified
from .overlay import COLORS, cut_out, drawn_over, highlighted
from .run_lengths import from_run_lengths, run_lengths
from .segmenter import open_segmenter

__all__ = [
    "Box",
    "COLORS",
    "Mask",
    "box_iou",
    "box_of",
    "cut_out",
    "drawn_over",
    "filled",
    "from_run_lengths",
    "get_mask",
    "highlighted",
    "mask_iou",
    "open_segmenter",
    "outlines",
    "put_mask",
    "run_lengths",
    "simplified",
]
