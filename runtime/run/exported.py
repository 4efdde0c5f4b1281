"""A loop as a LangGraph graph of its own, for servers and tools that know graphs and speak JSON alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

from ..session import Event, RunConfig

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from .loop import Loop

__all__ = ["Exported", "exported"]


class Exported(TypedDict):
    """What a graph that stands for a loop ends with: the run's `RunResult` as JSON."""

    result: dict[str, Any]


def exported(loop: Loop[Any, Any, Any, Any, Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A graph of one node that takes the fields of the loop's config, runs the whole loop, and gives its result.

    The run has its folder, its budget and its ledger as from any other caller; its events are streamed as `custom` parts.
    The machine inside works with opened models, which no JSON can hold: `langgraph dev` could not call it by itself. It runs in a thread with an
    event loop of its own, so that the server answers meanwhile.
    """

    async def carried(state: RunConfig) -> Exported:
        write, server = get_stream_writer(), asyncio.get_running_loop()

        def on_event(event: Event) -> None:
            server.call_soon_threadsafe(write, event.model_dump(mode="json"))

        options = {name: getattr(state, name) for name in state.model_fields_set}
        result = await asyncio.to_thread(loop, on_event=on_event, **options)
        return {"result": result.model_dump(mode="json")}

    config: type[RunConfig] = loop.config
    graph = StateGraph(Exported, input_schema=config, output_schema=Exported)
    graph.add_node(loop.name, carried, input_schema=config)
    graph.add_edge(START, loop.name)
    graph.add_edge(loop.name, END)
    return graph.compile(name=loop.name)
