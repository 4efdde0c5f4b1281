"""What people said of masks, kept in the call ledger: nobody is asked the same twice, in this run or a later one.

An answer is to a mask of a class in a picture: where any of the three is another one, it is another question. Of a mask that was made of a
person's box, the box as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...runtime.records import BlobRef, Cost
from ...runtime.store import Call, Ledger
from .result import LabelledObject

__all__ = ["keep_added", "keep_answer", "known_added", "known_answer"]

Json = dict[str, Any]


async def keep_answer(ledger: Ledger, each: LabelledObject, answer: Json) -> None:
    """Keep what a person says of a mask: a verdict, with a label where they gave another."""
    await _keep(ledger, _of_mask(each), answer)


async def known_answer(ledger: Ledger, each: LabelledObject) -> Json | None:
    """What a person said of this mask; None where nobody did."""
    return await _known(ledger, _of_mask(each))


async def keep_added(ledger: Ledger, image: BlobRef, label: str, box: Sequence[float]) -> None:
    """Keep the box that a person gives in a picture, for a bad mask or for what was missed."""
    added = {"label": label, "box": list(box)}
    kept = await known_added(ledger, image)
    if added not in kept:
        await _keep(ledger, {"image": image.sha256, "added": len(kept) + 1}, added)


async def known_added(ledger: Ledger, image: BlobRef) -> list[Json]:
    """The boxes that people gave in a picture, each with its label, in their order."""
    found: list[Json] = []
    while (added := await _known(ledger, {"image": image.sha256, "added": len(found) + 1})) is not None:
        found.append(added)
    return found


def _of_mask(each: LabelledObject) -> Json:
    box = {"box": list(each.box)} if each.origin == "person" else {}
    return {"image": each.image.sha256, "mask": each.mask.sha256, "label": each.was or each.label} | box


def _call(inputs: Json) -> Call:
    return Call(kind="review", model="a person", revision="1", params={}, inputs=inputs)


async def _keep(ledger: Ledger, inputs: Json, value: Json) -> None:
    async def said() -> tuple[Json, Cost]:
        return value, Cost()

    await ledger.once(_call(inputs), said)


async def _known(ledger: Ledger, inputs: Json) -> Json | None:
    async def nobody() -> tuple[Json, Cost]:
        raise LookupError

    try:
        value, _ = await ledger.once(_call(inputs), nobody)
    except LookupError:
        return None
    known: Json = value
    return known
