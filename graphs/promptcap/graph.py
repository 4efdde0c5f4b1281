"""Questions about pictures that need knowledge, answered from captions (PromptCap, Hu et al. 2023, arXiv 2211.09699).

    caption      what the picture shows, told with the question in mind; tags and what is written in it beside it
    examples     answered questions like this one, the most similar last, never the question itself
    knowledge    passages from an index, where one is given
    candidates   likely answers with confidences (Prophet's prompt only)
    answer       the language model answers n times; the votes become one
    check        do caption and passages bear the answer out? if not, `look`: another question to the picture, and again from
                 answer, at most `follow_ups` times
    conclude     the answer with its trail, or "cannot be told from the picture"

`direct` is another entrance, for the baseline that sees the picture itself. What a method does not ask for is not a step of it. The
state holds addresses; captions, examples and passages are in the blob store.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from ...agents.captions import Vote, is_untold, meant_choice, short_answer
from ...evaluators.vqa import Ensembled, ensemble
from ...runtime.errors import BadInput, CallFailed
from ...runtime.session import settled
from ...tools.data import Shot
from ..trace import Step
from .context import (
    ORDER,
    Next,
    VQAContext,
    VQAState,
    evidence_of,
    facts_of,
    have,
    image_of,
    put,
    seen_of,
    trace,
)
from .describe import Described, captioned, described, read, tagged
from .events import Answered
from .result import Caption, Evidence

__all__ = ["build", "task_fields"]

_PROPOSALS = 5


async def caption(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Say what the picture shows: captions, tags and text, all looked for at once."""
    context, facts = runtime.context, facts_of(runtime.context, state)
    image = image_of(state) if state["image"] else None
    (captions, by), (tags, tagger), (text, reader) = await _together(
        captioned(context, state, facts), tagged(context, image, facts.tags), read(context, image, facts.ocr)
    )
    shown = "; ".join(each.text for each in captions) or "nothing: the picture is not looked at"
    decisions = trace(context, state, "caption", by, shown)
    if tagger:
        decisions = trace(context, state, "tags", tagger, tags or "nothing that it is sure of", after=decisions)
    if reader:
        decisions = trace(context, state, "text", reader, text or "nothing is written there", after=decisions)
    return {"evidence": put(context, Evidence(captions=tuple(captions), tags=tags, ocr=text)), "trace": decisions}


async def _together(
    captions: Awaitable[tuple[list[Caption], str]], tags: Awaitable[Described], text: Awaitable[Described]
) -> tuple[tuple[list[Caption], str], Described, Described]:
    """The three, after all of them ended: what was finished is kept though another failed."""
    asked: list[Awaitable[Any]] = [captions, tags, text]
    first, second, third = await settled(asked)
    return first, second, third


async def examples(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Choose the examples of every vote: the first vote has the most similar ones."""
    context, method, evidence = runtime.context, runtime.context.method, evidence_of(runtime.context, state)
    shots = have(context.shots, "examples")
    facts = facts_of(context, state)
    image = image_of(state) if state["image"] else None
    nearest = await shots.choose(
        state["task"].partition("/")[2] or state["task"], state["question"], method.shots * method.votes,
        image_id=facts.image_id, image=image,
    )  # fmt: skip
    chosen, why = await described(context, nearest)
    each = [tuple(chosen[place * method.shots : (place + 1) * method.shots]) for place in range(method.votes)]
    evidence = evidence.model_copy(update={"shots": tuple(vote for vote in each if vote)})
    said = f"{len(chosen)} examples" + (f", the nearest: {chosen[0].question}" if chosen else "")
    return {"evidence": put(context, evidence), "trace": trace(context, state, "examples", f"by {shots.by}", said, why)}


async def knowledge(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Look up what has to be known: with the question and what the picture shows.

    An example gets its best passage too: from examples without any, a model learns to pass over what is known.
    """
    context, method, evidence = runtime.context, runtime.context.method, evidence_of(runtime.context, state)
    index = have(context.index, "an index of knowledge (--index)")
    if method.knowledge == "oracle":
        ids = facts_of(context, state).oracle_passages
        passages = [(passage, 1.0) for passage in await index.get(list(ids)) if passage is not None]
        by = "oracle"
    else:
        query = " ".join([state["question"], *(each.text for each in evidence.captions)])
        [hits] = await index.search([query], k=method.passages, mode=context.mode)
        passages, by = [(hit.passage, round(hit.similarity, 4)) for hit in hits], index.url
    seen = tuple(seen_of(passage, similarity) for passage, similarity in passages)
    evidence = evidence.model_copy(update={"passages": seen, "shots": await _informed(context, evidence)})
    said = f"{len(seen)} passages" + (f", first: {seen[0].excerpt[:80]}" if seen else "")
    return {"evidence": put(context, evidence), "trace": trace(context, state, "knowledge", by, said)}


async def _informed(context: VQAContext, evidence: Evidence) -> tuple[tuple[Shot, ...], ...]:
    shots = {shot.id: shot for vote in evidence.shots for shot in vote}
    if not shots:
        return evidence.shots
    index = have(context.index, "an index of knowledge (--index)")
    queries = [f"{shot.question} {shot.caption}".strip() for shot in shots.values()]
    nearest = await index.search(queries, k=1, mode=context.mode)
    known = {
        key: shot.model_copy(update={"known": tuple(hit.passage.text for hit in hits)})
        for (key, shot), hits in zip(shots.items(), nearest, strict=True)
    }
    return tuple(tuple(known[shot.id] for shot in vote) for vote in evidence.shots)


async def candidates(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Likely answers with confidences: as given, else the shares of some votes (and of the model that sees the picture)."""
    context, evidence = runtime.context, evidence_of(runtime.context, state)
    given, by = facts_of(context, state).candidates, "given"
    if not given:
        proposer = have(context.proposer, "a proposer of candidates")
        proposed = await proposer.votes(state["question"], evidence.known, count=_PROPOSALS, choices=state["choices"])
        votes = [each for each in proposed if isinstance(each, Vote)]
        if not votes:
            raise next(each for each in proposed if isinstance(each, CallFailed))
        if context.vqa is not None and state["image"]:
            [seen] = await context.vqa.answer([(image_of(state), state["question"])])
            votes.append(Vote(text=short_answer(seen.text), raw=seen.text))
        given, by = ensemble(votes, "majority").shares, f"{len(votes)} votes of {proposer.name}"
    evidence = evidence.model_copy(update={"candidates": given})
    said = ", ".join(f"{text} ({sure:.2f})" for text, sure in given) or "none"
    return {"evidence": put(context, evidence), "trace": trace(context, state, "candidates", by, said)}


async def answer(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Ask the language model `votes` times, and make one answer of it."""
    context, method, evidence = runtime.context, runtime.context.method, evidence_of(runtime.context, state)
    known = None if method.caption == "none" and not evidence.known else evidence.known

    outcomes = await context.answerer.votes(
        state["question"], known, evidence.shots, count=method.votes, choices=state["choices"],
        candidates=evidence.candidates, logprobs=method.rule != "majority",
    )  # fmt: skip
    votes = [each for each in outcomes if isinstance(each, Vote)]
    failed = next((each for each in outcomes if isinstance(each, CallFailed)), None)
    if not votes:
        why = f"the answerer failed: {failed}"
        decisions = trace(context, state, "answer", context.answerer.name, "failed", why)
        return {
            "answer": "",
            "made": "",
            "votes": "",
            "why": why,
            "trace": decisions,
        }  # an earlier answer did not stand
    lost = f"{method.votes - len(votes)} of {method.votes} votes failed: {failed}" if failed else ""
    return _voted(context, state, votes, context.answerer.name, lost=lost)


async def direct(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Let a model answer that sees the picture."""
    context = runtime.context
    vqa = have(context.vqa, "a visual question answering model (--vqa)")
    [seen] = await vqa.answer([(image_of(state), state["question"])])
    said = meant_choice(seen.text, state["choices"]) if state["choices"] else short_answer(seen.text)
    return _voted(context, state, [Vote(text=said, raw=seen.text)], vqa.model, step="direct")


async def check(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Look whether what is known bears the answer out."""
    context, evidence = runtime.context, evidence_of(runtime.context, state)
    if not state["answer"] or _untold(state):
        why = "the answer says that it cannot be told" if state["answer"] else state["why"] or "there is no answer"
        return {"supported": "no", "why": why, "trace": trace(context, state, "check", "rules", "not borne out", why)}
    support = have(context.support, "a judge of support")
    verdict, why = await support.judge(state["question"], state["answer"], evidence.known)
    said = {True: "borne out", False: "not borne out", None: "could not be told"}[verdict]
    return {
        "supported": {True: "yes", False: "no", None: "unknown"}[verdict],
        "why": why,
        "trace": trace(context, state, "check", support.name, said, why),
    }


async def look(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Ask the picture one more question; where there is none to be asked, the check's word stands."""
    context, evidence = runtime.context, evidence_of(runtime.context, state)
    follow_up, vqa = (
        have(context.follow_up, "someone to ask on"),
        have(context.vqa, "a visual question answering model"),
    )
    done = [question for question, _ in evidence.looked]
    question = await follow_up.ask(state["question"], state["answer"], evidence.known, done)
    if question is None:
        said = trace(context, state, "look", follow_up.name, "no other question")
        return {"looks": state["looks"] + 1, "stuck": True, "trace": said}
    try:
        [seen] = await vqa.answer([(image_of(state), question)])
    except (BadInput, CallFailed) as error:  # a question too many must not cost the answer that is there
        if isinstance(error, CallFailed) and error.retryable:
            raise
        said = trace(context, state, "look", vqa.model, f"{question} (failed)", str(error))
        return {"looks": state["looks"] + 1, "stuck": True, "trace": said}
    evidence = evidence.model_copy(update={"looked": (*evidence.looked, (question, seen.text))})
    said = f"{question} {seen.text}"
    return {
        "looks": state["looks"] + 1,
        "evidence": put(context, evidence),
        "trace": trace(context, state, "look", f"{follow_up.name}, {vqa.model}", said),
    }


async def conclude(state: VQAState, runtime: Runtime[VQAContext]) -> dict[str, Any]:
    """Say what the answer is, or that there is none."""
    context, reason = runtime.context, _reason(runtime.context, state)
    said = f"no answer: {reason}" if reason else state["answer"]
    context.emit(Answered(task=state["task"], way=context.method.name, answer=state["answer"], told=not reason))
    return {"trace": trace(context, state, "conclude", "inloop", said, state["why"])}


def task_fields(context: VQAContext, state: VQAState) -> dict[str, Any]:
    """The fields of a `VQATask` from the state of a machine at its end."""
    made = Ensembled.model_validate_json(context.blobs.get(state["made"])) if state["made"] else None
    reason = _reason(context, state)
    return {
        "way": context.method.name,
        "question": state["question"],
        "image": state["image"],
        "choices": tuple(state["choices"]),
        "answer": state["answer"],
        "told": not reason,
        "reason": reason,
        "supported": {"yes": True, "no": False}.get(state["supported"]),
        "why": state["why"] or (made.note if made else ""),
        "shares": made.shares if made else (),
        "rule": made.rule if made else "",
        "evidence": evidence_of(context, state),
        "votes": _votes_of(context, state),
        "decisions": tuple(json.loads(context.blobs.get(state["trace"]))),
    }


def _reason(context: VQAContext, state: VQAState) -> str:
    if not state["answer"]:
        spoken = state["choices"] and any(vote.raw.strip() for vote in _votes_of(context, state))
        return "no_choice" if spoken else "empty" if state["made"] else "failed"
    if _untold(state):
        return "cannot_tell"
    return "unsupported" if context.method.strict and state["supported"] == "no" else ""


def _votes_of(context: VQAContext, state: VQAState) -> tuple[Vote, ...]:
    votes = json.loads(context.blobs.get(state["votes"])) if state["votes"] else ()
    return tuple(Vote.model_validate(vote) for vote in votes)


def _untold(state: VQAState) -> bool:
    """Whether the answer says that it cannot be told; a choice ("not enough light") is an answer whatever it says."""
    return is_untold(state["answer"]) and state["answer"] not in state["choices"]


def _voted(
    context: VQAContext, state: VQAState, votes: list[Vote], by: str, *, step: Step = "answer", lost: str = ""
) -> dict[str, Any]:
    made = ensemble(votes, context.method.rule)
    spoken = list(dict.fromkeys(" ".join(vote.raw.split())[:80] for vote in votes if vote.raw.strip()))
    why = (
        f"none of the choices: {', '.join(map(repr, spoken))}" if state["choices"] and spoken and not made.text else ""
    )
    made = made.model_copy(update={"note": "; ".join(filter(None, [made.note, lost]))})
    kept = json.dumps([vote.model_dump(mode="json") for vote in votes]).encode()
    shares = ", ".join(f"{text} ({share:.2f})" for text, share in made.shares[:5])
    return {
        "answer": made.text,
        "made": put(context, made),
        "votes": context.blobs.put(kept, "application/json").sha256,
        "why": why,
        "trace": trace(
            context, state, step, by, made.text or "nothing", why or made.note or (shares if len(votes) > 1 else "")
        ),
    }


def _after(step: Next) -> Callable[[VQAState, Runtime[VQAContext]], Next]:
    """The router behind a step: to the next one that the method has."""
    later = ORDER[ORDER.index(step) + 1 :]

    def follow(state: VQAState, runtime: Runtime[VQAContext]) -> Next:
        return next(name for name in later if runtime.context.does(name))

    return follow


def _entrance(state: VQAState, runtime: Runtime[VQAContext]) -> Literal["direct", "caption"]:
    return "direct" if runtime.context.method.direct else "caption"


def _checked(state: VQAState, runtime: Runtime[VQAContext]) -> Literal["look", "conclude"]:
    context = runtime.context
    again = state["supported"] == "no" and state["looks"] < context.method.follow_ups and state["image"] is not None
    able = context.vqa is not None and context.follow_up is not None and not context.budget.exhausted()
    return "look" if again and able else "conclude"


def _looked(state: VQAState) -> Literal["answer", "conclude"]:
    return "conclude" if state["stuck"] else "answer"


def build() -> StateGraph[VQAState, VQAContext, VQAState, VQAState]:
    """The state machine, not compiled; its nodes work with a `VQAContext`."""
    machine = StateGraph(VQAState, context_schema=VQAContext)
    for node in (caption, examples, knowledge, candidates, answer, direct, check, look, conclude):
        machine.add_node(node.__name__, node)
    machine.add_conditional_edges(START, _entrance)
    for place, name in enumerate(ORDER[:5]):
        machine.add_conditional_edges(name, _after(name), list(ORDER[place + 1 :]))
    machine.add_edge("direct", "conclude")
    machine.add_conditional_edges("check", _checked)
    machine.add_conditional_edges("look", _looked)
    machine.add_edge("conclude", END)
    return machine
