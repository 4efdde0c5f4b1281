"""The two nodes that ask a person, by a LangGraph interrupt: which groups count, and whether what was chosen is right."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from ...runtime.errors import BadInput
from ...runtime.records import options_checked
from .context import CurateContext, CurateState
from .propose import Proposed
from .result import Cleaned
from .review import Offer, Review

__all__ = ["STOPPED", "confirm", "review"]

STOPPED = "a person stopped it: nothing is written"
Context = Runtime[CurateContext]


async def confirm(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Ask a person which groups count: nothing depends on them before."""
    context = runtime.context
    offered = Proposed.model_validate_json(context.session.store.blobs.get(state["proposed"])).groups
    if not offered:
        return {"groups": []}
    answer = interrupt(
        Offer(folder=context.config.folder, groups=offered, wrong=state["wrong"]).model_dump(mode="json")
    )
    try:
        with options_checked():
            said = Review.model_validate(answer)
        return {"groups": list(said.chosen(offered)), "wrong": "", "stop": STOPPED if said.stop else ""}
    except BadInput as error:
        return {"wrong": str(error)}


async def review(state: CurateState, runtime: Context) -> dict[str, Any]:
    """Ask a person; what they say is checked before it counts."""
    context = runtime.context
    cleaned = Cleaned.model_validate_json(context.session.store.blobs.get(state["cleaned"]))
    offer = Offer(folder=context.config.folder, cleaned=cleaned, to=context.config.to, wrong=state["wrong"])
    answer = interrupt(offer.model_dump(mode="json"))
    try:
        with options_checked():
            said = Review.model_validate(answer)
        said.check({each_.path for each_ in context.looked(state).looks}, exact=context.config.copies == "exact")
    except BadInput as error:
        return {"wrong": str(error), "reviews": state["reviews"] + 1}
    kept = list(dict.fromkeys([*state["kept"], *said.keep]))
    threshold = said.threshold if said.threshold is not None else state["threshold"]
    again = said.threshold is not None or bool(said.keep)
    return {
        "threshold": threshold, "kept": kept, "approved": not again, "reviews": state["reviews"] + 1, "wrong": "",
        "stop": STOPPED if said.stop else "",
    }  # fmt: skip
