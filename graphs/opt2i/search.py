"""The state machine of OPT2I: a text is bettered by what its realisations scored.

    propose  an agent writes candidate texts from the task and the best trials so far
    realise  a tool turns each text into artefacts, one a seed (pictures, answers, a student)
    score    evaluators judge every artefact; a trial is the mean over its seeds
    select   the best k trials are kept; ties go to the more certain one, then to the older
    reflect  a stop rule looks at what came of it: round again, or on to
    confirm  the best text against the user's own on seeds that nothing was chosen on

A search is a `SearchContext`: who proposes, realises and judges, and when to stop. The state holds ids, scores and the chosen text,
a few kilobytes however many candidates there are; what is under way and every trial are in the blob store, the trials as a
chain of chapters, and the state keeps their addresses. Nodes may run twice; the call ledger makes that free and the seeds make it equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from ...evaluators.run import checked_scores
from ...evaluators.stats import Verdict, mean, verdict_of
from ...runtime.budget import Budget
from ...runtime.protocols import Evaluator
from ...runtime.records import BlobRef, Part, Sample, Score
from ...runtime.run import Event
from ...runtime.store import BlobStore
from .contract import check_objective, check_parts, check_proposals, check_realised
from .events import HeldOutDone, IterationDone, TrialScored
from .result import HeldOut, Trial, TrialImage

__all__ = [
    "Objective",
    "SearchContext",
    "SearchState",
    "Proposer",
    "Realiser",
    "StopRule",
    "assess",
    "build",
    "chapters",
    "first_state",
    "plateau_or_perfect",
    "ranked",
    "verdict_on",
]

STATE_VERSION = 1
Objective = Callable[[Mapping[str, float | None]], float | None]
"""Reduces mean scores by evaluator to the number that is climbed: 0 to 1, None where it cannot be told."""


class Kept(TypedDict):
    """A trial as the state knows it; its text is in the chapters."""

    id: str
    objective: float | None
    certainty: float


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


def plateau_or_perfect(*, iterations: int, patience: int = 3, perfect: float = 1.0) -> StopRule:
    """Stop at `perfect`, after `iterations`, when nothing may be paid, or after `patience` proposals without anything new."""

    def rule(*, best: Kept, iteration: int, idle: int, spent: str | None) -> str | None:
        if best["objective"] is not None and best["objective"] >= perfect - 1e-9:
            return "perfect"
        if iteration and best["objective"] is None:
            return "nothing could be scored"
        if iteration >= iterations:
            return "iterations"
        if spent:
            return f"budget: {spent}"
        if idle >= patience:
            return "nothing new was proposed"
        return None

    return rule


def first_state(task: str, text: str) -> SearchState:
    """The state of a task that has not begun: its own text is the first thing to realise."""
    return SearchState(
        version=STATE_VERSION, task=task, text=text, best=text, iteration=0, pending="", realised="", history=[], chapter="",
        idle=0, stop="", heldout="", accepted=False,
    )  # fmt: skip


async def assess(
    search: SearchContext, texts: Sequence[str], images: Sequence[Sequence[BlobRef | None]], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Score every artefact of every text with every evaluator in one batch each; fields of a `Trial` for each text.

    A trial's scores are means over what could be made and scored; its `note` says what could not be made.
    """
    made = [
        (i, seed, image)
        for i, row in enumerate(images)
        for seed, image in zip(seeds, row, strict=True)
        if image is not None
    ]
    samples = [Sample(id=f"{i}/{seed}", text=texts[i], image=image) for i, seed, image in made]
    by_evaluator = {
        name: await checked_scores(name, evaluator, samples) for name, evaluator in search.evaluators.items()
    }
    out = []
    for i, _ in enumerate(texts):
        mine = [k for k, (owner, _, _) in enumerate(made) if owner == i]
        scores = {name: mean([found[k].value for k in mine]) for name, found in by_evaluator.items()}
        pictures = tuple(
            TrialImage(
                seed=made[k][1], image=made[k][2], scores={name: found[k] for name, found in by_evaluator.items()}
            )
            for k in mine
        )
        parts = {name: _mean_parts([found[k] for k in mine]) for name, found in by_evaluator.items()}
        note = "" if len(mine) == len(seeds) else f"{len(seeds) - len(mine)} of {len(seeds)} could not be made"
        objective = search.climbed(scores)
        out.append({"scores": scores, "objective": objective, "images": pictures, "parts": parts, "note": note})
    return out


def _mean_parts(scores: Sequence[Score]) -> tuple[Part, ...]:
    names = list(dict.fromkeys(part.name for score in scores for part in score.parts))
    values = {name: [part.value for score in scores for part in score.parts if part.name == name] for name in names}
    return tuple(Part(name=name, value=mean(values[name])) for name in names)


async def propose(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Ask for candidates; what was tried before is left out."""
    search = runtime.context
    trials = {trial.id: trial for trial in chapters(search.blobs, state["chapter"])}
    history = [trials[kept["id"]] for kept in state["history"]]
    seed = search.seed * 10_000 + state["iteration"] + 1
    proposed = await search.proposer.propose(state["text"], history, n=search.candidates, seed=seed)
    texts = check_proposals(search.proposer, proposed, search.candidates)
    known = {trial.text.casefold() for trial in trials.values()}
    fresh = [text for text in dict.fromkeys(texts) if text.casefold() not in known]
    pending = _put(search, fresh) if fresh else ""
    return {"pending": pending, "iteration": state["iteration"] + 1, "idle": 0 if fresh else state["idle"] + 1}


def _put(search: SearchContext, value: Any) -> str:
    return search.blobs.put(json.dumps(value).encode(), "application/json").sha256


def _pending(state: SearchState, search: SearchContext) -> list[str]:
    """The texts under way; before the first proposal that is the user's own."""
    if state["pending"]:
        return [str(text) for text in json.loads(search.blobs.get(state["pending"]))]
    return [] if state["iteration"] else [state["text"]]


async def realise(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Make the artefacts of the pending texts."""
    search = runtime.context
    texts = _pending(state, search)
    made = await search.artefacts(texts, search.seeds) if texts else []
    return {"realised": _put(search, [[ref and ref.model_dump() for ref in row] for row in made])}


async def score(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Judge them, write the chapter of this iteration and tell of each trial."""
    search = runtime.context
    texts = _pending(state, search)
    images = [[ref and BlobRef(**ref) for ref in row] for row in json.loads(search.blobs.get(state["realised"]))]
    found = await assess(search, texts, images, search.seeds) if texts else []
    parent = state["history"][-1]["id"] if state["history"] else None
    trials = [
        Trial(
            id=f"{state['task']}.{state['iteration']}.{i}",
            iteration=state["iteration"],
            text=text,
            parent=parent,
            **fields,
        )
        for i, (text, fields) in enumerate(zip(texts, found, strict=True))
    ]
    for trial in trials:
        search.emit(TrialScored(task=state["task"], iteration=state["iteration"], trial=trial))
    chapter = {"before": state["chapter"], "trials": [trial.model_dump(mode="json") for trial in trials]}
    return {"chapter": _put(search, chapter)}


async def select(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Keep the best `top` trials, the best one last; unscored ones never displace scored ones."""
    search = runtime.context
    new = chapters(search.blobs, state["chapter"], last=True)
    history = ranked(state["history"], [_kept(trial, search) for trial in new])[-search.top :]
    best = next((trial.text for trial in new if trial.id == history[-1]["id"]), state["best"])
    return {"history": history, "best": best, "pending": "", "realised": ""}


def ranked(history: Sequence[Kept], new: Sequence[Kept]) -> list[Kept]:
    """All trials, the best one last: by objective (unscored ones first), then certainty, then age, older ones being better."""
    # the sort is stable: of equal ones, what stands later here stays later
    return sorted(
        [*reversed(new), *history],
        key=lambda kept: (kept["objective"] is not None, kept["objective"] or 0.0, kept["certainty"]),
    )


def _kept(trial: Trial, search: SearchContext) -> Kept:
    sure = [search.certainty(name, score) for image in trial.images for name, score in image.scores.items()]
    return Kept(id=trial.id, objective=trial.objective, certainty=round(mean(sure) or 0.0, 6))


async def reflect(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Look at what came of it and decide whether to go on."""
    search, best = runtime.context, state["history"][-1]
    reason = search.stop(best=best, iteration=state["iteration"], idle=state["idle"], spent=search.budget.exhausted())
    search.emit(
        IterationDone(
            task=state["task"],
            iteration=state["iteration"],
            best=state["best"],
            objective=best["objective"],
            stop=reason or "",
        )
    )
    return {"stop": reason or ""}


def _onward(state: SearchState) -> Literal["propose", "confirm"]:
    return "confirm" if state["stop"] else "propose"


async def confirm(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Put the best text and the user's own to the held-out seeds; accept the best only if it is better there by more than luck."""
    search, best = runtime.context, state["best"]
    if not search.heldout_seeds:
        return {"accepted": False, "heldout": ""}
    texts = list(dict.fromkeys([state["text"], best]))
    held = await hold_out(search, texts)
    before, after = (search.climbed(held[text].scores) for text in (state["text"], best))
    verdict = verdict_on(search.climbed, held[state["text"]], held[best])
    accepted = best != state["text"] and verdict == "gain"
    both = {"user": held[state["text"]].model_dump(mode="json"), "best": held[best].model_dump(mode="json")}
    search.emit(HeldOutDone(task=state["task"], user=before, best=after, accepted=accepted, verdict=verdict))
    return {"accepted": accepted, "heldout": _put(search, both)}


def verdict_on(objective: Objective, before: HeldOut, after: HeldOut) -> Verdict:
    """What the held-out seeds say of a text against another, seed by seed."""

    def by_seed(held: HeldOut) -> dict[int, float | None]:
        return {i.seed: objective({name: score.value for name, score in i.scores.items()}) for i in held.images}

    old, new = by_seed(before), by_seed(after)
    pairs = [(old[seed], new.get(seed)) for seed in old]
    return verdict_of([None if a is None or b is None else b - a for a, b in pairs])


async def hold_out(search: SearchContext, texts: Sequence[str]) -> dict[str, HeldOut]:
    """Each text on the held-out seeds, with every evaluator."""
    images = await search.artefacts(texts, search.heldout_seeds)
    found = await assess(search, texts, images, search.heldout_seeds)
    return {
        text: HeldOut(text=text, scores=fields["scores"], images=fields["images"])
        for text, fields in zip(texts, found, strict=True)
    }


def chapters(blobs: BlobStore, address: str, *, last: bool = False) -> list[Trial]:
    """Every trial of a chain of chapters in the order in which they were made; with `last` only those of the newest."""
    found: list[list[Trial]] = []
    while address:
        chapter = json.loads(blobs.get(address))
        found.insert(0, [Trial.model_validate(trial) for trial in chapter["trials"]])
        address = "" if last else chapter["before"]
    return [trial for group in found for trial in group]


def build() -> StateGraph[SearchState, SearchContext, SearchState, SearchState]:
    """The state machine, not compiled: run it with `runtime.run.Runner`, or compile it and go your own way."""
    graph = StateGraph(SearchState, context_schema=SearchContext)
    for node in (propose, realise, score, select, reflect, confirm):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "realise")
    graph.add_edge("realise", "score")
    graph.add_edge("score", "select")
    graph.add_edge("select", "reflect")
    graph.add_conditional_edges("reflect", _onward)
    graph.add_edge("propose", "realise")
    graph.add_edge("confirm", END)
    return graph
