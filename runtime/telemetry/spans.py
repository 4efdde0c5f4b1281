"""OpenTelemetry spans under the `gen_ai` names; nothing happens outside of `recorded`, `written` and `metrics.measured`.

Operations, from the outside in: `invoke_workflow` (a run), `task` (one of its tasks), `node` (a step of that), and the model
calls `chat`, `embeddings` and `execute_tool` (a painter, a judge; `gen_ai.tool.name` is the kind of call in the ledger). A call
that the ledger answered has `inloop.cached`.
The conventions are still in development (semantic-conventions-genai); a changed name is changed in this room and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ..errors import PrerequisiteError
from .metrics import meter

__all__ = ["NAMES", "Span", "call_span", "recorded", "span", "written"]

NAMES: Mapping[str, str] = {
    "conversation_id": "gen_ai.conversation.id",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "input_tokens": "gen_ai.usage.input_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "model": "gen_ai.request.model",
    "n": "gen_ai.request.choice.count",
    "operation": "gen_ai.operation.name",
    "output_tokens": "gen_ai.usage.output_tokens",
    "seed": "gen_ai.request.seed",
    "temperature": "gen_ai.request.temperature",
    "tool": "gen_ai.tool.name",
    "workflow": "gen_ai.workflow.name",
}
"""Short names of attributes; any other name becomes `inloop.<name>`."""

_SUBJECTS = ("tool", "model", "workflow", "task", "node")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# of the running context, so that two runs of one process write two files
_tracer: ContextVar[Any] = ContextVar("inloop_tracer", default=None)


class Span:
    """A span under way; every method does nothing when spans and metrics are off."""

    def __init__(self, inner: Any = None, attributes: dict[str, Any] | None = None) -> None:
        self._inner = inner
        self._attributes = attributes

    def set(self, **attributes: Any) -> None:
        """Add attributes; those that are None are left out."""
        known = {name: value for name, value in attributes.items() if value is not None}
        if self._attributes is not None:
            self._attributes |= known
        if self._inner is not None:
            for name, value in known.items():
                self._inner.set_attribute(NAMES.get(name, f"inloop.{name}"), _plain(value))


_OFF = Span()


@contextlib.contextmanager
def span(name: str, **attributes: Any) -> Iterator[Span]:
    """A span around a block, which is measured as well; `name` is the operation, and the title adds what it is done with.

    An exception marks the span as failed, with its class as `error.type`, and goes on. No stack is recorded: it would show the errors below
    as well, as a server's own words, which may repeat the key that it was sent.
    """
    tracer, instruments = _tracer.get(), meter()
    if tracer is None and instruments is None:
        yield _OFF
        return
    told, begun, failed = dict(attributes), time.perf_counter(), ""
    subject = next((str(attributes[key]) for key in _SUBJECTS if attributes.get(key)), "")
    started = (
        contextlib.nullcontext()
        if tracer is None
        else tracer.start_as_current_span(f"{name} {subject}".strip(), record_exception=False)
    )
    try:
        with started as inner:
            current = Span(inner, told)
            current.set(operation=name, **attributes)
            try:
                yield current
            except BaseException as error:
                failed = type(error).__qualname__
                if inner is not None:
                    inner.set_attribute("error.type", failed)
                    inner.add_event("exception", {"exception.type": failed, "exception.message": str(error)})
                raise
    finally:
        if instruments is not None:
            instruments.operation(name, told, time.perf_counter() - begun, failed)


def call_span(kind: str, model: str) -> contextlib.AbstractContextManager[Span]:
    """The span of a call that goes through the ledger, by its kind; none for a request of a chat, which has a span already."""
    if kind == "llm" or (_tracer.get() is None and meter() is None):
        return contextlib.nullcontext(_OFF)
    if kind == "embedding":
        return span("embeddings", model=model)
    return span("execute_tool", tool=kind, model=model)


@contextlib.contextmanager
def recorded(provider: Any) -> Iterator[None]:
    """Within, spans go to an OpenTelemetry `TracerProvider`; it stays the caller's to shut down."""
    token = _tracer.set(provider.get_tracer("inloop"))
    try:
        yield
    finally:
        _tracer.reset(token)


@contextlib.contextmanager
def written(file: Path) -> Iterator[None]:
    """Within, spans go to the provider that the program has set; else to the collector that the environment names; else to `file`.

    The collector is that of `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`), spoken to over HTTP. The file gets one
    JSON object a line, and is appended to.

    Raises:
        PrerequisiteError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

        if remote := any(os.environ.get(name) for name in _ENDPOINTS):
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise PrerequisiteError(
            "spans were asked for (INLOOP_SPANS), and OpenTelemetry is not installed",
            remedy="pip install 'inloop[otel]'",
        ) from None
    set_by_program = trace.get_tracer_provider()
    if isinstance(set_by_program, TracerProvider):
        with recorded(set_by_program):
            yield
        return
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "inloop")}))
    with contextlib.ExitStack() as stack:
        if remote:
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        else:
            out = stack.enter_context(file.open("a", encoding="utf-8"))
            exporter = ConsoleSpanExporter(out=out, formatter=lambda done: f"{done.to_json(indent=None)}\n")
            provider.add_span_processor(SimpleSpanProcessor(exporter))
        stack.callback(provider.shutdown)  # sends what waits, before the file is closed
        stack.enter_context(recorded(provider))
        yield


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [str(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else str(value)
