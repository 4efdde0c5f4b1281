"""One JSON request to a server that speaks the OpenAI API, outside of the chat client: health, models, adapters."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Answer", "ask", "is_loopback"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST = 10_000_000


class Answer:
    """What came back: the HTTP status, and the JSON of the body (a text where it is none; None where it is empty)."""

    def __init__(self, status: int, value: Any) -> None:
        self.status = status
        self.value = value

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def said(self) -> str:
        """The server's own words for an error, at most 300 characters."""
        value = self.value
        if isinstance(value, dict):
            value = value.get("error", value)
            if isinstance(value, dict):
                value = value.get("message", value)
        return str(value or "")[:300]


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine's own, which nobody else can reach."""
    return host in _LOOPBACK or host.startswith("127.")


def ask(url: str, *, key: str = "", body: Any = None, timeout: float = 10.0) -> Answer:
    """GET `url`, or POST `body` to it as JSON; an HTTP error is an answer too. A proxy never sees loopback.

    Raises `OSError` where nobody answers.
    """
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data=data, headers=headers)
    direct = is_loopback(urlsplit(url).hostname or "")
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if direct else []))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return Answer(answer.status, _read(answer.read(_MOST)))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _read(error.read(_MOST)))


def _read(data: bytes) -> Any:
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")
