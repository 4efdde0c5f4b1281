"""Spans: nothing unless asked for, the `gen_ai` names when on, and what a runner writes."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from inloop.runtime import spans
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.run.runner import Runner

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed: pip install 'inloop[otel]'")


@pytest.fixture
def exported() -> Iterator[Any]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans.enable(provider)
    yield exporter
    spans.disable()


def test_off_by_default_and_harmless() -> None:
    with spans.span("chat", model="m") as current:
        current.set(input_tokens=3)
        current.score("dsg", 0.5)
    with pytest.raises(KeyError), spans.span("chat"):
        raise KeyError


def test_names_scores_and_errors(exported: Any) -> None:
    with spans.span("chat", model="mini-writer", seed=7, server=None) as current:
        current.set(input_tokens=3, output_tokens=5, finish_reasons=("stop",), cached=False)
        current.score("dsg", 50, "no disc")
        current.score("dcs", None)
    with pytest.raises(ValueError, match="bad"), spans.span("execute_tool", tool="images"):
        raise ValueError("bad")
    chat, tool = exported.get_finished_spans()
    assert chat.name == "chat mini-writer"
    assert dict(chat.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "mini-writer",
        "gen_ai.request.seed": 7,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.response.finish_reasons": ("stop",),
        "inloop.cached": False,
    }
    assert [(event.name, dict(event.attributes)) for event in chat.events] == [
        (
            "gen_ai.evaluation.result",
            {
                "gen_ai.evaluation.name": "dsg",
                "gen_ai.evaluation.score.value": 50.0,
                "gen_ai.evaluation.explanation": "no disc",
            },
        ),
        ("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "dcs"}),
    ]
    assert tool.name == "execute_tool images" and tool.attributes["error.type"] == "ValueError"
    assert not tool.status.is_ok


async def test_a_run_is_a_tree(exported: Any) -> None:
    class State(TypedDict):
        n: int

    async def node(state: State) -> State:
        with spans.span("chat", model="m"):
            return {"n": 1}

    graph: Any = StateGraph(State)
    graph.add_node("propose", node)
    graph.add_edge(START, "propose")
    graph.add_edge("propose", END)
    await Runner(graph, context=None, checkpoints=None, thread_id="t-1", max_steps=3).start({"n": 0})
    chat, step, whole = exported.get_finished_spans()
    assert (chat.name, step.name, whole.name) == ("chat m", "node propose", "invoke_workflow State")
    assert chat.parent.span_id == step.context.span_id and step.parent.span_id == whole.context.span_id
    assert whole.attributes["gen_ai.conversation.id"] == "t-1"


def test_to_a_file(tmp_path: Path) -> None:
    spans.enable(file=tmp_path / "spans.jsonl")
    try:
        with spans.span("embeddings", model="clip"):
            pass
        with spans.span("chat", model="m"):
            pass
    finally:
        spans.disable()
    lines = [json.loads(line) for line in (tmp_path / "spans.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["name"] for line in lines] == ["embeddings clip", "chat m"]


def test_asked_for_and_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(PrerequisiteError, match=r"pip install 'inloop\[otel\]'"):
        spans.enable()
