"""Zero-shot: the nearest class by the vector of its name (CLIP: Radford et al. 2021, arXiv 2103.00020, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...runtime.errors import BadInput
from .checks import Features, Labels, checked, normed
from .readings import Reading, read

__all__ = ["zero_shot"]


def zero_shot(images: Features, labels: Labels, classes: Sequence[object], names: Features) -> Reading:
    """Each picture (n, d) goes to the nearest of `names` (c, d) by cosine: vectors of the words for `classes` (c), as `class_vectors` gives them.

    Raises:
        BadInput: shapes or values that do not fit, a class that is given twice, or a label that is none of `classes`.
    """
    rows, truth = checked(images, labels, "images")
    words, known = checked(names, np.asarray(list(classes)), "names")
    if rows.shape[1] != words.shape[1]:
        raise BadInput(f"pictures of {rows.shape[1]} numbers and names of {words.shape[1]}: give those of one encoder.")
    if len(np.unique(known)) != len(known):
        raise BadInput("classes: one of them is given twice.")
    unknown = sorted({*truth.tolist()} - {*known.tolist()}, key=str)
    if unknown:
        raise BadInput(f"images: the class {unknown[0]!r} has no name among the {len(known)} that were given.")
    return read(known[(normed(rows) @ normed(words).T).argmax(axis=1)], truth)
