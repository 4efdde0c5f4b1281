"""A search run to its end in a run's session, and what it left behind: the same for whatever is searched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ...evaluators.stats import Verdict
from ...runtime.errors import CallFailed
from ...runtime.session import Session
from .assessment import verdict_on
from .graph import build, chapters
from .result import HeldOut, Look, Trial, Wishes
from .search import SearchContext, SearchState, first_state

__all__ = ["Searched", "searched"]


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A search that has ended. `held`: the texts "user" and "best" on the held-out seeds, none where there are no such seeds."""

    state: SearchState
    trials: tuple[Trial, ...]
    held: dict[str, HeldOut]
    verdict: Verdict
    look: Look | None
    wishes: Wishes | None

    @property
    def best(self) -> str:
        """The id of the best trial."""
        return self.state["history"][-1]["id"]


async def searched(
    session: Session, search: SearchContext, *, id: str, text: str, rounds: int, what: str = "picture"
) -> Searched:
    """Search from `text`, at most so many `rounds`, from the checkpoint of `id` where it has begun.

    Raises:
        CallFailed: nothing could be scored; with the first reason there is.
    """
    state = await session.finish(
        build(),
        context=search,
        id=id,
        start=first_state(id, text),
        # a person may bring more rounds than were asked for
        max_steps=(10 + (5 + 2 * len(search.seeds)) * (rounds + 1)) * (10 if search.review else 1),
    )
    trials = chapters(search.blobs, state["chapter"])
    if all(trial.objective is None for trial in trials):
        raise CallFailed(f"no {what} of {text!r} could be scored: {_why_unscored(trials)}")
    held = _held_out(state, search)
    return Searched(
        state=state,
        trials=tuple(trials),
        held=held,
        verdict=_verdict(state, search, held),
        look=Look(**state["look"]) if state.get("look") else None,
        wishes=Wishes(**state["wishes"]) if state.get("wishes") else None,
    )


def _why_unscored(trials: Sequence[Trial]) -> str:
    """The first reason that stands with an artefact, or with a trial that has none."""
    scores = [score for trial in trials for image in trial.images for score in image.scores.values()]
    reasons = [score.explanation for score in scores if score.value is None and score.explanation]
    return next(iter([*reasons, *(trial.note for trial in trials if trial.note)]), "there is no reason with it")


def _verdict(state: SearchState, search: SearchContext, held: dict[str, HeldOut]) -> Verdict:
    """What the proof says, where there is one, or the held-out seeds."""
    if search.proof is not None:
        look = state.get("look")
        return "gain" if look and look["proven"] and look["text"] == state["best"] else "unclear"
    return verdict_on(search.climbed, held["user"], held["best"]) if held else "too few"


def _held_out(state: SearchState, search: SearchContext) -> dict[str, HeldOut]:
    if not state["heldout"]:
        return {}
    held = json.loads(search.blobs.get(state["heldout"]))
    return {name: HeldOut.model_validate(value) for name, value in held.items()}
