"""Spans: nothing unless asked for, the `gen_ai` names when on, the tree of a run, and where it is written."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from servers import Endpoint, serving
from typing_extensions import TypedDict

from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.folder import RunResult, Task
from inloop.runtime.llm import OpenAIChat
from inloop.runtime.records import Cost, Message
from inloop.runtime.run import Loop
from inloop.runtime.session import RunConfig, Session
from inloop.runtime.settings import Settings
from inloop.runtime.store import Call
from inloop.runtime.telemetry import spans
from inloop.runtime.transport.sender import Sender

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed: pip install 'inloop[otel]'")


@pytest.fixture
def collector() -> Any:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    return InMemorySpanExporter()


@pytest.fixture
def provider(collector: Any) -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(collector))
    return provider


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with serving() as endpoint:
        yield endpoint


class Config(RunConfig):
    SUBJECT = "words"
    words: tuple[str, ...]
    url: str


class State(TypedDict):
    version: int
    word: str


class Context:
    def __init__(self, config: Config, session: Session) -> None:
        self.session = session
        self.chat = OpenAIChat(Sender(config.url, "k", model="m"), store=session.store)
        session.close_later(self.chat)

    async def call(self, kind: str, model: str, word: str) -> None:
        async def compute() -> tuple[str, Cost]:
            return word, Cost(calls=1)

        await self.session.store.ledger.once(
            Call(kind=kind, model=model, revision="1", params={}, inputs=word), compute
        )


async def propose(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    reply = await runtime.context.chat.complete([Message(role="user", content=state["word"])], seed=3, max_tokens=9)
    return {"word": reply.text}


async def score(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    await runtime.context.call("image", "painter", state["word"])
    await runtime.context.call("embedding", "clip", state["word"])
    return {}


async def work(context: Context, id: str, word: str) -> Task:
    graph = StateGraph(State, context_schema=Context)
    graph.add_node("propose", propose)
    graph.add_node("score", score)
    graph.add_edge(START, "propose")
    graph.add_edge("propose", "score")
    graph.add_edge("score", END)
    await context.session.finish(graph, context=context, id=id, start=State(version=1, word=word), max_steps=3)
    return Task(id=id)


paint: Loop[Config, Context, str, Task, RunResult[Task]] = Loop(
    name="paint", config=Config, result=RunResult[Task], inputs=lambda config: {word: word for word in config.words},
    open=Context, work=work,
)  # fmt: skip


def test_off_by_default_and_harmless() -> None:
    with spans.span("chat", model="m") as current:
        current.set(input_tokens=3)
    with pytest.raises(KeyError), spans.span("chat"):
        raise KeyError


def test_names_and_errors(collector: Any, provider: Any) -> None:
    with spans.recorded(provider):
        with spans.span("chat", model="mini-writer", seed=7, stop=None) as current:
            current.set(input_tokens=3, output_tokens=5, finish_reasons=("stop",), cached=False)
        with pytest.raises(ValueError, match="bad"), spans.call_span("image", "painter"):
            raise ValueError("bad")
    with spans.span("chat", model="after"):
        pass
    chat, tool = collector.get_finished_spans()
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
    assert tool.name == "execute_tool image" and tool.attributes["error.type"] == "ValueError"
    assert not tool.status.is_ok


async def test_a_run_is_a_tree_of_tasks_nodes_and_calls(
    collector: Any, provider: Any, server: Endpoint, settings: Settings
) -> None:
    with spans.recorded(provider):
        result = await paint.run("stars", settings=settings, url=server.url)
    finished = {one.name: one for one in collector.get_finished_spans()}
    parents = {one.context.span_id: name for name, one in finished.items()}
    tree = {name: parents[one.parent.span_id] for name, one in finished.items() if one.parent is not None}
    assert tree == {
        "task stars": "invoke_workflow paint",
        "node propose": "task stars",
        "chat m": "node propose",
        "node score": "task stars",
        "execute_tool image": "node score",
        "embeddings clip": "node score",
    }
    assert finished["invoke_workflow paint"].attributes["gen_ai.conversation.id"] == result.run_id
    chat = finished["chat m"].attributes
    assert (chat["gen_ai.request.seed"], chat["gen_ai.request.max_tokens"]) == (3, 9)
    assert (chat["gen_ai.usage.input_tokens"], chat["gen_ai.usage.output_tokens"]) == (7, 5)
    assert chat["inloop.cached"] is False
    assert finished["execute_tool image"].attributes["gen_ai.request.model"] == "painter"
    collector.clear()
    with spans.recorded(provider):
        await paint.run("stars", settings=settings, url=server.url)
    calls = [one for one in collector.get_finished_spans() if "inloop.cached" in one.attributes]
    assert len(calls) == 3 and all(one.attributes["inloop.cached"] for one in calls)


async def test_the_setting_writes_one_file_a_run(server: Endpoint, settings: Settings) -> None:
    on = settings.model_copy(update={"spans": True})
    await asyncio.gather(
        paint.run("stars", settings=on, url=server.url), paint.run("discs", settings=on, url=server.url)
    )
    await paint.run("boxes", settings=settings, url=server.url)
    written = [
        {json.loads(line)["name"] for line in path.read_text(encoding="utf-8").splitlines()}
        for path in settings.runs_dir.glob("paint-*/spans.jsonl")
    ]
    assert len(written) == 2 and {"task stars"} < written[0] | written[1]
    for names in written:
        assert {"invoke_workflow paint", "node score", "chat m", "execute_tool image", "embeddings clip"} < names
        assert len(names & {"task stars", "task discs"}) == 1


def test_the_provider_of_the_program_comes_first(
    collector: Any, provider: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    with spans.written(tmp_path / "spans.jsonl"), spans.span("chat", model="m"):
        pass
    assert [one.name for one in collector.get_finished_spans()] == ["chat m"]
    assert not (tmp_path / "spans.jsonl").exists()


def test_a_collector_that_the_environment_names_is_sent_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(
        "opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed: pip install 'inloop[otel]'"
    )
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        Thread(target=collector.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        with spans.written(tmp_path / "spans.jsonl"), spans.span("chat", model="m"):
            pass
        collector.shutdown()
    [(path, body)] = received
    assert path == "/v1/traces" and b"chat m" in body and b"gen_ai.request.model" in body
    assert not (tmp_path / "spans.jsonl").exists()


def test_asked_for_and_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(PrerequisiteError, match=r"INLOOP_SPANS"), spans.written(tmp_path / "spans.jsonl"):
        raise AssertionError("nothing can be written")
