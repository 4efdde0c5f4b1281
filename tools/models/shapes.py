"""Batch shapes by the size of a call, where the user asks for them (`fit`).

A row of a batch of 1 differs in its last bits from the same row in a batch of 8, since other kernels compute it: so a result that must not
depend on its company belongs to one shape, and that is part of its key. By default all requests have the same shape: one alone pays for
the padding, and the requests of many callers are joined. Where a call is made to fit, it is cut up into batches of powers of two, and nothing
is padded: one alone costs one, but the same request in a larger call is another one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef
from .weights import Weights

__all__ = ["PromptedImage", "Rows", "rows_of", "shapes"]

_FITTED = 16


class PromptedImage(NamedTuple):
    """A picture with the words that a model is given beside it, and the size of the batch that they are computed in."""

    image: BlobRef
    prompt: str
    batch: int


class Rows(NamedTuple):
    """The size of a batch; with `fit` the largest of several."""

    batch: int = 8
    fit: bool = False

    def sized(self, asked: Sequence[tuple[BlobRef, str]]) -> list[PromptedImage]:
        """Each with the size of its batch, the same for all; with `fit`, one that the number of different ones decides."""
        different = list(dict.fromkeys(asked))
        sizes = shapes([None] * len(different), self.batch) if self.fit else [self.batch] * len(different)
        sized = dict(zip(different, sizes, strict=True))
        return [PromptedImage(image, prompt, sized[image, prompt]) for image, prompt in asked]


def rows_of(weights: Weights) -> Rows:
    """How many questions a judge answers at once, by the options of its spec (`batch`, `fit`); `BadInput` for others."""
    options = dict(weights.options)
    fit, batch = options.pop("fit", "no"), options.pop("batch", "")
    if options or fit not in ("yes", "no") or (batch and not (batch.isdecimal() and 0 < int(batch) <= 256)):
        raise BadInput(
            f"{weights.spec!r}: a judge takes a batch of 1 to 256 and fit=yes or fit=no, not {weights.options}."
        )
    return Rows(int(batch) if batch else _FITTED if fit == "yes" else Rows().batch, fit == "yes")


def shapes(company: Sequence[Hashable], most: int) -> list[int]:
    """For each request of a call the size of the batch that it belongs to: the largest power of two, `most` at the most, that can still be filled.

    `company`: what requests must agree in to be computed together.

        shapes(["", "", "", "", ""], 8) == [4, 4, 4, 4, 1]
    """
    left: dict[Hashable, int] = {}
    for each in company:
        left[each] = left.get(each, 0) + 1
    sizes: list[int] = []
    under_way: dict[Hashable, tuple[int, int]] = {}
    for each in company:
        size, places = under_way.get(each, (0, 0))
        if not places:
            size = places = 1 << (min(left[each], most).bit_length() - 1)
        under_way[each] = (size, places - 1)
        left[each] -= 1
        sizes.append(size)
    return sizes
