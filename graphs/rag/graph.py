"""RAG whose citations are true: corrective retrieval (Yan et al. 2024, arXiv 2401.15884), then every sentence checked.

    route     a question or a claim? by words, or by meaning too?
    retrieve  passages from the index
    grade     which of them help; one whose grader failed is unscored, neither relevant nor irrelevant
    rewrite   none does: another query and again from retrieve, at most `rewrites` times
    answer    sentences with citations, from what helps and what is unscored
    verify    each sentence against its citation; where some do not stand, the answerer repairs once
    conclude  what stands is the answer; else an abstention with its reason

Every loop has a bound, so the machine ends without LangGraph's recursion limit; every decision is kept for the report. What
is in a passage is data from beginning to end: it is quoted to the models, no tool is called on its account, and what it says
about how to answer has no node to act on. The state holds ids and addresses; texts are in the blob store.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from ...runtime.answers import Abstention, Checked, Draft
from ...runtime.errors import CallFailed
from ...runtime.passages import Passage
from ..trace import Decision
from .conclude import abstention, concluded, contradiction, uncheckable
from .parts import Pooled, RagPorts, RagState, first_state, load, max_steps, pool_of, put, shown_of, task_record, trace

__all__ = ["RagPorts", "RagState", "build", "first_state", "load", "max_steps", "task_record"]


async def route(state: RagState, runtime: Runtime[RagPorts]) -> dict[str, Any]:
    """Decide what was asked and how to search."""
    ports = runtime.context
    found = await ports.router.route(state["question"])
    mode = ports.mode or found.mode
    forced = "; the search mode was given" if ports.mode else ""
    said = Decision(step="route", by=found.by, said=f"{found.kind}, {mode} search", why=found.why + forced)
    return {"kind": found.kind, "mode": mode, "queries": [state["question"]], "trace": trace(ports, state, said)}


async def retrieve(state: RagState, runtime: Runtime[RagPorts]) -> dict[str, Any]:
    """Search with the newest query; what was found before stays."""
    ports, query = runtime.context, state["queries"][-1]
    [hits] = await ports.index.search(
        [query], k=ports.k, mode=state["mode"], where=ports.where, reranker=ports.reranker
    )
    pool = pool_of(ports, state)
    known = {entry["passage"]["id"] for entry in pool}
    new = [hit for hit in hits if hit.passage.id not in known and hit.passage.text.strip()]
    pool += [
        Pooled(
            passage=hit.passage.model_dump(mode="json"),
            query=len(state["queries"]) - 1,
            similarity=round(hit.similarity, 4),
            grade=None,
            graded="",
        )
        for hit in new
    ]
    said = Decision(
        step="retrieve", by=ports.index.url, said=f"{len(hits)} passages, {len(new)} new", why=f"query: {query}"
    )
    return {"pool": put(ports, pool), "trace": trace(ports, state, said)}


async def grade(state: RagState, runtime: Runtime[RagPorts]) -> dict[str, Any]:
    """Grade what was not graded yet, and choose what is shown to the answerer."""
    ports, pool = runtime.context, pool_of(runtime.context, state)
    if ports.grader is None:
        shown = [entry["passage"]["id"] for entry in pool][: ports.shown]
        said = Decision(
            step="grade", by="nobody", said=f"{len(shown)} of {len(pool)} passages are shown", why="grading is off"
        )
        return {"shown": shown, "trace": trace(ports, state, said)}
    waiting = [entry for entry in pool if not entry["graded"]]
    if waiting:
        scores = await ports.grader.grade(state["question"], [Passage.model_validate(e["passage"]) for e in waiting])
        for entry, score in zip(waiting, scores, strict=True):
            entry["grade"], entry["graded"] = score.value, score.explanation or "graded"
    line = ports.grader.threshold
    good = [entry for entry in pool if entry["grade"] is not None and entry["grade"] >= line]
    unscored = [entry for entry in pool if entry["grade"] is None]
    shown = [entry["passage"]["id"] for entry in [*good, *unscored]][: ports.shown]
    counts = f"{len(good)} relevant, {len(pool) - len(good) - len(unscored)} not, {len(unscored)} unscored"
    why = next((entry["graded"] for entry in unscored), f"from {line:.2f} on a passage is relevant")
    said = Decision(step="grade", by=ports.grader.name, said=counts, why=why)
    return {"pool": put(ports, pool), "shown": shown, "trace": trace(ports, state, said)}


def _graded(state: RagState, runtime: Runtime[RagPorts]) -> Literal["answer", "rewrite", "conclude"]:
    ports = runtime.context
    if state["shown"]:
        return "answer"
    again = ports.rewriter is not None and len(state["queries"]) <= ports.rewrites and not ports.budget.exhausted()
    return "rewrite" if again else "conclude"


async def rewrite(state: RagState, runtime: Runtime[RagPorts]) -> dict[str, Any]:
    """Another query; where there is none to be had, the search is over."""
    ports = runtime.context
    assert ports.rewriter is not None
    found = [Passage.model_validate(entry["passage"]) for entry in pool_of(ports, state)]
    try:
        query, why = (
            await ports.rewriter.rewrite(state["question"], state["queries"], found),
            "nothing that was found helps",
        )
    except CallFailed as error:
        if error.retryable:
            raise
        query, why = None, f"the rewriter failed: {error}"
    said = Decision(step="rewrite", by=ports.rewriter.name, said=query or "no other query", why=why)
    update: dict[str, Any] = {"trace": trace(ports, state, said)}
    if query is None:
        return {**update, "reason": "nothing_found", "why": "nothing that was found helps, and there is no other query"}
    return {**update, "queries": [*state["queries"], query]}


def _rewritten(state: RagState) -> Literal["retrieve", "conclude"]:
    return "conclude" if state["reason"] else "retrieve"


async def answer(state: RagState, runtime: Runtime[RagPorts]) -> dict[str, Any]:
    """Write a draft; the second time, with what did not stand in the first one."""
    ports = runtime.context
    checked = load(ports, state["checked"], list[Checked])
    step = {"attempt": state["attempt"] + 1}
    try:
        draft = await ports.answerer.answer(state["question"], state["kind"], shown_of(ports, state), checked=checked)
    except CallFailed as error:
        if error.retryable:
            raise
        said = Decision(step="answer", by=ports.answerer.name, said="failed", why=str(error))
        failed = {} if checked else {"reason": "answerer_failed", "why": str(error)}
        return {**step, **failed, "draft": "", "trace": trace(ports, state, said)}
    count = len(draft.sentences)
    said = Decision(
        step="answer",
        by=draft.by,
        said=f"{count} sentence{'' if count == 1 else 's'}" if count else "no answer",
        why=draft.note or ("the first draft is repaired" if checked else f"from {len(state['shown'])} passages"),
    )
    return {**step, "draft": put(ports, draft.model_dump(mode="json")), "trace": trace(ports, state, said)}


def _answered(state: RagState) -> Literal["verify", "conclude"]:
    return "verify" if state["draft"] else "conclude"


async def verify(state: RagState, runtime: Runtime[RagPorts]) -> dict[str, Any]:
    """Check every sentence of the draft against what it cites; what was checked before stays."""
    ports, passages = runtime.context, shown_of(runtime.context, state)
    drafted = Draft.model_validate(json.loads(ports.blobs.get(state["draft"]))).sentences
    before = load(ports, state["checked"], list[Checked])
    known = {" ".join(sentence.text.casefold().split()) for sentence in before}
    fresh = [sentence for sentence in drafted if " ".join(sentence.text.casefold().split()) not in known]
    if ports.verifier is None:
        checked, by = [uncheckable(sentence, passages) for sentence in fresh], "nobody"
    else:
        checked, by = (
            await ports.verifier.verify(state["question"], state["kind"], fresh, passages),
            ports.verifier.name,
        )
    for sentence in checked:
        ports.tell(
            {"event": "sentence", "task": state["task"], **sentence.model_dump(mode="json", exclude={"citations"})}
        )
    counts = {
        verdict: sum(s.verdict == verdict for s in checked) for verdict in ("supported", "unsupported", "unscored")
    }
    said = Decision(
        step="verify",
        by=by,
        said=", ".join(f"{count} {verdict}" for verdict, count in counts.items()),
        why=next((s.why for s in checked if s.verdict != "supported"), ""),
    )
    both = [sentence.model_dump(mode="json") for sentence in [*before, *checked]]
    return {"checked": put(ports, both), "trace": trace(ports, state, said)}


def _verified(state: RagState, runtime: Runtime[RagPorts]) -> Literal["answer", "conclude"]:
    ports = runtime.context
    checked = load(ports, state["checked"], list[Checked])
    wrong = [sentence for sentence in checked if sentence.verdict != "supported"]
    again = bool(wrong) and ports.verifier is not None and state["attempt"] <= ports.repairs
    return "answer" if again and not ports.budget.exhausted() else "conclude"


async def conclude(state: RagState, runtime: Runtime[RagPorts]) -> dict[str, Any]:
    """The answer of what stands, or an abstention with its reason."""
    ports = runtime.context
    checked = load(ports, state["checked"], list[Checked])
    kept = [s for s in checked if s.verdict == "supported" or ports.verifier is None]
    abstained: Abstention | None = None
    if not kept:
        abstained = abstention(
            checked, failed=state["why"] if state["reason"] == "answerer_failed" else None, shown=bool(state["shown"]),
            spent=ports.budget.exhausted(), tried=len(state["queries"]),
        )  # fmt: skip
    elif ports.verifier is not None:
        abstained = await contradiction(ports.verifier.contradict, state["kind"], kept)
    made = concluded(state["question"], state["kind"], () if abstained else kept, abstained)
    said = Decision(
        step="conclude",
        by="inloop",
        said=f"no answer: {abstained.reason}"
        if abstained
        else f"{len(made.sentences)} sentences, {len(made.citations)} citations",
        why=abstained.explanation if abstained else "",
    )
    ports.tell({"event": "answer", "task": state["task"], "answer": made.model_dump(mode="json")})
    return {"answer": put(ports, made.model_dump(mode="json")), "trace": trace(ports, state, said)}


def build() -> StateGraph[RagState, RagPorts, RagState, RagState]:
    """The state machine, not compiled: run it with `runtime.runner.Runner`, or compile it and go your own way."""
    graph = StateGraph(RagState, context_schema=RagPorts)
    for node in (route, retrieve, grade, rewrite, answer, verify, conclude):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "route")
    graph.add_edge("route", "retrieve")
    graph.add_edge("retrieve", "grade")
    graph.add_conditional_edges("grade", _graded)
    graph.add_conditional_edges("rewrite", _rewritten)
    graph.add_conditional_edges("answer", _answered)
    graph.add_conditional_edges("verify", _verified)
    graph.add_edge("conclude", END)
    return graph


graph = build().compile(name="rag")
"""The compiled machine for `langgraph dev` and for users who bring their own `RagPorts` as context."""
