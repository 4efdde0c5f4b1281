"""Token sequences in batches by length, each of a shape that its own length alone decides.

A sequence is padded to a multiple of `_STEP` tokens, and a batch holds as many rows as come to about the same number of tokens: many of
a short sequence, one of a long one. So what is computed for a sequence does not depend on the others, as it would if a batch were
padded to its longest or had as many rows as there happen to be; and little is computed for padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...runtime.session import chunks

__all__ = ["BATCH", "Bucket", "buckets"]

BATCH = 8
"""Rows of `_ROW` tokens in a batch, where the user says nothing: more were no faster on a processor."""
_ROW = 48
_STEP = 16


@dataclass(frozen=True)
class Bucket:
    """A batch of at most `rows` sequences, each padded to `length` tokens; `places`: which sequences, by number."""

    length: int
    rows: int
    places: tuple[int, ...]


def buckets(lengths: Sequence[int], *, most: int, batch: int = BATCH) -> Iterator[Bucket]:
    """The batches for sequences of these lengths in tokens, none above `most`; short ones come first.

    `batch` scales all of them: the tokens of a batch are about `48 * batch`.
    """
    alike: dict[int, list[int]] = {}
    for place, tokens in enumerate(lengths):
        alike.setdefault(min(-(-max(tokens, 1) // _STEP) * _STEP, most), []).append(place)
    for length, places in sorted(alike.items()):
        rows = max(1, batch * _ROW // length)
        for chunk in chunks(places, rows):
            yield Bucket(length=length, rows=rows, places=tuple(chunk))
