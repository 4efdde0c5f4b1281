"""What people said of masks, kept in the call ledger: nobody is asked the same twice, in this run or a later one.

An answer is to a mask of a class in a picture: where any of the three is another one, it is another question. Of a mask that was made of a
person's box, the box as well.
"""

from __future__ import annotations

from typing import Any

from ...runtime.records import BlobRef, Cost
from ...runtime.store import Call, Ledger
from .result import LabelledObject

__all__ = ["answer_key", "keep_added", "keep_answer", "known_added", "known_answer"]

Json = dict[str, Any]


async def keep_answer(ledger: Ledger, each: LabelledObject, answer: Json) -> None:
    """Keep what a person says of a mask: a verdict, with a label or a box where they gave one."""
    await _keep(ledger, _of_mask(each), answer)


async def known_answer(ledger: Ledger, each: LabelledObject) -> Json | None:
    """What a person said of this mask; None where nobody did."""
    return await _known(ledger, _of_mask(each))


async def keep_added(ledger: Ledger, image: BlobRef, number: int, added: Json) -> None:
    """Keep the box of an object that was missed in a picture; `number`: which one, from 1 on."""
    await _keep(ledger, {"image": image.sha256, "added": number}, added)


async def known_added(ledger: Ledger, image: BlobRef) -> list[Json]:
    """The boxes that people added to a picture."""
    found: list[Json] = []
    while (added := await _known(ledger, {"image": image.sha256, "added": len(found) + 1})) is not None:
        found.append(added)
    return found


def answer_key(each: LabelledObject) -> str:
    """The question that an answer to this mask is kept under."""
    return _call(_of_mask(each)).key


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
