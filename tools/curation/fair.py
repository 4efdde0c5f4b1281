"""Near copies removed with groups in view: FairDeDup, and a choice that leaves the shares as they were.

Each group is given in words, as a prototype in the encoder's space. Of each neighbourhood of copies (a connected component) one row is kept:

    fairdedup  the one that is most like the group that is served worst by what was kept so far (Slyman et al. 2024, arXiv 2404.16123, from the
               paper: its authors published no code)
    matched    the one after which the groups' shares, as they are read (`membership`), are nearest to those among all rows, with a little weight for
               the mean similarities, and which is surest to be of its group; neighbourhoods that leave most choice come last

FairDeDup is otherwise than in the paper in two ways. The running means are those of the whole data set: means that begin anew in each cluster
serve the first group whenever a cluster has few neighbourhoods, so that a minority may lose more than without any of it. And the similarities
of each group are centred before they are compared, since texts differ in how near they lie to all pictures. It takes the extreme of each
neighbourhood, by turns of each group, and so raises a minority somewhat. Rows that have no copy stay, and are counted first.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from .membership import membership
from .near_copies import Removal

_DRIFT = (
    0.03**0.5
)  # what a similarity counts beside a share, so that the surest rows, which are the extreme ones, are not always taken

__all__ = ["CHOICES", "Choice", "fair_removal", "group_similarities"]

Choice: TypeAlias = Literal["matched", "fairdedup"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
_DRIFT = (
    0.03**0.5
)  # what a similarity counts beside a share, so that the surest rows, which are the extreme ones, are not always taken


def group_similarities(vectors: Any, prototypes: Any) -> NDArray[np.float64]:
    """(n, groups): the cosine of each row with each prototype, centred and scaled by group over the rows: mean 0, deviation 1."""
    similarities = np.asarray(vectors, dtype=np.float64) @ np.asarray(prototypes, dtype=np.float64).T
    deviation = similarities.std(axis=0)
    deviation[deviation < 1e-9] = 1.0
    return np.asarray((similarities - similarities.mean(axis=0)) / deviation)


def fair_removal(
    vectors: Any,
    labels: NDArray[np.int64],
    similarities: NDArray[np.float64],
    choice: Choice = "matched",
    *,
    members: NDArray[np.float64] | None = None,
    priority: NDArray[np.float64] | None = None,
) -> Removal:
    """Keep one row of each component.

    Args:
        vectors: unit vectors (n, size).
        labels: (n,), the component of each row, from `components`.
        similarities: (n, groups), from `group_similarities`.
        choice: see above.
        priority: (n,), of rows that serve the groups alike the higher stays; by default the first.
        members: (n, groups), how likely each row is of each group, where that is known better than by `membership`.

    Raises:
        BadInput: fewer than two groups, or tables of different lengths.
    """
    if similarities.ndim != 2 or similarities.shape[1] < 2:
        raise BadInput(f"similarities of shape {similarities.shape}: give two groups or more.")
    if not len(vectors) == len(labels) == len(similarities):
        raise BadInput(
            f"{len(vectors)} vectors, {len(labels)} labels, {len(similarities)} similarities: give one each a row."
        )
    order = np.lexsort((np.zeros(len(labels)) if priority is None else -priority, labels))
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels[order[0]] - 1))
    neighbourhoods = np.split(order, starts[1:])
    kept = np.zeros(len(labels), dtype=bool)
    unsure = np.zeros(len(labels))
    if choice == "fairdedup":
        serves = similarities
    else:
        members = membership(similarities, labels) if members is None else members
        neighbourhoods.sort(key=len)
        serves, unsure = members - members.mean(axis=0), (members * (1 - members)).sum(axis=1)
        if np.ptp(members) > 0:  # else nothing is told of any row
            serves = np.concatenate([serves, _DRIFT * (similarities - similarities.mean(axis=0))], axis=1)
    alone = [int(rows[0]) for rows in neighbourhoods if len(rows) == 1]
    kept[alone] = True
    total = serves[alone].sum(axis=0)
    copy_of = np.full(len(labels), -1, dtype=np.int64)
    similarity = np.zeros(len(labels), dtype=np.float32)
    for rows in neighbourhoods:
        if len(rows) == 1:
            continue
        if choice == "fairdedup":
            chosen = int(rows[similarities[rows, int(total.argmin())].argmax()])
        else:
            chosen = int(rows[(np.square(total + serves[rows]).sum(axis=1) + unsure[rows]).argmin()])
        kept[chosen] = True
        total = total + serves[chosen]
        others = rows[rows != chosen]
        copy_of[others] = chosen
        near = np.asarray(vectors[others], dtype=np.float32) @ np.asarray(vectors[chosen], dtype=np.float32)
        similarity[others] = near
    return Removal(kept, copy_of, similarity)
