"""Steering as a task of the search machine (Gavrikov et al. 2024, https://arxiv.org/abs/2403.09193).

Of each cue-conflict picture the question is asked of its shape, of its texture, and of a thing that is neither; the surest yes is what is
named. `bias` is the share of the wanted cue among the named cues, `accuracy` the share of pictures of which either is named. What a question
costs is told against the user's own on the same pictures: `kept` is 0.5 where the accuracy is the same, and rises and falls by half a point
a point. `looks` is the share of the answers that name one of the cues and not the third thing: who ignores the picture has 2/3.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...mini.world.data import SETS
from ...runtime.errors import BadInput
from ...runtime.protocols import Chat, VisualQA
from ...runtime.records import BlobRef
from ...runtime.store import Store
from ...tools.data import read_picture
from ..bias import conflicts_of
from ..opt2i import Trial
from ..search import SearchTask
from .asking import QuestionSteerer

__all__ = ["GROUP", "LOOKS", "SteerTask", "kept_of"]

GROUP = 8
"""Pictures of one instance."""
LOOKS = 0.75
"""The least share of answers that name one of the cues and not the third thing; a question that ignores the picture has 2/3."""
_PHRASES = {
    "shape": ("by shape", "judging by its outline", "going by shape"),
    "texture": ("by texture", "judging by its surface", "going by texture"),
}
_OPENINGS = {
    "shape": ("Is it shaped like a {}?", "Is there the shape of a {}?", "Does its outline look like a {}?"),
    "texture": ("Is it filled like a {}?", "Is there the surface of a {}?", "Does its surface look like a {}?"),
}
_PLAIN = ("Is there a {}?", "Can you see a {}?")
_WORDS = "is are there the a thing can you see does it look like made of picture shape outline texture surface has in drawn".split()


def kept_of(gain: float) -> float:
    """The score `kept` of a gain in accuracy from -1 to 1."""
    return (1 + gain) / 2


class SteerTask(SearchTask):
    """Questions with {} in the place of a thing.

    Args:
        vqa: is asked for yes or no; it must tell the probability of yes.
        toward: the cue that is climbed.
        question: the user's own, which accuracy is told against.
        chat: writes questions; None: words are drawn.
        on: a set of cue-conflict pictures; "": drawn ones.
    """

    scores = ("bias", "accuracy", "kept", "looks")

    def __init__(
        self,
        vqa: VisualQA,
        store: Store,
        *,
        toward: str,
        question: str,
        chat: Chat | None = None,
        on: str = "",
        seed: int = 0,
    ) -> None:
        self.vqa, self.blobs, self.toward, self.question = vqa, store.blobs, toward, question
        self.steerer = None if chat is None else QuestionSteerer(chat, toward)
        self._own: list[tuple[str, str, str]] = []
        if on:
            self._own = [row for row in conflicts_of(Path(on)) if row[1] != row[2]]
            random.Random(seed).shuffle(self._own)
            self.size = len(self._own) // GROUP
            if len({name for _, *cues in self._own for name in cues}) < 3:
                raise BadInput(f"{on!r}: three classes or more are needed, to ask for one that is not there.")

    async def propose(self, text: str, history: Sequence[Trial], *, n: int, seed: int) -> list[str]:
        """New questions: those of a language model, else the best ones with words changed; at first plain wordings and such as name the cue."""
        if self.steerer is not None:
            seen = [(each.text, each.scores.get("accuracy"), each.scores.get("bias")) for each in history]
            return await self.steerer.write(seen, n=n, seed=seed)
        draw = random.Random(seed)
        first = (
            []
            if len(history) > 1
            else [
                *_PLAIN,
                *_OPENINGS[self.toward],
                *(text.replace("{}?", f"{{}} {each}?") for each in _PHRASES[self.toward]),
            ]
        )
        first = [each for each in first if each != text]
        others = [self._changed(draw.choice(history).text, draw) for _ in range(n)]
        return [*dict.fromkeys([*first, *others])][:n]

    def _changed(self, question: str, draw: random.Random) -> str:
        """One or two words changed, added or left out; the place of the thing stays."""
        words = question.rstrip("?").split()
        for _ in range(draw.choice((1, 2))):
            open_places = [place for place, word in enumerate(words) if "{}" not in word]
            place, how = draw.choice(open_places), draw.choice(("change", "add", "leave"))
            if how == "leave" and len(open_places) < 2:
                how = "change"
            words[place : place + (how != "add")] = [] if how == "leave" else [draw.choice(_WORDS)]
        return " ".join(words).capitalize() + "?"

    async def realise(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[Any]]:
        """For each question and each group: the probabilities of yes to (shape, texture, neither) of each picture, and the user's own."""
        groups = {seed: self._group(seed) for seed in seeds}
        wanted = [*dict.fromkeys([self.question, *texts])]
        asked = [
            (image, text.replace("{}", name))
            for text in wanted
            for seed in seeds
            for image, names in groups[seed]
            for name in names
        ]
        answers = iter(await self.vqa.answer(asked))
        rows = {
            text: {seed: [[next(answers).p_yes for _ in names] for _, names in groups[seed]] for seed in seeds}
            for text in wanted
        }
        return [[{"rows": rows[text][seed], "own": rows[self.question][seed]} for seed in seeds] for text in texts]

    def _group(self, seed: int) -> list[tuple[BlobRef, tuple[str, str, str]]]:
        """Pictures with their shape, their texture, and a thing that is neither."""
        if self._own:
            rows = self._own[GROUP * seed : GROUP * (seed + 1)]
            images = [read_picture(Path(path), self.blobs).blob for path, _, _ in rows]
            pairs, names = [(shape, texture) for _, shape, texture in rows], {n for _, *c in self._own for n in c}
        else:
            drawn = [each for each in SETS["cue-conflict"].plan(2 * GROUP, seed) if each.split == "test"]
            things = [each for each in drawn if each.columns["family"] == "thing"][:GROUP]
            images = [self.blobs.put(each.image(), "image/png") for each in things]
            pairs = [(str(each.columns["shape"]), str(each.columns["texture"])) for each in things]
            names = {name for pair in pairs for name in pair}
        draw = random.Random(seed)
        others = [draw.choice(sorted(names - {*pair})) for pair in pairs]
        return [
            (image, (_spoken(shape), _spoken(texture), _spoken(other)))
            for image, (shape, texture), other in zip(images, pairs, others, strict=True)
        ]

    def score(self, text: str, made: Any) -> dict[str, float | None]:
        """The scores of one question on one group; `bias` is None where neither cue was named."""
        named, own = _named(made["rows"]), _named(made["own"])
        shapes, textures = named.count(0), named.count(1)
        wanted = shapes if self.toward == "shape" else textures
        accuracy = (shapes + textures) / len(named)
        answered = len(named) - named.count(None)
        return {
            "bias": wanted / (shapes + textures) if shapes + textures else None,
            "accuracy": accuracy,
            "kept": kept_of(accuracy - sum(each in (0, 1) for each in own) / len(own)),
            "looks": (shapes + textures) / answered if answered else None,
        }


def _named(rows: Sequence[Sequence[float | None]]) -> list[int | None]:
    """Of each picture the place of the surest yes; None where the answer is no to all, or one was not told."""

    def surest(row: Sequence[float | None]) -> int | None:
        sure = [value for value in row if value is not None]
        if len(sure) < len(row) or max(sure) <= 0.5:
            return None
        best = [place for place, value in enumerate(sure) if value == max(sure)]
        return best[ties.randrange(len(best))]

    ties = random.Random(len(rows))  # who is as sure of all names none of them in particular
    return [surest(row) for row in rows]


def _spoken(name: str) -> str:
    return name.replace("_", " ")
