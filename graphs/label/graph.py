"""Pictures labelled, as a state machine: the data engine of SAM (Kirillov et al. 2023, section 4) with a judge between model and person.

    look      every file is read once; what cannot be read is named
    detect    boxes of the classes, through the call ledger: a second run pays for new pictures alone
    segment   a mask for each box; what people said of such masks before is remembered, and labels that they made elsewhere are read
    route     accepted, or the judge is asked, or a person: by defaults, and by people's answers as soon as there are enough
    judge     a vision-language model is shown each doubtful mask
    review    a person sees a page of masks, the most doubtful and some of the accepted, and corrects them (LangGraph interrupt); then `route` again
    export    files of labels, and the table

Heavy results are in the blob store and their addresses in the state: after `kill -9` the run goes on with the step under way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from ...runtime.errors import BadInput
from ...runtime.records import options_checked
from ...runtime.session import Progressed, chunks
from ...runtime.session import each as each_one
from ...tools.data import read_picture
from ...tools.segmentation import Box
from .answers import keep_added, keep_answer
from .context import LabelContext, LabelState, Pictures, Shown
from .export import exported_to
from .judge import judged
from .page import offer_of, page_of
from .propose import apart, imported, objects_of, recalled
from .result import Calibration, Labelled, LabelledObject
from .review import Review
from .router import routed

__all__ = ["build"]

_BATCH = 16
Context = Runtime[LabelContext]


async def look(state: LabelState, runtime: Context) -> dict[str, Any]:
    """Read every file once."""
    context = runtime.context
    files, shown, unreadable, notes = context.sources.files, list[Shown](), dict[str, str](), list[str]()

    def read(batch: Sequence[str]) -> None:
        for name in batch:
            try:
                picture = read_picture(Path(context.config.folder) / name, context.session.store.blobs)
            except BadInput as error:
                unreadable[name] = str(error)
                continue
            with context.session.store.blobs.get_image(picture.blob) as opened:
                shown.append(Shown(picture=name, image=picture.blob, size=opened.size))
            # boxes are of the picture as it is shown: whoever reads the file otherwise must know
            notes.extend(f"{name}: {note}" for note in picture.notes if "rotated" in note or "smaller" in note)

    for batch in chunks(files, _BATCH):
        await asyncio.to_thread(read, batch)
        context.session.emit(Progressed(text="pictures read", done=len(shown) + len(unreadable), of=len(files)))
    if not shown:
        raise BadInput(f"none of the {len(files)} pictures can be read; the first: {next(iter(unreadable.values()))}")
    if notes:
        more = f", and {len(notes) - 3} more" if len(notes) > 3 else ""
        context.tell(f"boxes are of the pictures as they are shown: {'; '.join(notes[:3])}{more}")
    if foreign := await asyncio.to_thread(context.foreign, shown):
        context.tell(foreign)
    return {"pictures": context.put(Pictures(shown=tuple(shown), unreadable=unreadable))}


async def detect(state: LabelState, runtime: Context) -> dict[str, Any]:
    """Boxes of every picture; the budget is looked at between batches."""
    context = runtime.context
    shown, names = context.pictures(state).shown, context.config.names
    boxes: dict[str, list[tuple[str, float, Box]]] = {}
    failed: dict[str, str] = {}
    for batch in chunks(shown, _BATCH):
        if (why := context.session.budget.exhausted()) is not None:
            return {"stop": why}
        found = await each_one(context.detector.detect, [(each.image, names) for each in batch])
        for each, seen in zip(batch, found, strict=True):
            if isinstance(seen, Exception):
                failed[each.picture] = str(seen)
            else:
                boxes[each.picture] = [(one.label, one.score, one.box) for one in apart(seen, context.config.score)]
        context.session.emit(Progressed(text="pictures searched", done=len(boxes) + len(failed), of=len(shown)))
    return {"boxes": context.put(boxes), "failed": context.put(failed)}


async def segment(state: LabelState, runtime: Context) -> dict[str, Any]:
    """A mask for each box, what people said of such masks before, and their own labels."""
    context = runtime.context
    shown = context.pictures(state).shown
    boxes = {
        picture: [(label, score, tuple(box)) for label, score, box in rows]
        for picture, rows in context.get(state["boxes"]).items()
    }
    objects: list[LabelledObject] = []
    failed: dict[str, str] = context.get(state["failed"])
    done = 0
    for batch in chunks(shown, _BATCH):
        if (why := context.session.budget.exhausted()) is not None:
            return {"stop": why}
        made, wrong = await objects_of(context, batch, boxes, {}, "detector")
        more, also = await recalled(context, batch, made)
        own, last = await imported(context, batch, more, context.sources.answers)
        objects += own
        failed |= wrong | also | last
        done += len(batch)
        context.session.emit(Progressed(text="pictures with masks", done=done, of=len(shown)))
    return {"objects": context.put_objects(_in_order(objects, shown)), "failed": context.put(failed)}


async def route(state: LabelState, runtime: Context) -> dict[str, Any]:
    """Say of each mask where it goes; then which of them a person is shown next."""
    context = runtime.context
    objects, calibration = routed(
        context.objects(state), target=context.config.precision, judging=context.judge is not None
    )
    page, audited = page_of(context, state, objects, calibration)
    return {
        "objects": context.put_objects(objects),
        "calibration": context.put(calibration),
        "asked": page,
        "audited": audited,
    }


async def judge(state: LabelState, runtime: Context) -> dict[str, Any]:
    """Show the judge each doubtful mask."""
    context = runtime.context
    objects = {one.id: one for one in context.objects(state)}
    waiting = [one for one in objects.values() if one.route == "judge"]
    done = 0
    for batch in chunks(waiting, _BATCH):
        if (why := context.session.budget.exhausted()) is not None:
            # what stays doubtful is a result as well
            context.tell(f"{len(waiting) - done} masks were not judged: {why}")
            objects |= {one.id: one.model_copy(update={"judged": True}) for one in waiting[done:]}
            break
        objects |= {one.id: one for one in await judged(context, batch)}
        done += len(batch)
        context.session.emit(Progressed(text="masks judged", done=done, of=len(waiting)))
    return {"objects": context.put_objects(list(objects.values()))}


async def review(state: LabelState, runtime: Context) -> dict[str, Any]:
    """Ask a person about a page of masks; what they say is checked before it counts."""
    context = runtime.context
    objects = {one.id: one for one in context.objects(state)}
    asked = [objects[id] for id in state["asked"]]
    offer = await asyncio.to_thread(offer_of, context, state, list(objects.values()))
    answer = interrupt(offer.model_dump(mode="json"))
    try:
        with options_checked():
            said = Review.model_validate(answer)
        offer.check(said)
    except BadInput as error:
        return {"wrong": str(error), "reviews": state["reviews"] + 1}
    if said.stop:
        return {"stop": "a person stopped it: nothing is written", "wrong": ""}
    told = (
        await _taken(context, asked, said, set(state["audited"]))
        if not (said.done and said == Review(done=True))
        else []
    )
    objects |= {one.id: one for one in told}
    fresh, failed = await _corrected(context, state, asked, said, list(objects.values()))
    shown = context.pictures(state).shown
    return {
        "objects": context.put_objects(_in_order([*objects.values(), *fresh], shown)),
        "failed": context.put(context.get(state["failed"]) | failed),
        "reviews": state["reviews"] + 1,
        "looks": state["looks"] + len(told),
        "done": said.done,
        "wrong": "",
    }


async def _taken(
    context: LabelContext, asked: Sequence[LabelledObject], said: Review, audited: set[str]
) -> list[LabelledObject]:
    """The masks of the page with what was said of each, once that is on the disk."""
    out = []
    for number, one in enumerate(asked, start=1):
        told: dict[str, Any] = {"verdict": "right", "audit": one.id in audited}
        if number in said.skip:
            out.append(one.model_copy(update={"answer": "skip"}))  # of this run alone
            continue
        if number in said.wrong:
            told["verdict"] = "wrong"
        elif number in said.box:
            told["verdict"] = "box"
        elif number in said.label and said.label[number] != one.label:
            told |= {"verdict": "label", "label": said.label[number]}
        await keep_answer(context.session.store.ledger, one, told)
        update: dict[str, Any] = {"answer": told["verdict"], "audit": told["audit"]}
        if told["verdict"] == "label":
            update |= {"label": told["label"], "was": one.label}
        out.append(one.model_copy(update=update))
    return out


async def _corrected(
    context: LabelContext,
    state: LabelState,
    asked: Sequence[LabelledObject],
    said: Review,
    objects: Sequence[LabelledObject],
) -> tuple[list[LabelledObject], dict[str, str]]:
    """The objects of boxes that a person gave, with their masks."""
    shown = {each.picture: each for each in context.pictures(state).shown}
    given = [(asked[number - 1].picture, asked[number - 1].label, box) for number, box in said.box.items()]
    given += [(asked[each.number - 1].picture, each.label, each.box) for each in said.add]
    boxes: dict[str, list[tuple[str, float | None, Box]]] = {}
    for picture, label, box in given:
        await keep_added(context.session.store.ledger, shown[picture].image, label, box)
        boxes.setdefault(picture, []).append((label, None, box))
    first = {
        picture: 1 + max((int(one.id.rpartition("#")[2]) for one in objects if one.picture == picture), default=0)
        for picture in boxes
    }
    return await objects_of(context, list(shown.values()), boxes, first, "person")


async def export(state: LabelState, runtime: Context) -> dict[str, Any]:
    """What came out, and the files where they are asked for."""
    context = runtime.context
    labelled = await asyncio.to_thread(_labelled, context, state)
    if context.config.to:
        await asyncio.to_thread(
            exported_to, context.config, labelled, context.session.store.blobs, context.session.folder.id
        )
    return {"labelled": context.put(labelled)}


def _labelled(context: LabelContext, state: LabelState) -> Labelled:
    objects, pictures = context.objects(state), context.pictures(state)
    table = b"".join(one.model_dump_json().encode() + b"\n" for one in objects)
    failed = pictures.unreadable | context.get(state["failed"])
    routes, kept = Counter(one.route for one in objects), Counter(one.label for one in objects if one.kept)
    return Labelled(
        id="folder",
        pictures=len(pictures.shown),
        objects=len(objects),
        routes={route: routes[route] for route in ("accepted", "confirmed", "person", "left out") if routes[route]},
        classes={name: kept[name] for name in context.config.names},
        calibration=Calibration.model_validate(context.get(state["calibration"])),
        table=context.session.store.blobs.put(table, "application/x-ndjson"),
        sizes={each.picture: each.size for each in pictures.shown if each.picture not in failed},
        unlabelled=failed,
        reviews=state["reviews"],
        looks=state["looks"],
        to=context.config.to,
        notes=tuple(f"no labels of {name}: {why}" for name, why in [*failed.items()][:3]),
    )


def _in_order(objects: Sequence[LabelledObject], shown: Sequence[Shown]) -> list[LabelledObject]:
    place = {each.picture: number for number, each in enumerate(shown)}
    return sorted(objects, key=lambda one: (place[one.picture], int(one.id.rpartition("#")[2])))


def _detected(state: LabelState) -> Literal["segment", "__end__"]:
    return "__end__" if state["stop"] else "segment"


def _segmented(state: LabelState) -> Literal["route", "__end__"]:
    return "__end__" if state["stop"] else "route"


def _routed(state: LabelState, runtime: Context) -> Literal["judge", "review", "export"]:
    if any(one.route == "judge" for one in runtime.context.objects(state)):
        return "judge"
    return "review" if state["asked"] else "export"


def _reviewed(state: LabelState) -> Literal["review", "route", "__end__"]:
    if state["stop"]:
        return "__end__"
    return "review" if state["wrong"] else "route"


def build() -> StateGraph[LabelState, LabelContext, LabelState, LabelState]:
    """The state machine, not compiled; its nodes work with a `LabelContext`."""
    machine = StateGraph(LabelState, context_schema=LabelContext)
    for node in (look, detect, segment, route, judge, review, export):
        machine.add_node(node.__name__, node)
    machine.add_edge(START, "look")
    machine.add_edge("look", "detect")
    machine.add_conditional_edges("detect", _detected)
    machine.add_conditional_edges("segment", _segmented)
    machine.add_conditional_edges("route", _routed)
    machine.add_edge("judge", "route")
    machine.add_conditional_edges("review", _reviewed)
    machine.add_edge("export", END)
    return machine
