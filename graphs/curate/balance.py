"""As many pictures as were asked for, drawn evenly over clusters of clusters (Vo et al. 2024)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...tools.curation import balanced, hierarchy
from .decisions import Decisions
from .result import Balance, Balanced

__all__ = ["drawn_evenly"]

_LOWEST, _STEP, _TOP = 4, 4, 12  # pictures a lowest cluster, clusters a cluster above, and as few at the top as that


def drawn_evenly(decisions: Decisions, vectors: NDArray[np.float32], count: int, seed: int) -> Balance:
    """Let all but `count` of the pictures that stay go; what a person keeps counts among them and stays.

    `vectors` (pictures, size). The clusters that are told are those of the highest level, the largest first.
    """
    staying = decisions.staying
    levels = hierarchy(vectors[staying], _sizes(len(staying)), seed=seed)
    names = [decisions.looks[place].path for place in staying]
    free = [at for at, place in enumerate(staying) if place not in decisions.held]
    wanted = count - (len(staying) - len(free))
    stays = set(range(len(staying))) - set(free)
    if 0 < wanted < len(free):
        drawn = balanced([level[free] for level in levels], wanted, seed=seed)
        stays |= {free[at] for at in drawn.tolist()}
    elif wanted > 0:
        stays |= set(free)
    for at in free:
        if at not in stays:
            decisions.goes(staying[at], "balance", "its cluster has more than its even part")
    top = levels[-1]
    clusters = []
    for label in np.unique(top):
        members = np.flatnonzero(top == label)
        centre = vectors[staying][members].mean(axis=0)
        nearest = members[np.argsort(-(vectors[staying][members] @ centre), kind="stable")]
        kept = [at for at in nearest.tolist() if at in stays]
        shown = tuple(names[at] for at in [*kept, *(at for at in nearest.tolist() if at not in stays)][:6])
        clusters.append(Balanced(before=len(members), after=len(kept), shown=shown))
    return Balance(asked=count, clusters=tuple(sorted(clusters, key=lambda each: -each.before)))


def _sizes(count: int) -> list[int]:
    """Numbers of clusters, the most first: a fourth of the pictures, a fourth of that, down to twelve or fewer at the top."""
    sizes = [max(2, -(-count // _LOWEST))]
    while sizes[-1] > _TOP:
        sizes.append(max(2, -(-sizes[-1] // _STEP)))
    return [size for size in sizes if size <= count] or [1]
