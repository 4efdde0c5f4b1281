"""What the runner adds to a superstep of LangGraph: the same graph, with and without it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, Literal, TypedDict

from .figures import Figure, Options

__all__ = ["measure"]

_STEPS = 200


class Counter(TypedDict):
    """A state of about a kilobyte, as the loop's is."""

    n: int
    text: str


def measure(options: Options) -> list[Figure]:
    """Milliseconds a superstep, in memory and with a checkpoint in SQLite after each."""
    found: dict[str, list[float]] = {}
    for _ in range(max(3, options.repeats)):
        with tempfile.TemporaryDirectory() as folder:
            for name, took in asyncio.run(_both(Path(folder))).items():
                found.setdefault(name, []).append(1000 * took / _STEPS)
    figures = []
    for where in ("in memory", "with SQLite"):
        bare, ours = found[f"bare {where}"], found[f"runner {where}"]
        figures += [
            Figure.of(f"superstep, LangGraph alone, {where}", bare, "ms"),
            Figure.of(f"superstep, through the runner, {where}", ours, "ms"),
            Figure.of(f"the runner adds, {where}", [b - a for a, b in zip(bare, ours, strict=True)], "ms"),
        ]
    return figures


async def _both(folder: Path) -> dict[str, float]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from inloop.runtime.machine.runner import Checkpoints, Runner

    start: Counter = {"n": 0, "text": "x" * 1000}
    config: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": _STEPS + 10}
    found = {}

    began = time.perf_counter()
    await _graph().compile().ainvoke(start, config)
    found["bare in memory"] = time.perf_counter() - began

    began = time.perf_counter()
    await Runner(_graph(), context=None, checkpoints=None, thread_id="t", max_steps=_STEPS + 5).start(start)
    found["runner in memory"] = time.perf_counter() - began

    async with AsyncSqliteSaver.from_conn_string(str(folder / "bare.sqlite")) as saver:
        await saver.setup()
        await saver.conn.execute("PRAGMA synchronous = FULL")
        began = time.perf_counter()
        await _graph().compile(checkpointer=saver).ainvoke(start, config, durability="sync")
        found["bare with SQLite"] = time.perf_counter() - began

    async with Checkpoints(folder / "runner.sqlite") as checkpoints:
        runner = Runner(_graph(), context=None, checkpoints=checkpoints, thread_id="t", max_steps=_STEPS + 5)
        began = time.perf_counter()
        await runner.start(start)
        found["runner with SQLite"] = time.perf_counter() - began
    return found


def _graph() -> Any:
    from langgraph.graph import END, START, StateGraph

    async def count(state: Counter) -> dict[str, Any]:
        return {"n": state["n"] + 1}

    def onward(state: Counter) -> Literal["count", "__end__"]:
        return "count" if state["n"] < _STEPS else END

    graph = StateGraph(Counter)
    graph.add_node("count", count)
    graph.add_edge(START, "count")
    graph.add_conditional_edges("count", onward)
    return graph
