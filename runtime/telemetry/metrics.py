"""OpenTelemetry metrics of a run: the `gen_ai` ones of its model calls, and what inloop counts beside them.

    gen_ai.client.operation.duration    s          of each chat, embedding and tool call that the ledger did not answer
    gen_ai.client.token.usage           {token}    by gen_ai.token.type
    inloop.calls                        {call}     by kind, and whether they were paid or reused
    inloop.cost                         USD        what was paid, where prices are known
    inloop.tasks                        {task}     by how they ended
    inloop.queue.waiting, .under_way, .most        {request}  of each model and each server now
    inloop.queue.items, .batches, .seconds         how many were answered, in how many batches, and how long that took

`Settings.metrics` says where they go: `otlp`, to the collector of OTEL_EXPORTER_OTLP_ENDPOINT; `prometheus[:PORT]`, to be fetched.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ..errors import BadInput, PrerequisiteError
from ..records import Cost
from .gauges import Gauge, gauges

__all__ = ["Instruments", "measured", "meter"]

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""The boundaries that the conventions ask for."""

_MEASURED = ("chat", "embeddings", "execute_tool")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PORT = 9464  # the one that OpenTelemetry gives to Prometheus

_instruments: ContextVar[Instruments | None] = ContextVar("inloop_instruments", default=None)


class Instruments:
    """The instruments of one run, made by an OpenTelemetry `MeterProvider`."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry.metrics import Observation

        made = provider.get_meter("inloop")
        self._seconds = made.create_histogram(
            "gen_ai.client.operation.duration", unit="s", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._tokens = made.create_histogram(
            "gen_ai.client.token.usage", unit="{token}", explicit_bucket_boundaries_advisory=_TOKENS
        )
        self._calls = made.create_counter("inloop.calls", unit="{call}")
        self._cost = made.create_counter("inloop.cost", unit="USD")
        self._tasks = made.create_counter("inloop.tasks", unit="{task}")

        def read(value: Callable[[Gauge], float]) -> Callable[[Any], Iterable[Any]]:
            return lambda options: [Observation(value(each), {"inloop.queue": each.name}) for each in gauges()]

        for name in ("waiting", "under_way", "most"):
            made.create_observable_gauge(f"inloop.queue.{name}", [read(_field(name))], unit="{request}")
        for name, unit in (("items", "{request}"), ("batches", "{batch}"), ("seconds", "s")):
            made.create_observable_counter(f"inloop.queue.{name}", [read(_field(name))], unit=unit)

    def operation(self, name: str, attributes: Mapping[str, Any], seconds: float, failed: str) -> None:
        """A span has ended: a call is measured unless the ledger answered it."""
        if name not in _MEASURED or attributes.get("cached"):
            return
        told = {"gen_ai.operation.name": name, "gen_ai.request.model": str(attributes.get("model", ""))}
        if tool := attributes.get("tool"):
            told["gen_ai.tool.name"] = str(tool)
        self._seconds.record(seconds, told | ({"error.type": failed} if failed else {}))
        for kind in ("input", "output"):
            if (tokens := attributes.get(f"{kind}_tokens")) is not None:
                self._tokens.record(tokens, told | {"gen_ai.token.type": kind})

    def call(self, call: Any, cost: Cost, cached: bool) -> None:
        """The ledger handed a value out."""
        told = {"inloop.kind": call.kind, "gen_ai.request.model": call.model}
        self._calls.add(1, told | {"inloop.cached": cached})
        if not cached and cost.money:
            self._cost.add(cost.money, told)

    def task(self, loop: str, ended: str) -> None:
        """A task has ended: `done` or `failed`."""
        self._tasks.add(1, {"gen_ai.workflow.name": loop, "inloop.outcome": ended})


def meter() -> Instruments | None:
    """The instruments of the running context; None where nothing is measured."""
    return _instruments.get()


@contextlib.contextmanager
def measured(where: str, secrets: Path) -> Iterator[Instruments | None]:
    """Within, model calls are measured and go to `where`, see above; nothing where it is "".

    A provider that the program has set is used, and stays the program's. `secrets`: the folder where a token for Prometheus is kept.

    Raises:
        BadInput: `where` is no place for metrics.
        PrerequisiteError: OpenTelemetry is not installed, there is no collector, or the port is taken.
    """
    if not where:
        yield None
        return
    try:
        from opentelemetry import metrics
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    except ImportError:
        raise PrerequisiteError(
            f"metrics were asked for (INLOOP_METRICS={where}), and OpenTelemetry is not installed",
            remedy="pip install 'inloop[otel]'",
        ) from None
    with contextlib.ExitStack() as stack:
        provider = metrics.get_meter_provider()
        if not isinstance(provider, MeterProvider):
            service = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "inloop")})
            provider = MeterProvider([_reader(where, secrets, stack)], resource=service)
            stack.callback(provider.shutdown)  # sends what waits
        instruments = Instruments(provider)
        token = _instruments.set(instruments)
        try:
            yield instruments
        finally:
            _instruments.reset(token)


def _reader(where: str, secrets: Path, stack: contextlib.ExitStack) -> Any:
    name, _, port = where.partition(":")
    if where == "otlp":
        if not any(os.environ.get(variable) for variable in _ENDPOINTS):
            raise PrerequisiteError(
                "metrics were asked for (INLOOP_METRICS=otlp), and there is no collector",
                remedy="set OTEL_EXPORTER_OTLP_ENDPOINT to its address, such as http://127.0.0.1:4318",
            )
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        return PeriodicExportingMetricReader(OTLPMetricExporter())
    if name == "prometheus" and (not port or port.isdigit()):
        from .prometheus import served

        return stack.enter_context(served(int(port or _PORT), secrets))
    raise BadInput(f"metrics = {where!r} is no place for them: give otlp, prometheus or prometheus:PORT.")


def _field(name: str) -> Callable[[Gauge], float]:
    return lambda gauge: float(getattr(gauge, name))
