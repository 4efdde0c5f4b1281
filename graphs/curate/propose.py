"""Groups that a language model proposes from captions, and what the encoder makes of them; a person says which count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...agents.curation import Curator
from ...runtime.errors import CallFailed
from ...runtime.protocols import Embedder
from ...runtime.records import Record
from ...runtime.session import each
from ...tools.curation import tells
from ...tools.entailment import content_words
from .review import ProposedGroup, ProposedGroups

__all__ = ["Proposed", "hardly_told", "judged_groups", "proposed"]

_READ, _FEWEST, _TELLS = 40, 5, 0.7


class Proposed(Record):
    """The proposals, and what could not be used."""

    groups: tuple[ProposedGroups, ...] = ()
    notes: tuple[str, ...] = ()


async def proposed(
    clip: Embedder, curator: Curator, vectors: NDArray[np.float32], captions: Mapping[int, str], seed: int
) -> Proposed:
    """Proposals for pictures (pictures, size), each with the share of every group and how well its words tell it.

    That is the AUROC over pictures whose captions have the words that mark it among its fellows, against those that do not; None where those are
    fewer than five.
    """
    different = sorted(set(captions.values()))
    drawn = np.random.default_rng([seed, 43]).choice(len(different), size=min(_READ, len(different)), replace=False)
    try:
        attributes = await curator.attributes([different[place] for place in sorted(drawn.tolist())])
    except CallFailed as error:
        return Proposed(notes=(f"{curator.name} proposed no groups: {error}",))
    found: dict[tuple[str, ...], ProposedGroups] = {}
    notes = []
    for attribute in attributes:
        groups = await judged_groups(clip, attribute.groups, vectors, captions)
        if len(groups) < 2:
            notes.append(f"{attribute.attribute}: fewer than two of its groups can be read by the encoder")
            continue
        key = tuple(sorted(group.words.casefold() for group in groups))
        found.setdefault(key, ProposedGroups(attribute=attribute.attribute, groups=groups))
    return Proposed(groups=tuple(found.values()), notes=tuple(notes))


async def judged_groups(
    clip: Embedder, groups: Sequence[str], vectors: NDArray[np.float32], captions: Mapping[int, str]
) -> tuple[ProposedGroup, ...]:
    """Groups by their words, with what the encoder makes of them; without those that it cannot read."""
    texts = await each(clip.texts, list(groups))
    known = {
        group: np.array(text, dtype=np.float32)
        for group, text in zip(groups, texts, strict=True)
        if not isinstance(text, Exception)
    }
    if not known:
        return ()
    said = {place: set(content_words(text)) for place, text in captions.items()}
    best = (vectors @ np.stack(list(known.values())).T).argmax(axis=1)
    words = {group: set(content_words(group)) for group in known}
    shared = set.intersection(*words.values())
    found = []
    for number, (group, vector) in enumerate(known.items()):
        marks = words[group] - shared
        places = [place for place in said if marks and marks <= said[place]]
        others = [place for place in said if not marks <= said[place]]
        told = None
        if len(places) >= _FEWEST and len(others) >= _FEWEST:
            rows = [*places, *others]
            told = tells(vector, vectors[rows], np.arange(len(rows)) < len(places))
        found.append(ProposedGroup(words=group, share=float((best == number).mean()), captions=len(places), tells=told))
    return tuple(found)


def hardly_told(groups: Sequence[ProposedGroup]) -> list[str]:
    """What is said of groups whose words do not tell the pictures whose captions name them."""
    return [
        f"the encoder hardly tells {group.words!r}: of pictures whose captions name it and others it parts {group.tells:.0%} of the pairs, by chance it would"
        " be half. Its shares mean little."
        for group in groups
        if group.tells is not None and group.tells < _TELLS
    ]
