"""A picture data set cleaned, as a state machine.

    look      every file is read once: its bytes, its pixels, what is wrong with it; what cannot be read is named
    embed     pictures as vectors, through the call ledger: a second run pays for new pictures alone
    retrieve  what is like the examples or the queries, in the folder or in a pool, whose pictures join
    plant     copies and look-alikes of some of the pictures are made, and scored: which threshold parts them
    compare   pairs that may be copies, scored: laid over each other (pixels), or by the encoder's cosine (SemDeDup)
    caption   captions that do not fit, by a filter and planted wrong ones; borderline ones by their questions; a captioner writes those anew
    propose   groups: those that were given, or proposals of a language model, which a person confirms (LangGraph interrupt) before they count
    label     classes that do not fit, by a probe, and what else gives them away
    name      themes, by the words of their captions or by a language model whose names are checked on the pictures
    choose    what stays, and of each group as much as before; leaks into the test set go first; then the audit
    describe  what is missing in what stays, by a language model, looked for before it is told
    review    a person sees the page, and changes the threshold, keeps pictures, or goes on (LangGraph interrupt)
    export    links, a table, metadata; nothing is deleted

Heavy results are in the blob store and their addresses in the state: after `kill -9` the run goes on with the step under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from ...runtime.errors import BadInput
from ...runtime.session import Progressed
from ...tools.curation import Look, look_at
from .asked import confirm, review
from .audit import grouped_by
from .captions import Filter, judged
from .choose import chosen
from .compare import compared
from .context import CurateContext, CurateState, Looked
from .decisions import copies_of
from .export import exported_to, read_rows
from .found import proposal
from .labels import labelled
from .plant import planted
from .propose import hardly_told, judged_groups, proposed
from .result import Cleaned
from .retrieve import OutOfBudget, retrieved
from .themes import missing, named

__all__ = ["build"]

_BATCH = 64
Context = Runtime[CurateContext]


async def look(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Read every file once."""
    context = runtime.context
    config, sources = context.config, context.sources
    unreadable: dict[str, str] = {}
    notes: list[str] = []
    looked: list[list[Look]] = []
    of, done = len(sources.files) + len(sources.tests) + len(sources.likes), 0
    for folder, files in ((config.folder, sources.files), (config.test, sources.tests), (config.like, sources.likes)):
        found = []
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            for path, read in zip(batch, await asyncio.to_thread(_read, folder, batch, context), strict=True):
                if isinstance(read, Look):
                    found.append(read)
                elif folder == config.folder:
                    unreadable[path] = read
                else:
                    notes.append(f"left out of {folder!r}: {read}")
            done += len(batch)
            context.session.emit(Progressed(text="pictures read", done=done, of=of))
        looked.append(found)
    if not looked[0]:
        raise BadInput(
            f"none of the {len(sources.files)} pictures can be read; the first: {next(iter(unreadable.values()))}"
        )
    if config.like and not looked[2]:
        raise BadInput(f"--like: none of the pictures in {config.like!r} can be read.")
    if foreign := await asyncio.to_thread(context.foreign, tuple(looked[0])):
        notes.append(foreign)
    for note in notes:
        context.tell(note)
    record = Looked(
        looks=tuple(looked[0]),
        tests=tuple(looked[1]),
        likes=tuple(looked[2]),
        notes=tuple(notes),
        unreadable=unreadable,
    )
    return {"looked": context.put(record)}


def _read(folder: str, files: Sequence[str], context: CurateContext) -> list[Look | str]:
    from pathlib import Path

    found: list[Look | str] = []
    for path in files:
        try:
            found.append(look_at(Path(folder), path, context.session.store.blobs))
        except BadInput as error:
            found.append(str(error))
    return found


async def embed(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Pictures as vectors, in batches; the budget is looked at between them."""
    context = runtime.context
    if context.clip is None:
        return {}
    looked = context.looked(state)
    refs = [each_.blob for each_ in (*looked.looks, *looked.tests, *looked.likes)]
    vectors: list[list[float]] = []
    for start in range(0, len(refs), _BATCH):
        if (why := context.session.budget.exhausted()) is not None:
            return {"stop": why}
        vectors += await context.clip.images(refs[start : start + _BATCH])
        context.session.emit(Progressed(text="pictures embedded", done=len(vectors), of=len(refs)))
    return {"vectors": context.put_vectors(np.array(vectors, dtype=np.float32))}


async def retrieve(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Find what is wanted; what a pool has of it joins the pictures of the folder."""
    context = runtime.context
    if not context.config.wants:
        return {}
    looked, vectors = context.looked(state), context.vectors(state)
    try:
        record, joining, theirs = await retrieved(context, looked, vectors)
    except OutOfBudget as spent:
        return {"stop": str(spent)}
    for note in record.notes:
        context.tell(note)
    changed: dict[str, Any] = {"retrieved": context.put(record)}
    if joining:
        own = len(looked.looks)
        changed["looked"] = context.put(looked.model_copy(update={"looks": (*looked.looks, *joining)}))
        changed["vectors"] = context.put_vectors(np.concatenate([vectors[:own], theirs, vectors[own:]]))
    return changed


async def plant(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Make copies and look-alikes of some pictures, and see how they score."""
    context = runtime.context
    if context.config.copies == "exact":
        return {}
    found = await planted(context, context.looked(state), context.vectors(state))
    return {"planted": context.put_json([[each_.source, each_.change, each_.score] for each_ in found])}


async def compare(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Score the pairs that may be copies."""
    context = runtime.context
    if context.config.copies == "exact":
        return {}
    pairs = await asyncio.to_thread(compared, context, context.looked(state), context.vectors(state), context.get_json(state["planted"]))  # fmt: skip
    return {"pairs": context.put_pairs(pairs)}


async def caption(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Judge captions, and have those that do not fit written anew."""
    context = runtime.context
    told = context.sources.annotations.captions
    if not told or context.clip is None:
        return {}
    looked = context.looked(state)
    looks = {place: each_ for place, each_ in enumerate(looked.looks) if each_.path in told}
    captioned = await judged(
        context.session, Filter(context.clip, context.rewarder), context.vqa, context.captioner,
        pictures={place: each_.blob for place, each_ in looks.items()}, texts={place: told[each_.path] for place, each_ in looks.items()},
        names={place: each_.path for place, each_ in looks.items()}, copies=_copies(context, state, looked.looks), seed=context.config.seed,
    )  # fmt: skip
    return {"captioned": context.put(captioned)}


def _copies(context: CurateContext, state: CurateState, looks: Sequence[Look]) -> dict[int, set[int]]:
    """Of which pictures each is a copy; the one with the most pixels first, as it is the one that stays by default."""
    threshold = None if context.config.copies == "exact" else proposal(context.config, context.planted(state))
    found = copies_of(looks, context.pairs(state), threshold)
    return dict(sorted(found.items(), key=lambda item: -looks[item[0]].width * looks[item[0]].height))


async def propose(state: CurateState, runtime: Context) -> dict[str, Any]:
    """The groups that were given, or proposals for a person."""
    context = runtime.context
    names, looked = list(context.config.group_names), context.looked(state)
    if context.clip is None:
        return {"groups": names}
    if not context.config.proposes or context.curator is None:
        vectors = context.vectors(state)[: len(looked.looks)]
        for note in hardly_told(await judged_groups(context.clip, names, vectors, context.captions_of(looked))):
            context.tell(note)
        return {"groups": names}
    found = await proposed(
        context.clip,
        context.curator,
        context.vectors(state)[: len(looked.looks)],
        context.captions_of(looked),
        context.config.seed,
    )
    for note in found.notes:
        context.tell(note)
    return {"proposed": context.put(found)}


async def label(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Judge the classes of pictures by a probe on their vectors."""
    context = runtime.context
    classes = context.sources.annotations.labels
    if not classes:
        return {}
    looked, prototypes = context.looked(state), await context.prototypes(state)
    vectors = context.vectors(state)[: len(looked.looks)]
    grouped = None if prototypes is None else grouped_by(tuple(state["groups"]), vectors, prototypes)
    threshold = None if context.config.copies == "exact" else proposal(context.config, context.planted(state))
    context.session.emit(Progressed(text=f"{len(classes)} labels to judge"))
    known = await asyncio.to_thread(
        labelled, looked.looks, classes, vectors, context.pairs(state), threshold,
        {} if grouped is None else grouped.by_place(), context.config.seed,
    )  # fmt: skip
    return {"labelled": context.put(known)}


async def name(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Name the themes of the set."""
    context = runtime.context
    if context.clip is None:
        return {}
    looked = context.looked(state)
    vectors, captions = context.vectors(state)[: len(looked.looks)], context.captions_of(looked)
    if not captions and context.captioner is not None:
        captions = await context.captioned_samples(looked, vectors)
    found = await named(context.session, context.clip, context.curator, vectors, captions, context.config.seed)
    for note in found.notes:
        context.tell(note)
    return {"named": context.put(found)}


async def choose(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Say of each picture whether it stays and why, and what that cost whom."""
    context = runtime.context
    cleaned = await asyncio.to_thread(chosen, context, state, await context.prototypes(state))
    return {"cleaned": context.put(cleaned)}


async def describe(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Have the language model say what is missing in what stays, and look for it there."""
    context = runtime.context
    if context.curator is None or context.clip is None:
        return {}
    cleaned = Cleaned.model_validate_json(context.session.store.blobs.get(state["cleaned"]))
    looked = context.looked(state)
    kept = {row.id for row in read_rows(context.session.store.blobs, cleaned) if row.kept}
    places = [place for place, each_ in enumerate(looked.looks) if each_.path in kept]
    captions = context.captions_of(looked)
    fits = context.captions(state).fits if context.config.filter == "clip" else None
    gaps, notes = await missing(
        context.clip, context.curator, cleaned.themes,
        {each_.group: each_.share for each_ in cleaned.audit.shares if each_.way == "this run"},
        [captions[place] for place in places if place in captions], context.vectors(state)[places],
        fits, context.config.seed,
    )  # fmt: skip
    return {"cleaned": context.put(cleaned.model_copy(update={"gaps": gaps, "notes": (*cleaned.notes, *notes)}))}


async def export(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Write the kept set, where it is asked for."""
    context = runtime.context
    if context.config.to:
        cleaned = Cleaned.model_validate_json(context.session.store.blobs.get(state["cleaned"]))
        await asyncio.to_thread(exported_to, context, cleaned)
    return {}


def _embedded(state: CurateState) -> Literal["retrieve", "__end__"]:
    return "__end__" if state["stop"] else "retrieve"


def _retrieved(state: CurateState) -> Literal["plant", "__end__"]:
    return "__end__" if state["stop"] else "plant"


def _proposed(state: CurateState) -> Literal["confirm", "label"]:
    return "confirm" if state["proposed"] else "label"


def _confirmed(state: CurateState) -> Literal["confirm", "label", "__end__"]:
    return "__end__" if state["stop"] else "confirm" if state["wrong"] else "label"


def _described(state: CurateState, runtime: Context) -> Literal["review", "export"]:
    return "review" if runtime.context.config.review else "export"


def _reviewed(state: CurateState) -> Literal["review", "choose", "export", "__end__"]:
    if state["stop"]:
        return "__end__"
    if state["wrong"]:
        return "review"
    return "export" if state["approved"] else "choose"


def build() -> StateGraph[CurateState, CurateContext, CurateState, CurateState]:
    """The state machine, not compiled; its nodes work with a `CurateContext`."""
    machine = StateGraph(CurateState, context_schema=CurateContext)
    for node in (
        look,
        embed,
        retrieve,
        plant,
        compare,
        caption,
        propose,
        confirm,
        label,
        name,
        choose,
        describe,
        review,
        export,
    ):
        machine.add_node(node.__name__, node)
    machine.add_edge(START, "look")
    machine.add_edge("look", "embed")
    machine.add_conditional_edges("embed", _embedded)
    machine.add_conditional_edges("retrieve", _retrieved)
    machine.add_edge("plant", "compare")
    machine.add_edge("compare", "caption")
    machine.add_edge("caption", "propose")
    machine.add_conditional_edges("propose", _proposed)
    machine.add_conditional_edges("confirm", _confirmed)
    machine.add_edge("label", "name")
    machine.add_edge("name", "choose")
    machine.add_edge("choose", "describe")
    machine.add_conditional_edges("describe", _described)
    machine.add_conditional_edges("review", _reviewed)
    machine.add_edge("export", END)
    return machine
