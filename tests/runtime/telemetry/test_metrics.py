"""Metrics: the names of the conventions, what the ledger answered is not measured, and where they go."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from servers import serving

from inloop import opt2i
from inloop.runtime.batcher import Batcher
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.settings import Settings
from inloop.runtime.telemetry import gauges, measured

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed: pip install 'inloop[otel]'")
FEW = {"iterations": 1, "candidates": 2, "heldout_seeds": 1}


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """The address of an OTLP receiver, and what it got."""
    received: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing on the screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()


def read(received: list[bytes]) -> dict[str, list[dict[str, Any]]]:
    """By metric, its last points, each with its attributes."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    request = ExportMetricsServiceRequest()
    request.ParseFromString(received[-1])
    found: dict[str, list[dict[str, Any]]] = {}
    for metric in (one for all in request.resource_metrics for scope in all.scope_metrics for one in scope.metrics):
        points = getattr(metric, metric.WhichOneof("data")).data_points
        for point in points:
            told = {pair.key: next(iter(MessageToDict(pair.value).values())) for pair in point.attributes}
            plain = MessageToDict(point, preserving_proto_field_name=True)
            value = next(plain[name] for name in ("count", "as_double", "as_int") if name in plain)
            found.setdefault(metric.name, []).append(told | {"value": float(value)})
    return found


def test_a_run_sends_its_metrics(
    collector: tuple[str, list[bytes]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, received = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    with serving() as server:
        options = {**FEW, "llm": f"{server.url}#m", "settings": settings.model_copy(update={"metrics": "otlp"})}
        first = opt2i("two red stars", **options)
        told = read(received)
        received.clear()
        opt2i("two red stars", **options)
        again = read(received)
    chats = sum(
        each["value"] for each in told["gen_ai.client.operation.duration"] if each["gen_ai.operation.name"] == "chat"
    )
    assert chats >= 1
    tokens = {each["gen_ai.token.type"] for each in told["gen_ai.client.token.usage"]}
    assert tokens == {"input", "output"}
    paid = {each["inloop.kind"]: each["value"] for each in told["inloop.calls"] if not each["inloop.cached"]}
    assert paid == {kind: counts["paid"] for kind, counts in first.calls.items() if counts["paid"]}
    assert [(each["inloop.outcome"], each["value"]) for each in told["inloop.tasks"]] == [("done", 1)]
    assert {each["inloop.queue"] for each in told["inloop.queue.most"]} >= {server.url}
    # the second run is answered by the ledger: nothing is measured, and nothing paid
    assert all(each["inloop.cached"] for each in again["inloop.calls"])
    assert "gen_ai.client.operation.duration" not in again


def test_prometheus_fetches_them_with_the_token_alone(settings: Settings, tmp_path: Path) -> None:
    seen: list[str] = []

    def fetch(token: str) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as held:
        port = held.server_port
        with (
            pytest.raises(PrerequisiteError, match=rf"cannot be served at 127.0.0.1:{port}"),
            measured(f"prometheus:{port}", tmp_path),
        ):
            pass
    place = tmp_path / ".metrics-token"
    assert place.stat().st_mode & 0o077 == 0
    with measured(f"prometheus:{port}", tmp_path) as instruments:
        assert instruments is not None
        instruments.operation("chat", {"model": "m", "output_tokens": 7}, 0.5, "")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch("guess")
        seen.append(fetch(place.read_text(encoding="ascii")))
    assert "gen_ai_client_token_usage_count" in seen[0] and 'gen_ai_token_type="output"' in seen[0]


def test_what_is_no_place_for_metrics_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="give otlp, prometheus or prometheus:PORT"), measured("statsd", tmp_path):
        pass
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PrerequisiteError, match="there is no collector"), measured("otlp", tmp_path):
        pass


async def test_a_queue_is_seen_while_it_is_used() -> None:
    import asyncio

    go = threading.Event()

    def run(items: list[int]) -> list[int]:
        go.wait(10)
        return items

    batcher = Batcher(run, name="a queue of this test", max_batch=2, linger=0.0)
    work = [asyncio.ensure_future(batcher.submit(number)) for number in range(5)]
    await asyncio.sleep(0.2)
    mine = {each.name: each for each in gauges()}["a queue of this test"]
    assert mine.under_way in (1, 2) and mine.waiting + mine.under_way == 5 and mine.most == 2
    go.set()
    await asyncio.gather(*work)
    for _ in range(100):  # the thread counts after it has answered
        mine = {each.name: each for each in gauges()}["a queue of this test"]
        if mine.items == 5:
            break
        time.sleep(0.02)
    assert (mine.waiting, mine.under_way, mine.items) == (0, 0, 5)
    await batcher.aclose()
