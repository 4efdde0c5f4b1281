"""The rules that LangGraph leaves unchecked: of a graph's shape, and of what its nodes and routers answer.

`check` looks at a builder before anything runs; `guarded` gives a copy whose nodes and routers are checked as they run.
Every refusal is a `RunnerError` that names the node, and for state the path of the key.
"""

from __future__ import annotations

import copy
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass, replace
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, Overwrite, RetryPolicy, Send
from pydantic import BaseModel

from ..errors import RunnerError
from ..telemetry import span

__all__ = ["MAX_STATE_BYTES", "Graph", "check", "check_size", "check_update", "guarded"]

MAX_STATE_BYTES = 16 * 1024
Graph = StateGraph[Any, Any, Any, Any]
_RETRY_ON = RetryPolicy().retry_on


def check(graph: Graph) -> None:
    """Check the shape of a graph: its edges, the targets that nodes and routers declare, and its retry policies.

    Raises:
        RunnerError: with every problem found, by node.
    """
    known = {*graph.nodes, END}
    onward: dict[str, set[str]] = {name: set() for name in (START, *graph.nodes)}
    edges = set(graph.edges) | {(start, end) for starts, end in graph.waiting_edges for start in starts}
    problems: list[str] = []
    if "__root__" in graph.channels:
        problems.append("the state must be a TypedDict, a dataclass or a pydantic model with named keys")
    for start, end in sorted(edges):
        if start not in onward or end not in known:
            problems.append(f"there is an edge from {start!r} to {end!r}, and no such node")
        else:
            onward[start].add(end)
    for start, branches in graph.branches.items():
        for name, branch in branches.items():
            if branch.ends is None:
                problems.append(
                    f"the router {name!r} of node {start!r} does not say where it can go: annotate it with"
                    " `-> Literal[...]` or pass path_map=[...]"
                )
            onward.setdefault(start, set()).update((branch.ends or {}).values())
    for name, spec in graph.nodes.items():
        ends = set(spec.ends or ())
        if ends and (onward[name]):
            problems.append(
                f"node {name!r} has edges and returns Command: LangGraph would follow both; keep one of them"
            )
        onward[name] |= ends
        if spec.error_handler_node:
            onward[name].add(spec.error_handler_node)
        if not onward[name] and not spec.is_error_handler:
            problems.append(
                f"node {name!r} leads nowhere: add an edge (to END), or annotate `-> Command[Literal[...]]`"
            )
        if isinstance(spec.runnable, Pregel):
            problems.append(
                f"node {name!r} is a compiled graph: call it from a function that maps its input and output"
            )
        if _retries_anything(spec.retry_policy):
            problems.append(f"node {name!r} retries whatever fails, a 400 or 401 too: give its RetryPolicy a retry_on")
    if _retries_anything(graph._node_defaults.retry_policy):
        problems.append("the default RetryPolicy of the nodes retries whatever fails: give it a retry_on")
    for start, ends in onward.items():
        problems += [f"node {start!r} goes to {end!r}, and there is no such node" for end in sorted(ends - known)]
    reached, frontier = set[str](), {START}
    while frontier:
        reached |= frontier
        frontier = {end for start in frontier for end in onward.get(start, ())} - reached
    problems += [f"nothing leads to node {name!r}" for name in graph.nodes if name not in reached]
    if problems:
        raise RunnerError("the graph cannot be run:\n" + "\n".join(f"  - {problem}" for problem in problems))


def _retries_anything(policy: RetryPolicy | Sequence[RetryPolicy] | None) -> bool:
    # RetryPolicy is itself a tuple
    policies = [policy] if policy is None or isinstance(policy, RetryPolicy) else policy
    return any(each is not None and each.retry_on is _RETRY_ON for each in policies)


def guarded(graph: Graph, max_steps: int) -> Graph:
    """A copy of the builder whose nodes and routers are checked as they run."""
    twin = copy.copy(graph)
    known, keys = {*graph.nodes, END}, set(graph.channels)
    twin.nodes = {
        name: replace(spec, runnable=_GuardedNode(name, spec, known, keys, max_steps))
        for name, spec in graph.nodes.items()
    }
    twin.branches = defaultdict(dict)
    for start, found in graph.branches.items():
        for name, branch in found.items():
            router = _GuardedRouter(start, branch.path, known, branch.ends or {})
            twin.branches[start][name] = branch._replace(path=router)
    return twin


class _GuardedNode(Runnable[Any, Any]):
    def __init__(self, name: str, spec: Any, known: set[str], keys: set[str], max_steps: int) -> None:
        self.name = name
        self._inner: Runnable[Any, Any] = spec.runnable
        self._ends = known if spec.is_error_handler else set(spec.ends or ())
        self._known, self._keys, self._max_steps = known, keys, max_steps

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        self._count(config)
        with span("node", node=self.name):
            return self._checked(self._inner.invoke(input, config, **kwargs))

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        self._count(config)
        with span("node", node=self.name):
            return self._checked(await self._inner.ainvoke(input, config, **kwargs))

    def _count(self, config: RunnableConfig | None) -> None:
        step = ((config or {}).get("metadata") or {}).get("langgraph_step", 0)
        if step > self._max_steps:
            raise RunnerError(
                f"the graph has not come to its end within max_steps={self._max_steps} (next: node {self.name!r}):"
                " its loop does not stop, or max_steps is too small."
            )

    def _checked(self, output: Any) -> Any:
        place = f"the update of node {self.name!r}"
        for update in output if isinstance(output, list | tuple) else [output]:
            if update is None:
                continue
            if isinstance(update, Command):
                self._check_goto(update)
                if update.update is not None:
                    if not isinstance(update.update, dict):
                        raise RunnerError(f"{place}: Command(update=...) must be a dict, not {update.update!r:.80}.")
                    check_update(update.update, self._keys, place)
            elif isinstance(update, dict):
                check_update(update, self._keys, place)
            else:
                raise RunnerError(
                    f"{place} is a {type(update).__name__}: return a dict of the keys that change"
                    " (a whole state would apply its reducers twice)."
                )
        return output

    def _check_goto(self, command: Command[Any]) -> None:
        targets = [command.goto] if isinstance(command.goto, Send | str) else command.goto
        for target in targets:
            name = target.node if isinstance(target, Send) else target
            _check_target(name, self._known, f"Command(goto=...) of node {self.name!r}")
            if name not in self._ends:
                raise RunnerError(
                    f"Command(goto={name!r}) of node {self.name!r} is not among the targets that it declares"
                    f" ({', '.join(sorted(self._ends)) or 'none'}): add it to `-> Command[Literal[...]]`."
                )
            if isinstance(target, Send):
                _check_json(target.arg, f"Send({name!r}) of node {self.name!r}")


class _GuardedRouter(Runnable[Any, Any]):
    def __init__(self, node: str, inner: Runnable[Any, Any], known: set[str], ends: Mapping[Any, str]) -> None:
        self._node, self._inner, self._known, self._ends = node, inner, known, ends

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._checked(self._inner.invoke(input, config, **kwargs))

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._checked(await self._inner.ainvoke(input, config, **kwargs))

    def _checked(self, output: Any) -> Any:
        place = f"the router of node {self._node!r}"
        for target in output if isinstance(output, list | tuple) else [output]:
            if isinstance(target, Send):
                _check_target(target.node, self._known, place)
                _check_json(target.arg, f"Send({target.node!r}) of node {self._node!r}")
            elif target not in self._ends:
                raise RunnerError(f"{place} answered {target!r}, which is none of {', '.join(map(repr, self._ends))}.")
        return output


def _check_target(name: Any, known: set[str], place: str) -> None:
    if name not in known:
        raise RunnerError(
            f"{place} names {name!r}, and there is no such node: {', '.join(sorted(known - {END}))} (or END)."
        )


def check_update(update: dict[str, Any], keys: set[str], place: str) -> None:
    unknown = [key for key in update if key not in keys]
    if unknown:
        raise RunnerError(
            f"{place} has the unknown key {unknown[0]!r}, which LangGraph would drop; the keys are"
            f" {', '.join(sorted(keys))}."
        )
    _check_json(update, place)
    check_size(update, place)


def _check_json(value: Any, place: str, path: str = "") -> None:
    """Refuse whatever a checkpoint would not give back as it was."""
    kind = type(value)
    if value is None or kind is bool:
        return
    if kind is str:
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise _no_json(place, path, "a text with a lone surrogate", "encode it properly") from None
    elif kind is int:
        if not -(2**63) <= value < 2**63:
            raise _no_json(place, path, "an integer of more than 64 bits", "keep it as a text")
    elif kind is float:
        if not math.isfinite(value):
            raise _no_json(place, path, repr(value), "use None for what is not known")
    elif kind is list:
        for number, item in enumerate(value):
            _check_json(item, place, f"{path}[{number}]")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise _no_json(place, path, f"a dict with the key {key!r}", "use text keys")
            _check_json(item, place, f"{path}.{key}" if path else key)
    elif kind is Overwrite:
        _check_json(value.value, place, path)
    elif isinstance(value, BaseModel):
        raise _no_json(place, path, f"a {kind.__name__}", "use .model_dump(mode='json')")
    elif kind is tuple:
        raise _no_json(place, path, "a tuple", "use a list, which is what comes back from a checkpoint")
    elif isinstance(value, int | float | str) or kind.__module__.partition(".")[0] == "numpy":
        raise _no_json(place, path, f"a {kind.__name__}", "convert it with float(), int(), str() or .tolist()")
    else:
        raise _no_json(place, path, f"a {kind.__name__}", "put it into the blob store and keep its sha256 here")


def _no_json(place: str, path: str, what: str, remedy: str) -> RunnerError:
    return RunnerError(f"{place}: {path or 'the value'} is {what}, and state is plain JSON: {remedy}.")


def check_size(state: Any, place: str = "the state") -> None:
    values = state if isinstance(state, dict) else _fields(state)
    whole = _bytes(values)
    if whole > MAX_STATE_BYTES:
        sizes = sorted(((_bytes(value), key) for key, value in values.items()), reverse=True)
        size, key = sizes[0]
        raise RunnerError(
            f"{place} has {whole} bytes as JSON, and may have {MAX_STATE_BYTES}: {key!r} alone has {size}."
            " Keep histories in the event file and pictures in the blob store, and only their names in the state."
        )


def _fields(state: Any) -> dict[str, Any]:
    if isinstance(state, BaseModel):
        return {name: getattr(state, name) for name in type(state).model_fields}
    return {field.name: getattr(state, field.name) for field in dataclass_fields(state)} if is_dataclass(state) else {}


def _bytes(value: Any) -> int:
    return len(_ENCODER.encode(value).encode("utf-8", "replace"))


def _loose(value: Any) -> Any:
    """For the size only: a reducer or a pydantic state may hold records."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value.value if isinstance(value, Overwrite) else _fields(value) or str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_loose)
