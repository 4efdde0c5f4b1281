"""Zero-shot classification of pictures by the names of the classes (CLIP: Radford et al. 2021, arXiv 2103.00020, section 3.1.4).

A class is the mean of the unit vectors of its name in several templates, made a unit vector again; a picture belongs to the
nearest one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from ...runtime.protocols import Embedder
from ...runtime.records import BlobRef, Prediction

__all__ = ["class_vectors", "classify"]

_SCALE = 100.0  # what CLIP's logit scale is held to


async def class_vectors(embedder: Embedder, classes: Sequence[str], templates: Sequence[str]) -> NDArray[np.float32]:
    """(classes, size): one unit vector a class name.

    Raises:
        BadInput: no class, no template, or a template without {}.
    """
    if not classes or not templates or any("{}" not in template for template in templates):
        raise BadInput(f"give class names and templates with {{}}; there are {len(classes)} and {list(templates)!r}.")
    texts = [template.replace("{}", name) for name in classes for template in templates]
    vectors = np.array(await embedder.texts(texts), dtype=np.float32).reshape(len(classes), len(templates), -1)
    means = vectors.mean(axis=1)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)


async def classify(
    embedder: Embedder, images: Sequence[BlobRef], classes: Sequence[str], *, templates: Sequence[str]
) -> list[Prediction]:
    """The nearest class of each picture, in order, with probabilities at CLIP's logit scale of 100."""
    names = await class_vectors(embedder, classes, templates)
    if not images:
        return []
    logits = _SCALE * np.array(await embedder.images(images), dtype=np.float64) @ names.T
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return [
        Prediction(text=classes[int(row.argmax())], scores=dict(zip(classes, row.tolist(), strict=True)))
        for row in shares
    ]
