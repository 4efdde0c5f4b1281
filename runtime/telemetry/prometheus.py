"""Metrics for Prometheus to fetch: on loopback alone, and with a token.

scrape_configs:
  - job_name: inloop
    static_configs: [{targets: ["127.0.0.1:9464"]}]
    authorization: {credentials_file: runs/.metrics-token}
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from ..errors import PrerequisiteError

__all__ = ["TOKEN", "served"]

TOKEN = ".metrics-token"
"""The file of the token, in the folder of runs; it is made once, for its owner to read."""

_LOG = logging.getLogger(__name__)
_HOST = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing on the screen."""


@contextlib.contextmanager
def served(port: int, folder: Path) -> Iterator[Any]:
    """An OpenTelemetry reader whose metrics are at `http://127.0.0.1:PORT/metrics` within.

    Raises:
        PrerequisiteError: the packages are not installed, the port is taken, or the token cannot be written.
    """
    try:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from prometheus_client import REGISTRY, make_wsgi_app
    except ImportError:
        raise PrerequisiteError(
            "metrics for Prometheus need a package that is not installed", remedy="pip install 'inloop[otel]'"
        ) from None
    try:
        token = _token(folder / TOKEN)
        server = make_server(_HOST, port, _guarded(make_wsgi_app(REGISTRY), token), WSGIServer, _Quiet)
    except OSError as error:
        raise PrerequisiteError(
            f"metrics cannot be served at {_HOST}:{port} ({error.strerror or error})",
            remedy="give another port, INLOOP_METRICS=prometheus:PORT; several processes at once send theirs with INLOOP_METRICS=otlp",
        ) from error
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    _LOG.info("metrics at http://%s:%d/metrics, with the token of %s", _HOST, server.server_port, folder / TOKEN)
    try:
        yield PrometheusMetricReader()
    finally:
        server.shutdown()
        server.server_close()


def _guarded(app: Callable[..., Iterable[bytes]], token: str) -> Callable[..., Iterable[bytes]]:
    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "")
        if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return app(environ, start_response)
        start_response("401 Unauthorized", [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")])
        return [f"send the token of the file {TOKEN} as Authorization: Bearer TOKEN\n".encode()]

    return guarded


def _token(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(24))
        with contextlib.suppress(FileExistsError):  # another process was first: its token counts
            os.link(draft, path)
        draft.unlink()
    return path.read_text(encoding="ascii").strip()
