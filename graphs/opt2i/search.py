"""A search: who proposes, realises and judges, when it stops, and where it stands.

The state holds ids, scores and the chosen text, a few kilobytes however many candidates there are; everything larger is in the blob
store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, Protocol, TypedDict, runtime_checkable

from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.protocols import Evaluator
from ...runtime.records import BlobRef, Record, Score
from ...runtime.session import Event
from ...runtime.store import BlobStore
from .ahead import Ahead
from .contract import check_objective, check_parts, check_realised
from .floors import Floors
from .fronts import best
from .proof import Proof
from .races import Everyone, Race
from .result import Trial, TrialImage

__all__ = [
    "Attempt",
    "Keep",
    "Kept",
    "Objective",
    "Proposer",
    "Realiser",
    "SearchContext",
    "SearchState",
    "StopRule",
    "StreamingProposer",
    "first_state",
]

STATE_VERSION = 2
Keep = Callable[[Sequence[Trial], int], list[Trial]]
"""Of trials in ascending order so many that are kept and shown to the proposer, the best one last."""
Objective = Callable[[Mapping[str, float | None]], float | None]
"""Reduces mean scores by evaluator to the number that is climbed: 0 to 1, None where it cannot be told."""


class Kept(TypedDict):
    """A trial as the state knows it; its text is in the chapters. `short`: of the floors, absent where they hold.

    A search of an earlier version lacks the `iteration`.
    """

    id: str
    objective: float | None
    certainty: float
    iteration: NotRequired[int]
    short: NotRequired[float]


class SearchState(TypedDict):
    """Where a search stands; JSON only. `stop` is the reason to end, empty while it goes on.

    `best` is the text of the last of `history`. Addresses in the blob store: `pending` (the candidates under way, empty for
    none), `realised` (their newest artefacts, empty once they are judged), `chapter` (the newest trials) and `heldout`.
    `look` is the newest `Look`, where gains are to be proven; `wishes` are those of people, where there is a review.
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
    look: NotRequired[dict[str, Any]]
    wishes: NotRequired[dict[str, Any]]


class Attempt(Record):
    """A candidate under way: what was made and scored of it with the first `tried` seeds, and why it `left` the race, "" while it has not."""

    text: str
    images: tuple[TrialImage, ...] = ()
    tried: int = 0
    left: str = ""

    def with_more(self, images: Sequence[TrialImage], seeds: int) -> Attempt:
        """After so many more seeds."""
        return self.model_copy(update={"images": (*self.images, *images), "tried": self.tried + seeds})

    def leaving(self, why: str, of: int) -> Attempt:
        """Out of the race, if there is a reason."""
        return self.model_copy(update={"left": f"left after {self.tried} of {of} seeds: {why}"}) if why else self


class Proposer(Protocol):
    """Writes up to `n` new texts for a task. `history`: the best trials, the best one last."""

    async def propose(self, text: str, history: Sequence[Trial], *, n: int, seed: int) -> list[str]: ...


@runtime_checkable
class StreamingProposer(Protocol):
    """A `Proposer` that also tells of each of its texts as soon as that is written: `on_text`, in the order of what is returned."""

    async def propose_streaming(
        self, text: str, history: Sequence[Trial], *, n: int, seed: int, on_text: Callable[[str], None]
    ) -> list[str]: ...


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
    breaks ties. `seeds` are optimised on, `heldout_seeds` never; without the latter nothing confirms the best text. `race` says
    which candidates get all seeds, `keep` which are shown on; after `restart` rounds without a better one (0: never) the proposer is shown
    the user's own text alone. With `review` it stops at an interrupt after each round; `asking` gives the evaluators with further
    questions, None where there can be none. With `proof` it decides what is accepted, and `heldout_seeds` report only. What breaks a
    floor is never better than what holds all of them, and is not accepted. With `ahead` each text is realised by itself, as soon as a
    `StreamingProposer` tells of it, and judged as soon as it is realised; without, all texts of a round are realised and judged together.
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
    keep: Keep = best
    floors: Floors = field(default_factory=Floors)
    restart: int = 0
    race: Race = field(default_factory=Everyone)
    proof: Proof | None = None
    review: bool = False
    asking: Callable[[Sequence[str]], Mapping[str, Evaluator]] | None = None
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    certainty: Callable[[str, Score], float | None] = lambda name, score: None
    emit: Callable[[Event], None] = lambda event: None
    ahead: Ahead | None = None

    def __post_init__(self) -> None:
        check_parts(
            seeds=self.seeds,
            heldout_seeds=self.heldout_seeds,
            proof_seeds=self.proof.seeds if self.proof else (),
            evaluators=self.evaluators,
            candidates=self.candidates,
        )
        self.floors.check(self.evaluators)
        if self.floors.least and self.proof is not None and not self.heldout_seeds:
            raise BadInput("a floor with a proof and no held-out seeds: give some, on which it is looked at.")

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
