"""The state machine of OPT2I: a text is bettered by what its realisations scored.

    propose  an agent writes candidate texts from the task and the best trials so far
    realise  a tool turns each text into artefacts, one a seed (pictures, answers, a student)
    score    evaluators judge every artefact; a trial is the mean over its seeds
    select   the best k trials are kept; ties go to the more certain one, then to the older
    reflect  a stop rule looks at what came of it: round again, or on to
    confirm  the best text against the user's own on seeds that nothing was chosen on

What is under way and every trial are in the blob store, the trials as a chain of chapters, and the state keeps their addresses.
Nodes may run twice; the call ledger makes that free and the seeds make it equal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from ...evaluators.stats import mean
from ...runtime.records import BlobRef
from ...runtime.store import BlobStore
from .assessment import assess, hold_out, verdict_on
from .contract import check_proposals
from .events import HeldOutDone, IterationDone, TrialScored
from .result import Trial
from .search import Kept, SearchContext, SearchState

__all__ = ["build", "chapters", "ranked"]


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
    sureness = round(mean(sure) or 0.0, 6)
    return Kept(id=trial.id, objective=trial.objective, certainty=sureness, iteration=trial.iteration)


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
