"""What is searched: who proposes texts, what becomes of one, and what that is worth; the machine does the rest."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, ClassVar

from ...runtime.errors import BadInput
from ..opt2i import Trial

__all__ = ["SearchTask"]


class SearchTask(ABC):
    """Base of the tasks of `inloop.search`. `propose`, `realise` and `score` may be async.

    A class is made by the run, of the `store` and the `settings` where its `__init__` asks for them; so it can open models, whose calls are
    in the ledger and are never paid twice. Its `aclose` or `close`, where there is one, is called in the end.

    `scores` names what `score` gives, each from 0 to 1, higher is better; the first one is climbed unless `objective` says otherwise.
    `size`: how many instances there are, by whose places (0 to size - 1) `realise` is then asked for them; None where any seed makes a new
    one. What is optimised on and what is held out never share an instance.
    """

    scores: ClassVar[tuple[str, ...]]
    size: int | None = None

    @abstractmethod
    def propose(
        self, text: str, history: Sequence[Trial], *, n: int, seed: int
    ) -> Sequence[str] | Awaitable[Sequence[str]]:
        """At most `n` new texts. `text` is the user's own; `history` are the best trials, the best one last."""

    @abstractmethod
    def realise(
        self, texts: Sequence[str], seeds: Sequence[int]
    ) -> Sequence[Sequence[Any]] | Awaitable[Sequence[Sequence[Any]]]:
        """What becomes of each text with each seed: a list of texts, of a list of seeds.

        Each is JSON, a text, a `PIL.Image.Image`, a `BlobRef` or a record; None where it cannot be made.
        """

    @abstractmethod
    def score(self, text: str, made: Any) -> Mapping[str, float | None] | Awaitable[Mapping[str, float | None]]:
        """Every one of `scores` for what `realise` made of a text; None for one that cannot be told."""

    def objective(self, scores: Mapping[str, float | None]) -> float | None:
        """What is climbed, of the mean scores; for pairs of seeds also of one seed's."""
        return scores[self.scores[0]]


def places(size: int, counts: Mapping[str, int], seed: int) -> dict[str, tuple[int, ...]]:
    """Instances for each part of a search, none in two of them, drawn by `seed` from so many as there are.

    Raises:
        BadInput: there are too few.
    """
    needed = sum(counts.values())
    if needed > size:
        parts = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        raise BadInput(f"the task has {size} instances, and {needed} are asked for ({parts}): ask for fewer.")
    order = random.Random(seed).sample(range(size), size)
    found, start = {}, 0
    for name, count in counts.items():
        found[name] = tuple(order[start : start + count])
        start += count
    return found
