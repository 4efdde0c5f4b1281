"""Which captions do not fit their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["caption_threshold", "wrong_pairs"]


def wrong_pairs(vectors: NDArray[np.float32], texts: Sequence[str], seed: int) -> NDArray[np.int64]:
    """For each picture the place of a caption that is another picture's and says something else: captions planted to be wrong."""
    rng = np.random.default_rng([seed, 31])
    order = rng.permutation(len(texts))
    wrong = np.roll(order, 1)[np.argsort(order)]
    for place in range(len(texts)):
        for _ in range(20):
            if texts[int(wrong[place])] != texts[place]:
                break
            wrong[place] = rng.integers(len(texts))
    return np.asarray(wrong, dtype=np.int64)


def caption_threshold(own: Mapping[int, float], planted: Sequence[float]) -> tuple[float, float]:
    """The cosine below which a caption does not fit, and how well cosines part a user's captions from planted wrong ones (AUROC).

    The threshold parts the two best (Youden 1950). Where captions of one's own are wrong too, it lies a little low, which keeps more.
    """
    mine, wrong = np.array(list(own.values())), np.array(planted)
    borders = np.unique(np.concatenate([mine, wrong]))
    below = np.searchsorted(np.sort(mine), borders, side="left") / len(mine)
    caught = np.searchsorted(np.sort(wrong), borders, side="left") / len(wrong)
    best = float(borders[int((caught - below).argmax())])
    ranks = np.concatenate([mine, wrong]).argsort().argsort()[: len(mine)] + 1
    auroc = float((ranks.sum() - len(mine) * (len(mine) + 1) / 2) / (len(mine) * len(wrong)))
    return best, auroc
