"""A captioner that speaks from its neighbours: what the captions of similar pictures name, a VQA model confirms or strikes.

It needs no language model. The noun phrases of the neighbours' captions (`agents.scene.simple_english`) are hypotheses; "Is there a red
circle?" is asked of each, and the confirmed ones make the caption. Without neighbours it can only say what the VQA model
answers to "What is in the picture?".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...runtime.errors import BadInput
from ...runtime.passages import Passage, Query
from ...runtime.protocols import Embedder, VisualQA
from ...runtime.records import BlobRef
from ...tools.index import Neighbours
from ..scene import NotUnderstood, from_scene_graph, simple_scene_graph

__all__ = ["NeighbourCaptioner", "write_captions"]

_OPEN = "What is in the picture?"
_SAME = 0.9


class NeighbourCaptioner:
    """A `Captioner`; see the module. `k`: how many neighbours are read, none with 0; `most`: phrases a caption."""

    def __init__(self, neighbours: Neighbours, vqa: VisualQA, embedder: Embedder, *, k: int = 2, most: int = 2) -> None:
        if k < 0 or most < 1:
            raise BadInput(f"k={k!r} must be 0 or more, and most={most!r} 1 or more.")
        self._neighbours, self._vqa, self._embedder = neighbours, vqa, embedder
        self._k, self._most = k, most

    @property
    def model(self) -> str:
        """The VQA model's and the embedder's, and how many neighbours."""
        return f"neighbours({self._k}) of {self._embedder.model}, checked by {self._vqa.model}"

    @property
    def revision(self) -> str:
        """Both revisions."""
        return f"{self._vqa.revision}+{self._embedder.revision}"

    async def caption(self, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str]:
        """One caption a picture, in order; where a question is given, neighbours are looked up for both.

        Raises:
            BadInput: the index was made with another embedder.
            PrerequisiteError: a model or the index cannot be read.
        """
        queries = [Query(image=image, text=question or "") for image, question in asked]
        found = await self._neighbours.find(queries, k=self._k) if self._k else [[] for _ in queries]
        shown = [[one.passage for one in each] for each in found]
        images = [image for image, _ in asked]
        return await write_captions(images, shown, self._vqa, self._embedder, most=self._most)


async def write_captions(
    images: Sequence[BlobRef],
    shown: Sequence[Sequence[Passage]],
    vqa: VisualQA,
    embedder: Embedder,
    *,
    most: int = 2,
) -> list[str]:
    """The caption of each picture from the passages shown beside it: at most `most` phrases, the surest first.

    What the VQA model itself says is in the picture is one more hypothesis. A phrase is confirmed where all its questions are
    answered yes with P(yes) 0.5 or more; of two for one thing (the same last word, or a cosine above 0.9) the surer one stays.
    """
    said = [answer.text.strip() for answer in await vqa.answer([(image, _OPEN) for image in images])] if images else []
    phrases = []
    for each, noun in zip(shown, said, strict=True):
        told = [phrase for passage in each for phrase in _phrases(passage.text)]
        phrases.append(list(dict.fromkeys([*told, *([_with_article(noun)] if noun else [])])))
    pairs = [(image, phrase) for image, each in zip(images, phrases, strict=True) for phrase in each]
    asked = [(image, question) for image, phrase in pairs for question in _questions(phrase)]
    answers = iter(await vqa.answer(asked) if asked else [])
    sure = iter([min(next(answers).p_yes or 0.0 for _ in _questions(phrase)) for _, phrase in pairs])
    ranked = [sorted(((next(sure), phrase) for phrase in each), key=lambda pair: -pair[0]) for each in phrases]
    kept = [[phrase for p_yes, phrase in each if p_yes >= 0.5] for each in ranked]
    names = list(dict.fromkeys(phrase for each in kept for phrase in each))
    vectors = dict(zip(names, np.array(await embedder.texts(names)) if names else [], strict=True))
    captions = []
    for confirmed, noun in zip(kept, said, strict=True):
        chosen: list[str] = []
        for phrase in confirmed:
            new = all(
                phrase.split()[-1] != other.split()[-1] and float(vectors[phrase] @ vectors[other]) <= _SAME
                for other in chosen
            )
            if new and len(chosen) < most:
                chosen.append(phrase)
        captions.append(" and ".join(chosen) if chosen else f"a picture of {_with_article(noun)}")
    return captions


def _phrases(caption: str) -> list[str]:
    """The noun phrases of a caption; none of one that the rules do not understand."""
    try:
        return from_scene_graph(simple_scene_graph(caption))
    except NotUnderstood:
        return []


def _questions(phrase: str) -> list[str]:
    """What must be answered yes for a phrase: that it is there and, of several, that there are so many."""
    number, _, rest = phrase.partition(" ")
    if number in ("a", "an", "the", "one") or not rest:
        return [f"Is there {phrase}?"]
    return [f"Are there {rest}?", f"Are there exactly {phrase}?"]


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in tuple('aeio') else 'a'} {noun}" if noun else "something"
