"""`curate`: a folder of pictures cleaned, and what that cost whom.

```
curate("photos/", to="clean/", test="test/", groups="a photo of a woman; a photo of a man")
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.run import Loop, exported
from ...runtime.session import Session
from .asked import STOPPED
from .config import CurateConfig
from .context import CurateContext, Sources, first_state, sources_of
from .graph import build
from .result import Cleaned, CurateResult

__all__ = ["curate", "graph"]

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

_STEPS = 200  # a person may change their mind


def _inputs(config: CurateConfig) -> Mapping[str, Sources]:
    return {"folder": sources_of(config)}


async def _work(context: CurateContext, id: str, sources: Sources) -> Cleaned | None:
    state = await context.session.finish(build(), context=context, id=id, start=first_state(), max_steps=_STEPS)
    if state["stop"] == STOPPED:
        raise BadInput(STOPPED)
    if state["stop"]:
        return None
    cleaned = Cleaned.model_validate_json(context.session.store.blobs.get(state["cleaned"]))
    for note in (*cleaned.audit.alarms, *cleaned.notes):  # of a process before this one as well
        context.tell(note)
    return cleaned


def _open(config: CurateConfig, session: Session) -> CurateContext:
    return CurateContext.open(config, session)


curate = Loop(
    name="curate",
    config=CurateConfig,
    result=CurateResult,
    inputs=_inputs,
    open=_open,
    work=_work,
    brings={
        "models": "by role: clip (Embedder), captioner (Captioner), vqa (VisualQA), itm (Rewarder)",
        "reviewer": "with review=True: an async function that takes an `Offer` as a dictionary and gives a `Review`",
    },
    brief="a folder of pictures cleaned: copies, leaks, groups, captions; nothing is deleted",
)


def graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The loop for `langgraph dev`: the fields of `CurateConfig` in, the result out."""
    return exported(curate)
