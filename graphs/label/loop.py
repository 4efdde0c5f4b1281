"""`label`: a folder of pictures with boxes and masks, and a person asked about what is doubtful.

```
label("photos/", classes="cup; dog", detector="google/owlv2-base-patch16-ensemble", segmenter="facebook/sam2.1-hiera-tiny", to="labels/")
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.run import Loop, exported
from ...runtime.session import Session
from .config import LabelConfig
from .context import LabelContext, Sources, first_state, sources_of
from .graph import build
from .result import Labelled, LabelResult

__all__ = ["graph", "label"]

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

_STEPS = 20_000  # a person may look at many pages


def _inputs(config: LabelConfig) -> Mapping[str, Sources]:
    return {"folder": sources_of(config)}


async def _work(context: LabelContext, id: str, sources: Sources) -> Labelled | None:
    state = await context.session.finish(build(), context=context, id=id, start=first_state(), max_steps=_STEPS)
    if state["stop"] and state["asked"]:
        raise BadInput(state["stop"])
    if state["stop"]:
        return None
    labelled = Labelled.model_validate_json(context.session.store.blobs.get(state["labelled"]))
    for note in labelled.notes:  # of a process before this one as well
        context.tell(note)
    return labelled


def _open(config: LabelConfig, session: Session) -> LabelContext:
    return LabelContext.open(config, session)


label = Loop(
    name="label",
    config=LabelConfig,
    result=LabelResult,
    inputs=_inputs,
    open=_open,
    work=_work,
    brings={
        "models": "by role: detector (Detector), segmenter (Segmenter), judge (VisualQA)",
        "reviewer": "with review=True: an async function that takes an `Offer` as a dictionary and gives a `Review`",
    },
    brief="pictures labelled with boxes and masks; a judge and a person are asked about what is doubtful",
)


def graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The loop for `langgraph dev`: the fields of `LabelConfig` in, the result out."""
    return exported(label)
