"""A search: who proposes, realises and judges, when it stops, and where it stands.

The state holds ids, scores and the chosen text, a few kilobytes however many candidates there are; everything larger is in the blob
store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NotRequired, Protocol, TypedDict

from ...runtime.budget import Budget
from ...runtime.protocols import Evaluator
from ...runtime.records import BlobRef, Score
from ...runtime.run import Event
from ...runtime.store import BlobStore
from .contract import check_objective, check_parts, check_realised
from .result import Trial

__all__ = [
    "Kept",
    "Objective",
    "Proposer",
    "Realiser",
    "SearchContext",
    "SearchState",
    "StopRule",
    "first_state",
]

STATE_VERSION = 1
Objective = Callable[[Mapping[str, float | None]], float | None]
"""Reduces mean scores by evaluator to the number that is climbed: 0 to 1, None where it cannot be told."""


class Kept(TypedDict):
    """A trial as the state knows it; its text is in the chapters. A search of an earlier version lacks the `iteration`."""

    id: str
    objective: float | None
    certainty: float
    iteration: NotRequired[int]


class SearchState(TypedDict):
    """Where a search stands; JSON only. `stop` is the reason to end, empty while it goes on.

    `best` is the text of the last of `history`. Addresses in the blob store: `pending` (the texts under way, empty for
    none), `realised` (their artefacts), `chapter` (the newest trials) and `heldout`.
    """

    version: int
    task: str
    text: str
    best: str
    iteration: int
    pending: str
    realised: str
    history: list[Kept]
    chapter: str
    idle: int
    stop: str
    heldout: str
    accepted: bool


class Proposer(Protocol):
    """Writes up to `n` new texts for a task. `history`: the best trials, the best one last."""

    async def propose(self, text: str, history: Sequence[Trial], *, n: int, seed: int) -> list[str]: ...


class Realiser(Protocol):
    """Makes one artefact for each text and seed: the outer list follows `texts`, the inner one `seeds`.

    None where one could not be made, for good; what may pass by itself is raised.
    """

    async def realise(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[BlobRef | None]]: ...


class StopRule(Protocol):
    """The reason to stop in words, or None to go on. `best` is the best trial so far, `spent` says why no more may be paid."""

    def __call__(self, *, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None: ...


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """What makes a search this search.

    `objective` reduces a trial's mean scores to the number that is climbed (0 to 1, None: unscored); `certainty` of one score
    breaks ties. `seeds` are optimised on, `heldout_seeds` never; without the latter nothing confirms the best text.
    """

    proposer: Proposer
    realiser: Realiser
    evaluators: Mapping[str, Evaluator]
    objective: Objective
    stop: StopRule
    seeds: tuple[int, ...]
    heldout_seeds: tuple[int, ...]
    blobs: BlobStore
    candidates: int = 5
    top: int = 5
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    certainty: Callable[[str, Score], float | None] = lambda name, score: None
    emit: Callable[[Event], None] = lambda event: None

    def __post_init__(self) -> None:
        check_parts(
            seeds=self.seeds, heldout_seeds=self.heldout_seeds, evaluators=self.evaluators, candidates=self.candidates
        )

    def climbed(self, scores: Mapping[str, float | None]) -> float | None:
        """The objective of a trial's mean scores."""
        return check_objective(self.objective(scores), scores)

    async def artefacts(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[BlobRef | None]]:
        """What the realiser makes of texts and seeds."""
        return check_realised(self.realiser, await self.realiser.realise(texts, seeds), texts, seeds)


def first_state(task: str, text: str) -> SearchState:
    """The state of a task that has not begun: its own text is the first thing to realise."""
    return SearchState(
        version=STATE_VERSION, task=task, text=text, best=text, iteration=0, pending="", realised="", history=[], chapter="",
        idle=0, stop="", heldout="", accepted=False,
    )  # fmt: skip
