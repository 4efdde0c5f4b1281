"""Classes of pictures: which do not fit, by whom a model would be misled, and what else gives the class away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...evaluators.stats import by_group, estimate
from ...runtime.errors import BadInput
from ...runtime.records import Record
from ...tools.curation import FOLDS, Look, Pairs, doubted, folds_of, planted_labels, probed, told_by
from .annotations import source
from .decisions import neighbourhoods
from .result import Clue, Doubt, LabelCheck, Share

__all__ = ["Labelled", "labelled", "probe_accuracies"]

_ROOM = 0.2
"""A clue is told as an alarm where the lower end of what it tells is above chance by a fifth of the room that there is."""


class Labelled(Record):
    """What is known of the classes. `places` of the pictures that were judged, and by these their class as a number, their fold and their doubts.

    `notes`: what was left out, and why.
    """

    names: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    labels: tuple[int, ...] = ()
    folds: tuple[int, ...] = ()
    doubts: dict[int, Doubt] = Field(default_factory=dict)
    check: LabelCheck | None = None
    notes: tuple[str, ...] = ()


def labelled(
    looks: Sequence[Look], classes: Mapping[str, str], vectors: NDArray[np.float32], pairs: Pairs, threshold: float | None,
    groups: Mapping[int, str], seed: int,
) -> Labelled:  # fmt: skip
    """Judge the classes of pictures. `classes` by name; `vectors` (pictures, size); `groups`: by place, where there are any."""
    told = {place: classes[each.path] for place, each in enumerate(looks) if each.path in classes}
    crowds = neighbourhoods(looks, pairs, threshold)
    different = Counter(name for name, _ in {(name, int(crowds[place])) for place, name in told.items()})
    rare = sorted(name for name in {*told.values()} if different[name] < FOLDS)
    notes = [f"classes of fewer than {FOLDS} different pictures were not judged: {', '.join(rare)}"] if rare else []
    places = [place for place, name in told.items() if name not in rare]
    names = sorted({told[place] for place in places})
    if len(names) < 2:
        notes.append(f"labels were not judged: {len(names)} classes of {FOLDS} different pictures or more are too few.")
        return Labelled(notes=tuple(notes))
    y = [names.index(told[place]) for place in places]
    try:
        folds = folds_of(y, [int(crowds[place]) for place in places], seed=seed)
    except BadInput as error:
        return Labelled(notes=(*notes, f"labels were not judged: {error}"))
    rows = vectors[places]
    probabilities = probed(rows, y, folds, len(names))
    found = doubted(y, probabilities)
    planted, others = planted_labels(rows, y, folds, len(names), seed=seed)
    right = [float(each) for each in probabilities.argmax(axis=1) == np.array(y)]
    doubts = {
        places[at]: Doubt(likely=names[int(found.likely[at])], trust=round(float(found.trust[at]), 4))
        for at in np.flatnonzero(found.wrong).tolist()
    }
    check = LabelCheck(
        judged=len(places), wrong=len(doubts), chance=1 / len(names), commonest=max(Counter(y).values()) / len(y),
        accuracy=_share("", "all", right, [int(crowds[place]) for place in places]),
        planted=_share("", "planted", planted), others=_share("", "others", others),
        doubted=tuple(
            _share(group, "doubted", [float(place in doubts) for place in places if groups[place] == group])
            for group in dict.fromkeys(groups.values())
        ) if groups else (),
        clues=_clues(looks, places, y, folds, len(names), groups, all(source(looks[place].path) == told[place] for place in places)),
    )  # fmt: skip
    return Labelled(
        names=tuple(names), places=tuple(places), labels=tuple(y), folds=tuple(folds.tolist()), doubts=doubts, check=check,
        notes=tuple(notes),
    )  # fmt: skip


def probe_accuracies(
    known: Labelled, vectors: NDArray[np.float32], ways: Mapping[str, NDArray[np.bool_]], groups: Mapping[int, str],
    crowds: Mapping[int, int],
) -> tuple[Share, ...]:  # fmt: skip
    """How often a probe is right that learns from what each way keeps, by group and for all, on pictures of folds that it did not learn from.

    `ways`: by name, whether a picture stays (pictures,). `crowds`: by place of those that are judged, a number that copies of each other share; they
    count as one.
    """
    judged = [at for at, place in enumerate(known.places) if place in crowds]
    places = [known.places[at] for at in judged]
    y, folds = np.array(known.labels)[judged], np.array(known.folds)[judged]
    found: list[Share] = []
    if not places:
        return ()
    names = dict.fromkeys(groups[place] for place in places) if groups else {}
    for way, kept in ways.items():
        probabilities = probed(vectors[places], y.tolist(), folds, len(known.names), fitted_on=kept[places])
        right = (probabilities.argmax(axis=1) == y).astype(float)
        for group in ("", *names):
            mine = [at for at, place in enumerate(places) if not group or groups[place] == group]
            found.append(_share(group, way, right[mine].tolist(), [crowds[places[at]] for at in mine]))
    return tuple(found)


def _share(group: str, way: str, values: Sequence[float], crowds: Sequence[int] | None = None) -> Share:
    """A mean with its interval; copies of each other are one item."""
    if crowds is not None:
        values = [value for value in by_group(values, crowds).values() if value is not None]
    told = estimate(values, draws=1000)
    return Share(group=group, way=way, share=told.value or 0.0, ci=told.ci)


def _clues(
    looks: Sequence[Look], places: Sequence[int], y: Sequence[int], folds: NDArray[np.int64], classes: int, groups: Mapping[int, str],
    by_folder: bool,
) -> tuple[Clue, ...]:  # fmt: skip
    """What gives the class away without what the picture shows, what tells the most first; `by_folder`: the sub-folder is the class."""
    mine = [looks[place] for place in places]
    numbers = {
        "brightness": [each.light for each in mine],
        "sharpness": [each.sharpness for each in mine],
        "detail": [each.detail for each in mine],
        "aspect": [each.width / each.height for each in mine],
        "size": [float(each.width * each.height) for each in mine],
        "bytes of the file": [float(each.bytes) for each in mine],
    }
    named = {"sub-folder": [] if by_folder else [source(each.path) for each in mine], "group": [groups.get(place, "") for place in places]}  # fmt: skip
    by = {name: told_by(values, y, folds, classes) for name, values in numbers.items() if len(set(values)) > 1}
    for name, texts in named.items():
        different = sorted(set(texts))
        if 1 < len(different) <= len(texts) // 4:
            by[name] = told_by([different.index(text) for text in texts], y, folds, classes, named=True)
    chance, found = 1 / classes, []
    for name, values in by.items():
        told = estimate(values, draws=1000)
        low = told.value if told.ci is None else told.ci[0]
        alarm = low is not None and told.ci is not None and low > chance + _ROOM * (1 - chance)
        found.append(Clue(by=name, accuracy=told.value or 0.0, ci=told.ci, alarm=alarm))
    return tuple(sorted(found, key=lambda clue: -clue.accuracy))
