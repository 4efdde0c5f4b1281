"""The floor of groups: near copies of a group that would fall below it stay, the least alike first."""

from __future__ import annotations

import numpy as np

from .audit import Grouped
from .decisions import Decisions

__all__ = ["held_up", "short_of"]


def held_up(decisions: Decisions, grouped: Grouped, floor: float) -> None:
    """Let near copies stay until each group has the share `floor` of what stays, or none of its near copies is left."""
    gone: dict[int, list[int]] = {}
    for place, reason in enumerate(decisions.reasons):
        if reason == "near copy":
            gone.setdefault(int(grouped.of[place]), []).append(place)
    for places in gone.values():
        places.sort(key=lambda place: -(decisions.scores[place] or 1.0))
    counts = np.bincount(grouped.of[decisions.staying], minlength=len(grouped.names))
    while True:
        short = [number for number in range(len(counts)) if counts[number] < floor * counts.sum() and gone.get(number)]
        if not short:
            return
        number = min(short, key=lambda each: counts[each])
        decisions.stays(gone[number].pop(), f"a near copy that stays for the floor of {grouped.names[number]!r}")
        counts[number] += 1


def short_of(decisions: Decisions, grouped: Grouped, floor: float) -> list[str]:
    """What is said of groups that are below the floor all the same."""
    counts = np.bincount(grouped.of[decisions.staying], minlength=len(grouped.names))
    return [
        f"the share of {name!r} is {count / counts.sum():.1%}, below the floor of {floor:.0%}: no near copy of it is left that could stay"
        for name, count in zip(grouped.names, counts.tolist(), strict=True)
        if counts.sum() and count < floor * counts.sum()
    ]
