"""The order in which rows are learnt: a function of the seed and the epoch alone."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["batches", "by_epoch"]

_POOL = 16  # batches that are sorted by length together

T = TypeVar("T")


def by_epoch(batches_of: Callable[[int], Sequence[T]], epoch: int) -> Callable[[int], T]:
    """The batch of a step, where `batches_of` gives the `epoch` batches of one epoch by its number; the last is kept."""
    kept = functools.lru_cache(maxsize=1)(batches_of)
    return lambda step: kept(step // epoch)[step % epoch]


def batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """The rows of one epoch, by number: shuffled, and then those of like length together, so that little is padding."""
    rng = random.Random(f"{seed}/{epoch}")
    order = rng.sample(range(len(lengths)), len(lengths))
    groups = [
        sorted(order[start : start + _POOL * size], key=lambda row: (lengths[row], row))
        for start in range(0, len(order), _POOL * size)
    ]
    batches = [group[start : start + size] for group in groups for start in range(0, len(group), size)]
    rng.shuffle(batches)
    return batches
