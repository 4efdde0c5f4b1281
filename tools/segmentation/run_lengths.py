"""Masks as COCO writes them: run lengths down the columns, packed into a text as `pycocotools.mask` packs them.

Its own few lines and not that package: it is C with NumPy, and this is all of it that is needed. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...runtime.errors import BadInput
from .masks import Mask

__all__ = ["from_run_lengths", "run_lengths"]


def run_lengths(mask: Mask) -> str:
    """The packed run lengths of a mask (height, width), which begin with those outside of it."""
    flat = np.asarray(mask, dtype=bool).ravel(order="F")
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], turns, [len(flat)]])).tolist() if len(flat) else []
    if len(flat) and flat[0]:
        counts.insert(0, 0)
    letters = []
    for place, count in enumerate(counts):
        left = count - counts[place - 2] if place > 2 else count
        while True:
            low = left & 0x1F
            left >>= 5
            more = left != (-1 if low & 0x10 else 0)
            letters.append(chr((low | (0x20 if more else 0)) + 48))
            if not more:
                break
    return "".join(letters)


def from_run_lengths(counts: str | Sequence[int], height: int, width: int) -> Mask:
    """The mask (height, width) of packed run lengths, or of those that are written as a list.

    Raises:
        BadInput: they are no run lengths, or not of a mask of this size.
    """
    lengths = _unpacked(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if any(length < 0 for length in lengths) or sum(lengths) != height * width:
        raise BadInput(
            f"the run lengths come to {sum(lengths)} pixels, and a picture of {width} x {height} has {height * width}."
        )
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape((height, width), order="F")


def _unpacked(text: str) -> list[int]:
    lengths: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64:
            raise BadInput(f"{letter!r} is no letter of packed run lengths.")
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise BadInput("the packed run lengths end in the middle of a number.")
    return lengths
