"""Groups that a language model proposes from captions, and what the encoder makes of them; a person says which count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...agents.curation import Curator
from ...runtime.errors import CallFailed
from ...runtime.protocols import Embedder
from ...runtime.records import Record
from ...runtime.run import each
from ...tools.curation import tells
from ...tools.entailment import content_words
from .review import ProposedGroup, ProposedGroups

__all__ = ["Proposed", "proposed"]

_READ, _FEWEST = 40, 5


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
    said = {place: set(content_words(text)) for place, text in captions.items()}
    found: dict[tuple[str, ...], ProposedGroups] = {}
    notes = []
    for attribute in attributes:
        texts = await each(clip.texts, list(attribute.groups))
        known = {
            group: np.array(text, dtype=np.float32)
            for group, text in zip(attribute.groups, texts, strict=True)
            if not isinstance(text, Exception)
        }
        if len(known) < 2:
            notes.append(f"{attribute.attribute}: fewer than two of its groups can be read by the encoder")
            continue
        best = (vectors @ np.stack(list(known.values())).T).argmax(axis=1)
        words = {group: set(content_words(group)) for group in known}
        shared = set.intersection(*words.values())
        groups = []
        for number, (group, vector) in enumerate(known.items()):
            marks = words[group] - shared
            places = [place for place in said if marks and marks <= said[place]]
            others = [place for place in said if not marks <= said[place]]
            told = None
            if len(places) >= _FEWEST and len(others) >= _FEWEST:
                rows = [*places, *others]
                told = tells(vector, vectors[rows], np.arange(len(rows)) < len(places))
            groups.append(
                ProposedGroup(words=group, share=float((best == number).mean()), captions=len(places), tells=told)
            )
        key = tuple(sorted(group.casefold() for group in known))
        found.setdefault(key, ProposedGroups(attribute=attribute.attribute, groups=tuple(groups)))
    return Proposed(groups=tuple(found.values()), notes=tuple(notes))
