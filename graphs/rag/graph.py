"""RAG whose citations are true: corrective retrieval (Yan et al. 2024, arXiv 2401.15884), then every sentence checked.

    route     a question or a claim? by words, or by meaning too?
    retrieve  passages from the index
    grade     which of them help; one whose grader failed is unscored, neither relevant nor irrelevant. To quote from, all
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

from ...runtime.answers import Abstention, Checked, Draft, DraftSentence
from ...runtime.errors import CallFailed
from ...runtime.passages import Passage
from .conclude import abstention, concluded, contradiction, uncheckable, with_surroundings
from .context import RagContext
from .copies import copy_key, place_of, search
from .events import Answered, SentenceChecked
from .state import Pooled, RagState, checked_of, pool_of, put, shown_of, trace

__all__ = ["build"]

_SHOWN = 5  # passages that are answered from


async def route(state: RagState, runtime: Runtime[RagContext]) -> dict[str, Any]:
    """Decide what was asked and how to search."""
    context = runtime.context
    chosen = await context.router.route(state["question"])
    given = context.config.mode
    mode, why = given, f"{chosen.why}; the search mode was given"
    if given == "auto":
        words_alone = context.config.embedder == "none"
        mode = "bm25" if words_alone else chosen.mode
        why = f"{chosen.why}; there is no embedder" if words_alone and chosen.mode != mode else chosen.why
    decisions = trace(context, state, "route", by=chosen.by, said=f"{chosen.kind}, {mode} search", why=why)
    return {"kind": chosen.kind, "mode": mode, "queries": [state["question"]], "trace": decisions}


async def retrieve(state: RagState, runtime: Runtime[RagContext]) -> dict[str, Any]:
    """Search with the newest query; what was found before stays."""
    context, query = runtime.context, state["queries"][-1]
    hits, pool = await search(context, query, state["mode"]), pool_of(context, state)
    by_text = {copy_key(Passage.model_validate(entry["passage"])): entry for entry in pool}
    new = copies = 0
    for hit in hits:
        passage = hit.passage
        entry = by_text.get(copy_key(passage))
        if entry is None and passage.text.strip():
            new += 1
            by_text[copy_key(passage)] = Pooled(
                passage=passage.model_dump(mode="json"), query=len(state["queries"]) - 1,
                similarity=round(hit.similarity, 4), grade=None, graded="", also=[],
            )  # fmt: skip
        elif entry is not None and entry["passage"]["id"] != passage.id:
            copies += 1
            if place_of(passage) not in (place_of(Passage.model_validate(entry["passage"])), *entry["also"]):
                entry["also"].append(place_of(passage))
    counts = f"{len(hits)} passages, {new} new" + (f", {copies} copies" if copies else "")
    decisions = trace(context, state, "retrieve", by=context.index.url, said=counts, why=f"query: {query}")
    return {"pool": put(context, list(by_text.values())), "trace": decisions}


async def grade(state: RagState, runtime: Runtime[RagContext]) -> dict[str, Any]:
    """Grade what was not graded yet, and choose what is shown to the answerer."""
    context, pool = runtime.context, pool_of(runtime.context, state)
    quotes_all = context.quotes_all and state["kind"] == "question"
    most = context.config.shown or (len(pool) if quotes_all else _SHOWN)
    if context.grader is None or quotes_all:
        shown = [entry["passage"]["id"] for entry in pool][:most]
        counts = f"{len(shown)} of {len(pool)} passages are shown"
        why = "every quotation of them is judged by itself" if quotes_all else "grading is off"
        decisions = trace(context, state, "grade", by="nobody", said=counts, why=why)
        return {"shown": shown, "trace": decisions}
    waiting = [entry for entry in pool if not entry["graded"]]
    if waiting:
        passages = [Passage.model_validate(entry["passage"]) for entry in waiting]
        scores = await context.grader.grade(state["question"], passages)
        for entry, score in zip(waiting, scores, strict=True):
            entry["grade"], entry["graded"] = score.value, score.explanation or "graded"
    threshold = context.grader.threshold
    relevant = [entry for entry in pool if entry["grade"] is not None and entry["grade"] >= threshold]
    unscored = [entry for entry in pool if entry["grade"] is None]
    shown = [entry["passage"]["id"] for entry in [*relevant, *unscored]][:most]
    irrelevant = len(pool) - len(relevant) - len(unscored)
    counts = f"{len(relevant)} relevant, {irrelevant} not, {len(unscored)} unscored"
    why = next((entry["graded"] for entry in unscored), f"from {threshold:.2f} on a passage is relevant")
    decisions = trace(context, state, "grade", by=context.grader.name, said=counts, why=why)
    return {"pool": put(context, pool), "shown": shown, "trace": decisions}


def _graded(state: RagState, runtime: Runtime[RagContext]) -> Literal["answer", "rewrite", "conclude"]:
    context = runtime.context
    if state["shown"]:
        return "answer"
    again = context.rewriter is not None and len(state["queries"]) <= context.config.rewrites
    return "rewrite" if again and not context.session.budget.exhausted() else "conclude"


async def rewrite(state: RagState, runtime: Runtime[RagContext]) -> dict[str, Any]:
    """Another query; where there is none to be had, the search is over."""
    context = runtime.context
    assert context.rewriter is not None
    passages = [Passage.model_validate(entry["passage"]) for entry in pool_of(context, state)]
    why = "nothing that was found helps"
    try:
        query = await context.rewriter.rewrite(state["question"], state["queries"], passages)
    except CallFailed as error:
        if error.retryable:
            raise
        query, why = None, f"the rewriter failed: {error}"
    decisions = trace(context, state, "rewrite", by=context.rewriter.name, said=query or "no other query", why=why)
    if query is not None:
        return {"queries": [*state["queries"], query], "trace": decisions}
    why = "nothing that was found helps, and there is no other query"
    return {"reason": "nothing_found", "why": why, "trace": decisions}


def _rewritten(state: RagState) -> Literal["retrieve", "conclude"]:
    return "conclude" if state["reason"] else "retrieve"


async def answer(state: RagState, runtime: Runtime[RagContext]) -> dict[str, Any]:
    """Write a draft; the second time, with what did not stand in the first one."""
    context, checked = runtime.context, checked_of(runtime.context, state)
    attempt = state["attempt"] + 1
    passages = shown_of(context, state)
    try:
        draft = await context.answerer.answer(state["question"], state["kind"], passages, checked=checked)
    except CallFailed as error:
        if error.retryable:
            raise
        decisions = trace(context, state, "answer", by=context.answerer.name, said="failed", why=str(error))
        failed = {} if checked else {"reason": "answerer_failed", "why": str(error)}
        return {"attempt": attempt, "draft": "", "trace": decisions, **failed}
    length = _counted(len(draft.sentences), "sentence") if draft.sentences else "no answer"
    why = draft.note or ("the first draft is repaired" if checked else f"from {_counted(len(passages), 'passage')}")
    decisions = trace(context, state, "answer", by=draft.by, said=length, why=why)
    return {"attempt": attempt, "draft": put(context, draft.model_dump(mode="json")), "trace": decisions}


def _answered(state: RagState) -> Literal["verify", "conclude"]:
    return "verify" if state["draft"] else "conclude"


async def verify(state: RagState, runtime: Runtime[RagContext]) -> dict[str, Any]:
    """Check every sentence of the draft against what it cites; what was checked before stays."""
    context, before = runtime.context, checked_of(runtime.context, state)
    draft = Draft.model_validate(json.loads(context.blobs.get(state["draft"])))
    known = {_words(sentence) for sentence in before}
    fresh = [sentence for sentence in draft.sentences if _words(sentence) not in known]
    passages = shown_of(context, state)
    if context.verifier is None:
        by, checked = "nobody", [uncheckable(sentence, passages) for sentence in fresh]
    else:
        by = context.verifier.name
        checked = await context.verifier.verify(state["question"], state["kind"], fresh, passages)
    for sentence in checked:
        fields = sentence.model_dump(exclude={"citations", "near", "quoted"})
        context.session.emit(SentenceChecked(task=state["task"], **fields))
    verdicts = [sentence.verdict for sentence in checked]
    counts = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in ("supported", "unsupported", "unscored"))
    why = next((sentence.why for sentence in checked if sentence.verdict != "supported"), "")
    decisions = trace(context, state, "verify", by=by, said=counts, why=why)
    both = [sentence.model_dump(mode="json") for sentence in (*before, *checked)]
    return {"checked": put(context, both), "trace": decisions}


def _verified(state: RagState, runtime: Runtime[RagContext]) -> Literal["answer", "conclude"]:
    context = runtime.context
    wrong = any(sentence.verdict != "supported" for sentence in checked_of(context, state))
    again = wrong and context.verifier is not None and state["attempt"] <= context.config.repairs
    return "answer" if again and not context.session.budget.exhausted() else "conclude"


async def conclude(state: RagState, runtime: Runtime[RagContext]) -> dict[str, Any]:
    """The answer of what stands, or an abstention with its reason."""
    context, checked = runtime.context, checked_of(runtime.context, state)
    kept = [sentence for sentence in checked if sentence.verdict == "supported" or context.verifier is None]
    abstained: Abstention | None = None
    if not kept:
        abstained = abstention(
            checked, failed=state["why"] if state["reason"] == "answerer_failed" else None, shown=shown_of(context, state),
            spent=context.session.budget.exhausted(), tried=len(state["queries"]),
        )  # fmt: skip
    elif context.verifier is not None:
        abstained = await contradiction(context.verifier.contradict, state["question"], state["kind"], kept)
    if not abstained and state["kind"] == "question":
        kept = with_surroundings(state["question"], kept, shown_of(context, state))
    also = {entry["passage"]["id"]: tuple(entry["also"]) for entry in pool_of(context, state)}
    cited = concluded(state["question"], state["kind"], () if abstained else kept, abstained, also=also)
    context.session.emit(Answered(task=state["task"], answer=cited))
    counts = f"{_counted(len(cited.sentences), 'sentence')}, {_counted(len(cited.citations), 'citation')}"
    said, why = (f"no answer: {abstained.reason}", abstained.explanation) if abstained else (counts, "")
    decisions = trace(context, state, "conclude", by="inloop", said=said, why=why)
    return {"answer": put(context, cited.model_dump(mode="json")), "trace": decisions}


def build() -> StateGraph[RagState, RagContext, RagState, RagState]:
    """The state machine of one question, not compiled; `Session.finish` runs it."""
    graph = StateGraph(RagState, context_schema=RagContext)
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


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _words(sentence: Checked | DraftSentence) -> str:
    """A sentence without its case and spaces."""
    return " ".join(sentence.text.casefold().split())
