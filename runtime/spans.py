"""OpenTelemetry spans under the `gen_ai` names, all in this module; nothing happens unless `enable` was called.

Operations: `chat`, `execute_tool` (a painter, a judge), `embeddings`, `invoke_workflow` (a run), `node` (a step of it).
The conventions are still in development (semantic-conventions-genai); a changed name is changed here and nowhere else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import PrerequisiteError

__all__ = ["NAMES", "Span", "disable", "enable", "span"]

NAMES: Mapping[str, str] = {
    "conversation_id": "gen_ai.conversation.id",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "input_tokens": "gen_ai.usage.input_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "model": "gen_ai.request.model",
    "n": "gen_ai.request.choice.count",
    "operation": "gen_ai.operation.name",
    "output_tokens": "gen_ai.usage.output_tokens",
    "provider": "gen_ai.provider.name",
    "response_model": "gen_ai.response.model",
    "seed": "gen_ai.request.seed",
    "server": "server.address",
    "temperature": "gen_ai.request.temperature",
    "tool": "gen_ai.tool.name",
    "workflow": "gen_ai.workflow.name",
}
"""Short names of attributes; any other name becomes `inloop.<name>`."""

_SUBJECTS = ("model", "tool", "workflow", "node")
_tracer: Any = None


class Span:
    """A span under way; every method does nothing when spans are off."""

    def __init__(self, inner: Any = None) -> None:
        self._inner = inner

    def set(self, **attributes: Any) -> None:
        """Add attributes; those that are None are left out."""
        if self._inner is not None:
            for name, value in attributes.items():
                if value is not None:
                    self._inner.set_attribute(NAMES.get(name, f"inloop.{name}"), _plain(value))

    def score(self, evaluator: str, value: float | None, explanation: str = "") -> None:
        """Add an evaluation as an event; `value` None is a score that could not be given."""
        if self._inner is not None:
            attributes: dict[str, Any] = {"gen_ai.evaluation.name": evaluator}
            if value is not None:
                attributes["gen_ai.evaluation.score.value"] = float(value)
            if explanation:
                attributes["gen_ai.evaluation.explanation"] = explanation
            self._inner.add_event("gen_ai.evaluation.result", attributes)


_OFF = Span()


@contextlib.contextmanager
def span(name: str, **attributes: Any) -> Iterator[Span]:
    """A span around a block; `name` is the operation, and the title adds what it is done with.

    An exception marks the span as failed, with its class as `error.type`, and goes on.
    """
    if _tracer is None:
        yield _OFF
        return
    subject = next((str(attributes[key]) for key in _SUBJECTS if attributes.get(key)), "")
    with _tracer.start_as_current_span(f"{name} {subject}".strip()) as inner:
        current = Span(inner)
        current.set(operation=name, **attributes)
        try:
            yield current
        except BaseException as error:
            inner.set_attribute("error.type", type(error).__qualname__)
            raise


def enable(provider: Any = None, *, file: Path | None = None) -> None:
    """Send spans to `provider`, to a `file` of JSON lines, or (neither given) to OpenTelemetry's global provider.

    Raises:
        PrerequisiteError: the OpenTelemetry SDK is not installed.
    """
    global _tracer
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
    except ImportError:
        raise PrerequisiteError(
            "spans were asked for, and the OpenTelemetry SDK is not installed", remedy="pip install 'inloop[otel]'"
        ) from None
    if provider is None and file is not None:
        provider = TracerProvider()
        out = file.open("a", encoding="utf-8")
        exporter = ConsoleSpanExporter(out=out, formatter=lambda done: f"{done.to_json(indent=None)}\n")
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    _tracer = trace.get_tracer("inloop", tracer_provider=provider)


def disable() -> None:
    """Back to no spans."""
    global _tracer
    _tracer = None


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [str(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else str(value)
