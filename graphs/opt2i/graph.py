"""The state machine of OPT2I: a text is bettered by what its realisations scored.

    propose  an agent writes candidate texts from the task and the best trials so far
    realise  a tool turns each text into artefacts, one a seed (pictures, answers, a student)
    score    evaluators judge every artefact; a trial is the mean over its seeds. In a race some get their next seeds, and some leave
    select   the best k trials are kept (or those that are best at something); ties go to the more certain one, then to the older
    prove    where it is to be proven while the search goes on, the best text is put to a few more unseen seeds
    reflect  a stop rule looks at what came of it: round again, or on to
    review   where a person looks on: an interrupt, with what they may wish
    confirm  the best text against the user's own on seeds that nothing was chosen on

What is under way and every trial are in the blob store, the trials as a chain of chapters, and the state keeps their addresses.
Nodes may run twice; the call ledger makes that free and the seeds make it equal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic_core import to_json

from ...evaluators.stats import mean
from ...runtime.errors import BadInput
from ...runtime.records import BlobRef, options_checked
from .assessment import differences, hold_out, mended, rescored, standing, summed, verdict_on
from .chapters import chapters
from .contract import check_proposals
from .events import GainLooked, HeldOutDone, IterationDone, Reviewed, TrialScored
from .overlap import as_written, judged, realised
from .result import Look, Trial, Wishes
from .review import Review, banned, offer_of, wishes_after
from .search import Attempt, Kept, SearchContext, SearchState, StreamingProposer

__all__ = ["build", "chapters", "ranked"]

_STOPPED = "a person stopped it"


def _search(state: SearchState, runtime: Runtime[SearchContext]) -> SearchContext:
    """The search with the questions that people added."""
    search, asked = runtime.context, _wishes(state).questions
    if not asked:
        return search
    if search.asking is None:
        raise BadInput(f"the question {asked[-1]!r}: this search asks no questions of what it makes.")
    return replace(search, evaluators=search.asking(asked))


def _wishes(state: SearchState) -> Wishes:
    return Wishes(**state.get("wishes", {}))


async def propose(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Ask for candidates; what was tried before is left out."""
    search = _search(state, runtime)
    trials = {trial.id: trial for trial in chapters(search.blobs, state["chapter"])}
    history = [trials[kept["id"]] for kept in state["history"]]
    stale = state["iteration"] - state["history"][-1].get("iteration", state["iteration"])
    if search.restart and stale and stale % search.restart == 0:
        history = [next(iter(trials.values()))]
    wishes, known = _wishes(state), {trial.text.casefold() for trial in trials.values()}

    def is_fresh(text: str) -> bool:
        return text.casefold() not in known and not banned(text, wishes.ban)

    begun = as_written(search, _first_seeds(search))

    def written(text: str) -> None:
        if is_fresh(text):
            begun(text)

    n, seed = search.candidates, search.seed * 10_000 + state["iteration"] + 1
    if search.ahead is not None and isinstance(search.proposer, StreamingProposer):
        proposed = await search.proposer.propose_streaming(state["text"], history, n=n, seed=seed, on_text=written)
    else:
        proposed = await search.proposer.propose(state["text"], history, n=n, seed=seed)
    texts = [text for text in check_proposals(search.proposer, proposed, search.candidates) if is_fresh(text)]
    wished = [text for text in wishes.texts if text.casefold() not in known]
    fresh = list(dict.fromkeys([*wished, *texts]))
    pending = _put(search, [Attempt(text=text) for text in fresh]) if fresh else ""
    return {"pending": pending, "iteration": state["iteration"] + 1, "idle": 0 if fresh else state["idle"] + 1}


def _put(search: SearchContext, value: Any) -> str:
    """The address of a value of JSON, records in it or not."""
    return search.blobs.put(to_json(value), "application/json").sha256


def _pending(state: SearchState, search: SearchContext) -> list[Attempt]:
    """The candidates under way; before the first proposal that is the user's own text."""
    if state["pending"]:
        return [Attempt.model_validate(attempt) for attempt in json.loads(search.blobs.get(state["pending"]))]
    return [] if state["iteration"] else [Attempt(text=state["text"])]


def _seeds(state: SearchState, attempts: Sequence[Attempt], search: SearchContext) -> tuple[int, ...]:
    """The seeds of the next stage; the user's own text, which all others are held against, gets all."""
    if not state["iteration"]:
        return search.seeds
    tried = max((attempt.tried for attempt in attempts), default=0)
    return search.seeds[tried : max(tried + 1, search.race.seeds(tried, len(search.seeds)))]


def _first_seeds(search: SearchContext) -> tuple[int, ...]:
    return search.seeds[: max(1, search.race.seeds(0, len(search.seeds)))]


async def realise(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Make the next artefacts of the candidates that are in the race."""
    search = _search(state, runtime)
    attempts = _pending(state, search)
    texts = [attempt.text for attempt in attempts if not attempt.left]
    seeds = _seeds(state, attempts, search)
    made = await realised(search, texts, seeds) if texts else []
    return {"realised": _put(search, made)}


async def score(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Judge them; at the end of the race write the chapter of this iteration and tell of each trial."""
    search = _search(state, runtime)
    attempts = _pending(state, search)
    racing = [attempt for attempt in attempts if not attempt.left]
    seeds = _seeds(state, attempts, search)
    images = [[ref and BlobRef(**ref) for ref in row] for row in json.loads(search.blobs.get(state["realised"]))]
    shots = await judged(search, [attempt.text for attempt in racing], images, seeds) if racing else []
    grown = {attempt.text: attempt.with_more(seen, len(seeds)) for attempt, seen in zip(racing, shots, strict=True)}
    attempts = _after_stage([grown.get(attempt.text, attempt) for attempt in attempts], state, search)
    if any(not attempt.left and attempt.tried < len(search.seeds) for attempt in attempts):
        return {"pending": _put(search, attempts), "realised": ""}
    parent = state["history"][-1]["id"] if state["history"] else None
    trials = [
        _trial(f"{state['task']}.{state['iteration']}.{i}", attempt, state["iteration"], parent, search)
        for i, attempt in enumerate(attempts)
    ]
    for trial in trials:
        search.emit(TrialScored(task=state["task"], iteration=state["iteration"], trial=trial))
    chapter = {"before": state["chapter"], "trials": trials}
    return {"chapter": _put(search, chapter), "pending": "", "realised": ""}


def _trial(id: str, attempt: Attempt, iteration: int, parent: str | None, search: SearchContext) -> Trial:
    fields = summed(search, attempt.images, attempt.tried)
    if attempt.left:
        fields |= {"objective": None, "note": "; ".join(filter(None, (attempt.left, fields["note"])))}
    return Trial(id=id, iteration=iteration, text=attempt.text, parent=parent, **fields)


def _after_stage(attempts: Sequence[Attempt], state: SearchState, search: SearchContext) -> list[Attempt]:
    """The candidates with those who leave the race marked."""
    racing = [attempt for attempt in attempts if not attempt.left and attempt.tried < len(search.seeds)]
    if not racing:
        return list(attempts)
    best = [kept["objective"] for kept in state["history"] if kept["objective"] is not None and not kept.get("short")]
    needed = min(best) if len(best) == search.top else None
    standings = [standing(search, attempt.images, len(search.seeds) - attempt.tried) for attempt in racing]
    reasons = search.race.leaving(standings, needed)
    why = {attempt.text: reason for attempt, reason in zip(racing, reasons, strict=True)}
    return [attempt.leaving(why.get(attempt.text, ""), len(search.seeds)) for attempt in attempts]


async def select(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Keep `top` trials, the best one last; unscored ones never displace scored ones."""
    search = _search(state, runtime)
    return _selected(search, chapters(search.blobs, state["chapter"]), _wishes(state))


def _selected(search: SearchContext, trials: Sequence[Trial], wishes: Wishes) -> dict[str, Any]:
    """The update of what is kept of all trials: the user's own text can always be, others unless they were banned; what people keep stays."""
    allowed = {trial.id: trial for trial in trials if trial.iteration == 0 or not banned(trial.text, wishes.ban)}
    order = [allowed[kept["id"]] for kept in ranked([_kept(trial, search) for trial in allowed.values()])]
    chosen = search.keep(order, search.top)
    pinned = [trial for trial in order if trial.id in wishes.keep and trial not in chosen]
    history = [*pinned, *chosen[-max(1, search.top - len(pinned)) :]]
    return {"history": [_kept(trial, search) for trial in history], "best": chosen[-1].text}


def ranked(trials: Sequence[Kept]) -> list[Kept]:
    """All trials, the best one last: unscored ones first, then those that fall short of a floor, the others by objective, certainty and age.

    Older ones are better.
    """
    # the sort is stable both ways: of equal ones the older stands first, and last when turned round
    falling = sorted(
        trials,
        key=lambda kept: (
            kept["objective"] is not None,
            -kept.get("short", 0.0),
            kept["objective"] or 0.0,
            kept["certainty"],
        ),
        reverse=True,
    )
    return falling[::-1]


def _kept(trial: Trial, search: SearchContext) -> Kept:
    sure = [search.certainty(name, score) for image in trial.images for name, score in image.scores.items()]
    sureness = round(mean(sure) or 0.0, 6)
    kept = Kept(id=trial.id, objective=trial.objective, certainty=sureness, iteration=trial.iteration)
    short = search.floors.short(trial.scores)
    return {**kept, "short": round(short, 6)} if short else kept


async def prove(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """One look at the best text, where the search ends as soon as its gain is proven."""
    search = _search(state, runtime)
    if search.proof is None or not search.proof.early or state["best"] == state["text"]:
        return {}
    if state["history"][-1].get("short"):
        return {}
    return {"look": (await _look(state, search, _looked(state))).model_dump(mode="json")}


def _looked(state: SearchState) -> Look | None:
    return Look(**state["look"]) if state.get("look") else None


async def _look(state: SearchState, search: SearchContext, before: Look | None) -> Look:
    """The best text on a few more seeds of the proof; what was paid for the others is in the ledger."""
    assert search.proof is not None
    user, best = state["text"], state["best"]
    if before is not None and search.proof.done(best, before):
        return before
    held = await hold_out(search, [user, best], seeds=search.proof.next_seeds(best, before))
    look = search.proof.look(best, before, differences(search.climbed, held[user], held[best]))
    search.emit(GainLooked(task=state["task"], look=look))
    return look


async def reflect(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Look at what came of it and decide whether to go on."""
    search, best, look = _search(state, runtime), state["history"][-1], _looked(state)
    reason = (
        "proven"
        if look is not None and look.proven
        else search.stop(best=best, iteration=state["iteration"], idle=state["idle"], spent=search.budget.exhausted())
    )
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


def _raced(state: SearchState) -> Literal["realise", "select"]:
    return "realise" if state["pending"] else "select"


def _onward(state: SearchState, runtime: Runtime[SearchContext]) -> Literal["propose", "review", "confirm"]:
    if runtime.context.review and not state["stop"].startswith("budget"):
        return "review"
    return "confirm" if state["stop"] else "propose"


async def review(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Ask a person, and take in what they wish; a further question is asked of all that was made before as well.

    A search that would end goes on only for what they bring.
    """
    search, wishes = _search(state, runtime), _wishes(state)
    trials = {trial.id: trial for trial in chapters(search.blobs, state["chapter"])}
    newest = [trial.id for trial in chapters(search.blobs, state["chapter"], last=True)]
    shown = [trials[id] for id in dict.fromkeys([*newest, *(kept["id"] for kept in state["history"])])]
    shown = [trial for trial in shown if trial.id != state["history"][-1]["id"]] + [trials[state["history"][-1]["id"]]]
    offer = offer_of(state["task"], state["text"], state["iteration"], shown, wishes, state["stop"])
    while True:
        # an answer that cannot be taken must not fail here: LangGraph would give it again at every resume
        answer = interrupt(offer.model_dump(mode="json"))
        try:
            with options_checked():
                review = Review.model_validate(answer)
            wishes = wishes_after(wishes, review, state["text"], list(trials))
            _search({**state, "wishes": wishes.model_dump(mode="json")}, runtime)
            break
        except BadInput as error:
            offer, wishes = offer.model_copy(update={"wrong": str(error)}), _wishes(state)
    search.emit(Reviewed(task=state["task"], iteration=state["iteration"], review=review))
    onward = review.questions or review.texts or review.ban
    stop = _STOPPED if review.stop else "" if onward else state["stop"]
    update: dict[str, Any] = {"wishes": wishes.model_dump(mode="json"), "stop": stop}
    if review.questions:
        asked = _search({**state, "wishes": update["wishes"]}, runtime)
        again = [await rescored(trial, asked) for trial in trials.values()]
        update["chapter"] = _put(search, {"before": "", "trials": again})
        return update | _selected(asked, again, wishes)
    return update | _selected(search, list(trials.values()), wishes)


def _reviewed(state: SearchState) -> Literal["propose", "confirm"]:
    return "confirm" if state["stop"] else "propose"


async def confirm(state: SearchState, runtime: Runtime[SearchContext]) -> dict[str, Any]:
    """Put the best text and the user's own to the held-out seeds; accept the best only if it is better there by more than luck.

    Where a gain is to be proven, the proof decides, and the held-out seeds, at which nobody looked before, only report. A text that breaks
    a floor there is not accepted; against one that does, holding the floors is the gain, if the scores that they are of rose by more than luck.
    """
    search, best, look = _search(state, runtime), state["best"], _looked(state)
    if search.proof is not None and best != state["text"]:
        while not search.proof.done(best, look) and not search.budget.exhausted():
            look = await _look(state, search, look)
    accepted = look is not None and look.text == best and look.proven
    found: dict[str, Any] = {
        "accepted": accepted,
        "heldout": "",
        **({"look": look.model_dump(mode="json")} if look else {}),
    }
    if not search.heldout_seeds:
        return found
    held = await hold_out(search, list(dict.fromkeys([state["text"], best])))
    before, after = (search.climbed(held[text].scores) for text in (state["text"], best))
    verdict = verdict_on(search.climbed, held[state["text"]], held[best])
    if search.proof is not None:
        verdict = "gain" if accepted else "unclear"
    both = {"user": held[state["text"]], "best": held[best]}
    accepted = (
        best != state["text"] and not both["best"].broken and (verdict == "gain" or mended(search.floors, **both))
    )
    search.emit(HeldOutDone(task=state["task"], user=before, best=after, accepted=accepted, verdict=verdict))
    return found | {"accepted": accepted, "heldout": _put(search, both)}


def build() -> StateGraph[SearchState, SearchContext, SearchState, SearchState]:
    """The state machine, not compiled: run it with `runtime.machine.Runner`, or compile it and go your own way."""
    graph = StateGraph(SearchState, context_schema=SearchContext)
    for node in (propose, realise, score, select, prove, reflect, review, confirm):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "realise")
    graph.add_edge("realise", "score")
    graph.add_conditional_edges("score", _raced)
    graph.add_edge("select", "prove")
    graph.add_edge("prove", "reflect")
    graph.add_conditional_edges("reflect", _onward)
    graph.add_conditional_edges("review", _reviewed)
    graph.add_edge("propose", "realise")
    graph.add_edge("confirm", END)
    return graph
