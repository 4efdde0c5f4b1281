"""The page of masks that a person is shown next: which, and how."""

from __future__ import annotations

import io
from collections.abc import Sequence
from hashlib import sha256

from ...runtime.records import BlobRef
from ...tools.segmentation import get_mask, highlighted
from .context import LabelContext, LabelState
from .result import Calibration, LabelledObject
from .review import Offer, Offered

__all__ = ["offer_of", "page_of"]

_AUDIT = 6  # of so many masks of a page one is of the accepted, once there is a threshold
_SIDE = 480


def page_of(
    context: LabelContext, state: LabelState, objects: Sequence[LabelledObject], calibration: Calibration
) -> tuple[list[str], list[str]]:
    """The ids of the next page, the most doubtful first, and which of them are accepted ones that were drawn at random.

    What only the worst ones say tells nothing of where to cut: half of a page is drawn from the surest third, of all as long as no threshold is
    known, then of those below it, and some of the accepted.
    """
    config = context.config
    room = config.page if config.looks is None else min(config.page, config.looks - state["looks"])
    if not config.review or state["done"] or room <= 0:
        return [], []
    open_ = [one for one in objects if one.answer == "" and one.route in ("person", "accepted")]
    doubtful = [one for one in open_ if one.route == "person"]
    accepted = [one for one in open_ if one.route == "accepted"]
    if not doubtful and (state["looks"] or any(one.audit for one in objects)):
        return [], []

    def drawn(pool: Sequence[LabelledObject], count: int) -> list[LabelledObject]:
        return sorted(
            pool, key=lambda one: sha256(f"{config.seed} {one.id}".encode("utf-8", "surrogatepass")).hexdigest()
        )[:count]

    if not doubtful:
        chosen = drawn(accepted, room)
    else:
        known = calibration.threshold is not None
        chosen = drawn(accepted, room // _AUDIT) if known else []
        surest = sorted(doubtful if known else open_, key=lambda one: (-one.confidence, one.id))
        chosen += drawn(surest[: max(room, len(surest) // 3)], room // 2 - len(chosen))
    taken = {one.id for one in chosen}
    worst = sorted((one for one in doubtful if one.id not in taken), key=lambda one: (one.confidence, one.id))
    page = sorted(
        [*worst[: room - len(chosen)], *chosen], key=lambda one: (one.route == "accepted", one.confidence, one.id)
    )
    return [one.id for one in page], [one.id for one in chosen if one.route == "accepted"]


def offer_of(context: LabelContext, state: LabelState, objects: Sequence[LabelledObject]) -> Offer:
    """The page as it is put to a person; each mask's surroundings are drawn, and kept in the blob store."""
    by_id = {one.id: one for one in objects}
    sizes = {each.picture: each.size for each in context.pictures(state).shown}
    asked = [by_id[id] for id in state["asked"]]
    shown = {*state["asked"]}
    return Offer(
        folder=context.config.folder,
        classes=context.config.names,
        items=tuple(
            Offered(
                id=one.id, picture=one.picture, image=one.image, mask=one.mask, near=_near(context, one), label=one.label, box=one.box,
                size=sizes[one.picture], why=one.why, audit=one.id in state["audited"],
            )
            for one in asked
        ),
        left=sum(one.route == "person" and one.answer == "" and one.id not in shown for one in objects),
        calibration=Calibration.model_validate(context.get(state["calibration"])),
        wrong=state["wrong"],
    )  # fmt: skip


def _near(context: LabelContext, one: LabelledObject) -> BlobRef:
    blobs = context.session.store.blobs
    out = io.BytesIO()
    highlighted(blobs.get_image(one.image), get_mask(one.mask, blobs), side=_SIDE, around=one.box).save(
        out, "JPEG", quality=88
    )
    return blobs.put(out.getvalue(), "image/jpeg")
