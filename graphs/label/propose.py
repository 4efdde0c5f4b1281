"""Boxes and masks of the models, with what people said of them before, and the labels that people made elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...runtime.records import Detection, Segment
from ...runtime.session import each as each_one
from ...tools.labels import PictureLabels
from ...tools.segmentation import Box, Mask, box_iou, get_mask, mask_iou, put_mask
from .answers import known_added, known_answer
from .context import LabelContext, Shown
from .result import LabelledObject
from .router import RIGHT

__all__ = ["apart", "imported", "objects_of", "recalled"]

_SAME, _SAME_PLACE = 0.7, 0.9
"""Boxes of one class, or of any, that overlap so far are one thing's: the surest stays (SAM's own generator drops boxes at .7)."""


def apart(found: Sequence[Detection], least: float) -> list[Detection]:
    """The surest detections of `least` and more that do not overlap a surer one."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda detection: -detection.score):
        if one.score < least or one.box[2] <= one.box[0] or one.box[3] <= one.box[1]:
            continue
        if all(box_iou(one.box, other.box) < (_SAME if one.label == other.label else _SAME_PLACE) for other in kept):
            kept.append(one)
    return kept


async def objects_of(
    context: LabelContext, shown: Sequence[Shown], boxes: Mapping[str, Sequence[tuple[str, float | None, Box]]],
    first: Mapping[str, int], origin: Any,
) -> tuple[list[LabelledObject], dict[str, str]]:  # fmt: skip
    """Boxes (label, score, box) of pictures as objects with their masks, numbered from `first` on; by picture, why one has none."""
    here = [each for each in shown if boxes.get(each.picture)]
    asked = [(each.image, tuple(box for _, _, box in boxes[each.picture])) for each in here]
    objects, failed = [], {}
    for each, segments in zip(here, await each_one(context.segmenter.segment, asked), strict=True):
        if isinstance(segments, Exception):
            failed[each.picture] = str(segments)
            continue
        for number, ((label, score, box), segment) in enumerate(zip(boxes[each.picture], segments, strict=True)):
            id = f"{each.picture}#{first.get(each.picture, 1) + number}"
            objects.append(_object(id, each, label, score, box, segment, origin))
    return objects, failed


def _object(
    id: str, shown: Shown, label: str, score: float | None, box: Box, segment: Segment, origin: Any
) -> LabelledObject:
    return LabelledObject(
        id=id, picture=shown.picture, image=shown.image, label=label, score=score, box=box, mask=segment.mask, iou=segment.iou,
        stability=segment.stability, origin=origin,
    )  # fmt: skip


async def recalled(
    context: LabelContext, shown: Sequence[Shown], objects: Sequence[LabelledObject]
) -> tuple[list[LabelledObject], dict[str, str]]:
    """The objects with what people said of them in earlier runs, and those of the boxes that they gave, whatever the models find now."""
    ledger, names = context.session.store.ledger, context.config.names
    boxes: dict[str, list[tuple[str, float | None, Box]]] = {}
    for each in shown:
        added = [(str(one["label"]), None, _as_box(one["box"])) for one in await known_added(ledger, each.image)]
        boxes[each.picture] = [one for one in added if one[0] in names]
    counts = Counter(one.picture for one in objects)
    made, failed = await objects_of(
        context, shown, boxes, {each.picture: 1 + counts[each.picture] for each in shown}, "person"
    )
    answered = [_with(one, await known_answer(ledger, one) or {}, names) for one in (*objects, *made)]
    return _without_doubles(answered), failed


def _as_box(values: Sequence[float]) -> Box:
    x0, y0, x1, y1 = values
    return (x0, y0, x1, y1)


def _without_doubles(objects: Sequence[LabelledObject]) -> list[LabelledObject]:
    """The objects, where a box of the models that nobody answered gives way to a person's of the same thing: another detector may find it again."""
    people = [one for one in objects if one.origin == "person"]

    def doubled(one: LabelledObject) -> bool:
        return (
            one.origin == "detector"
            and not one.answer
            and any(
                other.picture == one.picture and other.label == one.label and box_iou(other.box, one.box) >= _SAME
                for other in people
            )
        )

    return [one.model_copy(update={"replaced": True}) if doubled(one) else one for one in objects]


def _with(one: LabelledObject, answer: Mapping[str, Any], names: Sequence[str]) -> LabelledObject:
    if not answer or (answer["verdict"] == "label" and answer["label"] not in names):
        return one
    told: dict[str, Any] = {"answer": answer["verdict"], "audit": bool(answer.get("audit"))}
    if answer["verdict"] == "label":
        told |= {"label": answer["label"], "was": one.label}
    return one.model_copy(update=told)


async def imported(
    context: LabelContext,
    shown: Sequence[Shown],
    objects: Sequence[LabelledObject],
    answers: Mapping[str, PictureLabels],
) -> tuple[list[LabelledObject], dict[str, str]]:
    """The objects, where people's own labels take the place of the models' in the pictures that they have labelled.

    A mask of the models is right where a person's of the same class overlaps it as far as `RIGHT`, of which each counts once.
    """
    blobs = context.session.store.blobs
    theirs = {each.picture: each for each in shown if each.picture in answers}
    out = [one for one in objects if one.picture not in theirs]
    boxes: dict[str, list[tuple[str, float | None, Box]]] = {}
    for picture, each in theirs.items():
        width, height = each.size
        labels = answers[picture]
        # labelled at another size, as some tools show pictures
        wide, high = width / max(labels.width, 1), height / max(labels.height, 1)
        own = [one for one in objects if one.picture == picture and one.origin == "detector"]
        masks = {one.id: get_mask(one.mask, blobs) for one in own}
        free, number = list(own), len(own)
        right: set[str] = set()
        for thing in labels.things:
            box = (thing.box[0] * wide, thing.box[1] * high, thing.box[2] * wide, thing.box[3] * high)
            mask = thing.mask if thing.mask is not None and thing.mask.shape == (height, width) else None
            best = max(free, key=lambda one: _overlap(one, masks[one.id], box, mask), default=None)
            if best is not None and best.label == thing.label and _overlap(best, masks[best.id], box, mask) >= RIGHT:
                right.add(best.id)
                free.remove(best)
            if mask is None:
                boxes.setdefault(picture, []).append((thing.label, None, _inside(box, each.size)))
                continue
            number += 1
            segment = Segment(mask=put_mask(mask, blobs), iou=1.0, stability=1.0)
            stands = _object(f"{picture}#{number}", each, thing.label, None, box, segment, "import")
            out.append(stands.model_copy(update={"answer": "right"}))
        for one in own:
            verdict = "right" if one.id in right else "wrong"
            out.append(one.model_copy(update={"answer": verdict, "replaced": True}))
    first = {picture: len([one for one in out if one.picture == picture]) + 1 for picture in boxes}
    made, failed = await objects_of(context, shown, boxes, first, "import")
    return [*out, *(one.model_copy(update={"answer": "right"}) for one in made)], failed


def _inside(box: Box, size: tuple[int, int]) -> Box:
    x0, y0 = max(0.0, min(box[0], size[0] - 1.0)), max(0.0, min(box[1], size[1] - 1.0))
    return (x0, y0, max(x0 + 1.0, min(box[2], float(size[0]))), max(y0 + 1.0, min(box[3], float(size[1]))))


def _overlap(one: LabelledObject, own: Mask, box: Box, mask: Mask | None) -> float:
    return box_iou(one.box, box) if mask is None else mask_iou(own, mask)
