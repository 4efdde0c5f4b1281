"""A vision-language model is shown a mask and asked whether it covers what it is called."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...prompts import load
from ...runtime.records import Answer, BlobRef
from ...runtime.session import each as each_one
from ...tools.models import is_bundled
from ...tools.segmentation import cut_out, get_mask, highlighted
from ...tools.vision import drawn_ground, is_drawn
from .context import LabelContext
from .result import LabelledObject

__all__ = ["judged"]


async def judged(context: LabelContext, objects: Sequence[LabelledObject]) -> list[LabelledObject]:
    """The objects with P(yes) of the judge; None where it could not tell.

    It sees the picture with all else dimmed and the mask outlined in pink. mini-vqa, which knows drawn pictures alone, sees what is masked by
    itself on the plain ground; of another picture it is not asked.
    """
    judge = context.judge
    assert judge is not None
    bundled = is_bundled(judge)
    words = load("labels/mini_shown" if bundled else "labels/covered")

    def pictures() -> dict[str, BlobRef]:
        made = {}
        for one in objects:
            picture = context.session.store.blobs.get_image(one.image).convert("RGB")
            mask = get_mask(one.mask, context.session.store.blobs)
            if bundled and is_drawn(picture):
                shown = cut_out(picture, mask, drawn_ground(picture).tolist())
            elif not bundled:
                shown = highlighted(picture, mask)
            else:
                continue
            made[one.id] = context.session.store.blobs.put_image(shown)
        return made

    shown = await asyncio.to_thread(pictures)
    asked = [one for one in objects if one.id in shown]
    questions = [(shown[one.id], words.render(label=one.label)) for one in asked]
    told = dict(zip((one.id for one in asked), await each_one(judge.answer, questions), strict=True))
    return [one.model_copy(update={"judged": True, "p_yes": _p_yes(told.get(one.id))}) for one in objects]


def _p_yes(answer: Answer | Exception | None) -> float | None:
    if not isinstance(answer, Answer):
        return None
    return answer.p_yes if answer.p_yes is not None else {"yes": 1.0, "no": 0.0}.get(answer.text.strip(" .").lower())
