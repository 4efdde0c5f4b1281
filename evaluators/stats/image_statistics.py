"""Statistics of a set of pictures against a reference set: FID, KID, precision and recall, over any encoder.

They say whether a loop traded diversity away: recall falls when the pictures become alike, precision when they leave
what real pictures look like. Published figures are over InceptionV3 features of 10,000 and more pictures; over another
encoder, or of fewer pictures, figures can be compared with each other only, at the same number of pictures.

    FID               Heusel et al. 2017 (arXiv 1706.08500); biased upwards for small sets
    KID               Binkowski et al. 2018 (arXiv 1801.01401); unbiased, so the one to take for small sets
    precision/recall  Kynkaanniemi et al. 2019 (arXiv 1904.06991), with the k-th nearest neighbour
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...runtime.errors import BadInput
from ...runtime.protocols import Embedder
from ...runtime.records import BlobRef, Record
from ...runtime.session import each

__all__ = ["FEWEST_PICTURES", "SetStatistics", "compare_sets", "fid", "kid", "precision_recall", "set_statistics"]

Features = npt.NDArray[np.float64]
_BLOCK, _CHUNK = 1000, 256
FEWEST_PICTURES = 5
"""Pictures of a set that statistics can be taken of, with three nearest neighbours."""


class SetStatistics(Record):
    """A set of `n` pictures against `n_reference` others, over the features of `encoder`; `unread` had no features.

    `kid_error` is the standard error over its subsets. `notes` say what the numbers are too small for.
    """

    fid: float
    kid: float
    kid_error: float
    precision: float
    recall: float
    n: int
    n_reference: int
    unread: int = 0
    encoder: str = ""
    notes: tuple[str, ...] = ()


async def compare_sets(
    pictures: Sequence[BlobRef], reference: Sequence[BlobRef], encoder: Embedder, *, k: int = 3, seed: int = 0
) -> SetStatistics:
    """The statistics of `pictures` against `reference` over an embedder's unit vectors.

    Raises:
        BadInput: fewer than k + 2 pictures of one of the sets could be embedded.
    """
    ours, theirs = await _features(pictures, encoder), await _features(reference, encoder)
    made = set_statistics(ours, theirs, k=k, seed=seed)
    unread = len(pictures) + len(reference) - len(ours) - len(theirs)
    return made.model_copy(update={"unread": unread, "encoder": f"{encoder.model} ({encoder.revision[:12]})"})


async def _features(pictures: Sequence[BlobRef], encoder: Embedder) -> Features:
    """(pictures that could be embedded, width); a chunk at a time, for the memory."""
    kept: list[Features] = []
    for start in range(0, len(pictures), _CHUNK):
        found = await each(encoder.images, pictures[start : start + _CHUNK])
        kept += [np.array(vector, dtype=np.float64) for vector in found if not isinstance(vector, Exception)]
    return np.stack(kept) if kept else np.zeros((0, 0))


def set_statistics(ours: Features, reference: Features, *, k: int = 3, seed: int = 0) -> SetStatistics:
    """All four over features (pictures, width); `BadInput` names what is wrong with them."""
    for name, features in (("the pictures", ours), ("the reference", reference)):
        if features.ndim != 2 or len(features) < k + 2 or not np.isfinite(features).all():
            raise BadInput(
                f"the features of {name} have the shape {features.shape}: give {k + 2} or more finite vectors."
            )
    if ours.shape[1] != reference.shape[1]:
        raise BadInput(
            f"the features are {ours.shape[1]} and {reference.shape[1]} wide: use one encoder for both sets."
        )
    smallest = min(len(ours), len(reference))
    notes = []
    if smallest <= ours.shape[1]:
        notes.append(f"FID of {smallest} pictures over {ours.shape[1]} features is dominated by its bias: read KID")
    value, error = kid(ours, reference, seed=seed)
    precision, recall = precision_recall(ours, reference, k=k)
    return SetStatistics(
        fid=fid(ours, reference),
        kid=value,
        kid_error=error,
        precision=precision,
        recall=recall,
        n=len(ours),
        n_reference=len(reference),
        notes=tuple(notes),
    )


def fid(ours: Features, reference: Features) -> float:
    """The Frechet distance of two normal distributions fitted to the features; 0 for equal ones."""
    gap = ours.mean(axis=0) - reference.mean(axis=0)
    one, other = np.cov(ours, rowvar=False), np.cov(reference, rowvar=False)
    one, other = np.atleast_2d(one), np.atleast_2d(other)
    # tr sqrt(A B) from the eigenvalues of sqrt(A) B sqrt(A), which is symmetric: no complex numbers to be cut off
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return max(0.0, float(gap @ gap + np.trace(one) + np.trace(other) - 2 * shared))


def kid(
    ours: Features, reference: Features, *, subsets: int = 50, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The unbiased squared MMD under the kernel (x.y / width + 1)^3: its mean over subsets, and the standard error.

    May be below 0 for sets that are alike.
    """
    count = min(size, len(ours), len(reference))
    rng = np.random.default_rng(seed)
    width = ours.shape[1]
    found = []
    for _ in range(subsets):
        x = ours[rng.choice(len(ours), count, replace=False)]
        y = reference[rng.choice(len(reference), count, replace=False)]
        xx, yy, xy = ((a @ b.T / width + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
        within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (count * (count - 1))
        found.append(float(within - 2 * xy.mean()))
    return float(np.mean(found)), float(np.std(found) / np.sqrt(subsets))


def precision_recall(ours: Features, reference: Features, *, k: int = 3) -> tuple[float, float]:
    """The share of our pictures that lie among the reference, and the share of the reference that ours cover."""
    return _covered(ours, reference, k), _covered(reference, ours, k)


def _covered(points: Features, support: Features, k: int) -> float:
    """The share of points within a support point's distance to its k-th nearest neighbour; in blocks, for the memory."""
    reach = np.concatenate(
        [
            np.sqrt(np.partition(_squares(support[start : start + _BLOCK], support), k, axis=1)[:, k])
            for start in range(0, len(support), _BLOCK)
        ]
    )
    hits = 0
    for start in range(0, len(points), _BLOCK):
        apart = np.sqrt(_squares(points[start : start + _BLOCK], support))
        hits += int((apart <= reach[None, :] + 1e-9).any(axis=1).sum())
    return hits / len(points)


def _squares(one: Features, other: Features) -> Features:
    """Squared distances (len(one), len(other))."""
    found: Features = (one**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * one @ other.T
    return found.clip(0)
