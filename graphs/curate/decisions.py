"""Pictures while it is decided which of them stay: the first reason to go counts, and a person's word before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...tools.curation import Issue, Look, Pairs, Removal, joined, odd_sizes
from .result import Reason

__all__ = ["Decisions", "copies_of", "neighbourhoods"]


class Decisions:
    """By place of a picture: `reasons`, `why` in words, `copy_of` and `scores`, `clusters` of copies, `issues`.

    The first `own` pictures are the folder's, the others would join from a pool.
    """

    def __init__(self, looks: Sequence[Look], held: Collection[int]) -> None:
        self.looks, self.held = looks, frozenset(held)
        count = self.own = len(looks)
        self.reasons: list[Reason] = [""] * count
        self.why, self.copy_of = [""] * count, [""] * count
        self.scores: list[float | None] = [None] * count
        self.clusters = [0] * count
        odd = odd_sizes(looks)
        remark: tuple[Issue, ...] = ("odd size",)
        self.issues: list[tuple[Issue, ...]] = [
            (*each.issues, *(remark if place in odd else ())) for place, each in enumerate(looks)
        ]

    def wrong_labels(self, places: Iterable[int]) -> None:
        """Remark labels that do not fit."""
        for place in places:
            self.issues[place] = (*self.issues[place], "wrong label")

    @property
    def staying(self) -> list[int]:
        """The places of those that stay so far."""
        return [place for place, reason in enumerate(self.reasons) if not reason]

    def goes(self, place: int, reason: Reason, why: str, copy_of: str = "", score: float | None = None) -> None:
        """Let a picture go, unless a person keeps it or it goes already."""
        if place not in self.held and not self.reasons[place]:
            self.reasons[place], self.why[place] = reason, why
            self.copy_of[place], self.scores[place] = copy_of, score

    def stays(self, place: int, why: str) -> None:
        """Let one stay that was to go."""
        self.reasons[place], self.why[place] = "", why

    def same_pixels(self, tests: Sequence[Look], priority: NDArray[np.float64]) -> None:
        """Let those go that show what a picture of the test set shows, and all but one of those that show the same."""
        shown = {each.pixels: each.path for each in tests}
        for place in self.staying:
            if (leak := shown.get(self.looks[place].pixels)) is not None:
                self.goes(place, "leak", f"it has the pixels of {leak} in the test set", leak, 1.0)
        alike = defaultdict[str, list[int]](list)
        for place in self.staying:
            if place not in self.held:
                alike[self.looks[place].pixels].append(place)
        for places in alike.values():
            first = max(places, key=lambda place: (priority[place], -place))
            for place in places:
                if place != first:
                    same = self.looks[place].file == self.looks[first].file
                    self.goes(
                        place,
                        "same bytes" if same else "same pixels",
                        f"it is {'byte for byte' if same else 'pixel for pixel'} the same",
                        self.looks[first].path,
                        1.0,
                    )

    def of_those_that_stay(self, pairs: Pairs) -> Pairs:
        """The pairs, whose pictures stand for all of the same pixels, with the one in their place that stays."""
        stays = {self.looks[place].pixels: place for place in self.staying}
        count = len(self.looks)

        def named(place: int) -> int:
            return stays.get(self.looks[place].pixels, place) if place < count else place

        rows = [sorted((named(one), named(other))) for one, other in pairs.rows.tolist()]
        return Pairs(np.array(rows, dtype=np.int64).reshape(-1, 2), pairs.scores)

    def leaks(self, pairs: Pairs, threshold: float, tests: Sequence[Look]) -> None:
        """Let those go that are copies of a picture of the test set, or copies of such copies."""
        count = len(self.looks)
        best: dict[int, tuple[float, int]] = {}
        for (one, other), score in zip(pairs.rows.tolist(), pairs.scores.tolist(), strict=True):
            if other >= count and score > threshold:
                best[one] = max(best.get(one, (0.0, 0)), (score, other))
        for place, (score, other) in best.items():
            test = tests[other - count].path
            self.goes(place, "leak", f"it is a copy of {test} in the test set", test, score)
        labels = joined(count + len(tests), pairs, threshold)
        reached = {int(labels[count + number]): each.path for number, each in reversed([*enumerate(tests)])}
        for place in self.staying:
            if (chain := reached.get(int(labels[place]))) is not None:
                self.goes(place, "leak", f"a chain of copies leads to {chain} in the test set", chain)

    def among_staying(self, pairs: Pairs) -> tuple[list[int], Pairs]:
        """The places of those that stay so far, and the pairs of two of them, by their number in that list."""
        staying = self.staying
        number = {place: at for at, place in enumerate(staying)}
        free = number.keys() - self.held  # what a person keeps takes no other's place
        both = [place for place, (one, other) in enumerate(pairs.rows.tolist()) if one in free and other in free]
        rows = [[number[one], number[other]] for one, other in pairs.rows[both].tolist()]
        return staying, Pairs(np.array(rows, dtype=np.int64).reshape(-1, 2), pairs.scores[both])

    def near(self, staying: Sequence[int], removal: Removal, why: Mapping[int, str]) -> None:
        """Let near copies go; `why`: by place of what stays, why that one does."""
        for at in np.flatnonzero(~removal.kept).tolist():
            kept, place = int(removal.copy_of[at]), staying[at]
            if kept < 0:
                self.goes(place, "near copy", "a chain of copies leads to one that stays")
                continue
            first = staying[kept]
            self.goes(
                place, "near copy", why.get(first, ""), self.looks[first].path, round(float(removal.similarity[at]), 4)
            )

    def number_clusters(self, pairs: Pairs, threshold: float | None) -> None:
        """Give copies of each other a number, whichever of them stay: by pixels and by the pairs above the threshold."""
        labels = neighbourhoods(self.looks, pairs, threshold)
        sizes = np.bincount(labels, minlength=len(labels))
        numbers: dict[int, int] = {}
        for place, label in enumerate(labels.tolist()):
            if sizes[label] > 1:
                self.clusters[place] = numbers.setdefault(label, len(numbers) + 1)


def neighbourhoods(looks: Sequence[Look], pairs: Pairs, threshold: float | None) -> NDArray[np.int64]:
    """(pictures,): a number that copies of each other share: by pixels, and by the pairs above the threshold where there is one."""
    count = len(looks)
    first: dict[str, int] = {}
    same = [(first.setdefault(each.pixels, place), place) for place, each in enumerate(looks)]
    links = [list(pair) for pair in same if pair[0] != pair[1]]
    if threshold is not None:
        links += [[one, other] for one, other in pairs.above(threshold).rows.tolist() if other < count]
    rows = np.array(links, dtype=np.int64).reshape(-1, 2)
    return joined(count, Pairs(rows, np.ones(len(rows))), 0.0)


def copies_of(looks: Sequence[Look], pairs: Pairs, threshold: float | None) -> dict[int, set[int]]:
    """By place, the pictures that it is a copy of: of the same pixels, or by a pair above the threshold where there is one.

    A pair stands for all pictures of the same pixels as its two.
    """
    same, linked = defaultdict[str, set[int]](set), defaultdict[str, set[str]](set)
    for place, each in enumerate(looks):
        same[each.pixels].add(place)
        linked[each.pixels].add(each.pixels)
    if threshold is not None:
        for one, other in pairs.above(threshold).rows.tolist():
            if other < len(looks):
                linked[looks[one].pixels].add(looks[other].pixels)
                linked[looks[other].pixels].add(looks[one].pixels)
    return {
        place: {copy for pixels in linked[each.pixels] for copy in same[pixels]} - {place}
        for place, each in enumerate(looks)
    }
