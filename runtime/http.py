"""The ways to servers: which of them may go through a proxy, and one JSON request (health, models, adapters).

Invariant: no proxy is ever asked for this machine. Proxies are taken from the environment, which seldom excepts loopback, and
one that is asked gets the prompt and the key. Every client is made by `open_url`, or with the `direct_routes` of its URL.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

__all__ = [
    "Answer",
    "ask",
    "connection_remedy",
    "direct_routes",
    "goes_direct",
    "is_loopback",
    "open_url",
    "without_key",
    "words_of",
]

_NAMES = ("localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback")
_MOST = 10_000_000
_SHORTEST_KEY = 6  # shorter ones ("none", "EMPTY") are no secret, and may be a part of any word


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
        return words_of(self.value)[:300]


def words_of(value: Any) -> str:
    """The words of an error in the forms that servers send it: a text, `error`, `message`, `detail`, a list of such; a page's text."""
    if isinstance(value, list):
        return "; ".join(filter(None, map(words_of, value)))
    if isinstance(value, dict):
        inner = next((value[name] for name in ("error", "message", "detail", "msg") if value.get(name)), None)
        if inner is None:
            return json.dumps(value, ensure_ascii=False) if value else ""
        place = ".".join(str(step) for step in value["loc"]) if isinstance(value.get("loc"), list) else ""
        return f"{place}: {words_of(inner)}" if place else words_of(inner)
    text = str(value or "")
    if text.lstrip()[:1] == "<":
        text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(text.split())


def without_key(text: str, key: str) -> str:
    """A server's words with stars for the key that it was sent: some repeat it when they refuse it, and errors are kept."""
    return text.replace(key, "***") if len(key) >= _SHORTEST_KEY else text


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own, which nobody else can reach."""
    name = host.strip("[]").rstrip(".").lower()
    if name in _NAMES or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


def goes_direct(url: str) -> bool:
    """Whether a URL leads to this machine, and so past every proxy: loopback, and 0.0.0.0, as servers print their address."""
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return False
    address = _address(host)
    return is_loopback(host) or (address is not None and address.is_unspecified)


def direct_routes(*urls: str) -> dict[str, None]:
    """The `mounts` of an httpx client for these URLs: none of them, and no usual name of loopback, has a proxy."""
    hosts = [urlsplit(url).hostname or "" for url in urls if goes_direct(url)]
    return {
        f"all://{f'[{host}]' if ':' in host else host}": None
        for host in (*_NAMES, "*.localhost", "127.0.0.1", "::1", *hosts)
    }


def open_url(request: str | urllib.request.Request, *, timeout: float) -> Any:
    """`urllib.request.urlopen`, but never through a proxy to this machine, also where another server redirects to it."""
    return urllib.request.build_opener(_Proxies).open(request, timeout=timeout)


def connection_remedy(error: BaseException) -> str:
    """What to do about a connection that TLS broke: a certificate that is not trusted, http where https is spoken; "" for others."""
    seen: list[BaseException] = []
    cause: object = error
    while isinstance(cause, BaseException) and cause not in seen:
        seen.append(cause)
        reason = getattr(cause, "reason", None)
        cause = reason if isinstance(reason, BaseException) else cause.__cause__ or cause.__context__
    words = " ".join(map(str, seen))
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return "trust the server's certificate: set SSL_CERT_FILE to a PEM file that holds it (for a server of your own, self-signed), or serve http"
    if any(sign in words for sign in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")):
        return "the server speaks http and not https: write http:// in its address"
    return ""


class _Proxies(urllib.request.ProxyHandler):
    """The proxies of the environment, for what is not on this machine."""

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:
        return None if goes_direct(f"//{req.host}") else super().proxy_open(req, proxy, type)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as, in any form that a connection takes (127.1 too); None for a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return None
    return getattr(address, "ipv4_mapped", None) or address


def ask(url: str, *, key: str = "", body: Any = None, timeout: float = 10.0) -> Answer:
    """GET `url`, or POST `body` to it as JSON; an HTTP error is an answer too. A proxy never sees loopback.

    Raises `OSError` where nobody answers.
    """
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with open_url(request, timeout=timeout) as answer:
            return Answer(answer.status, _read(answer.read(_MOST), key))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _read(error.read(_MOST), key))


def _read(data: bytes, key: str) -> Any:
    text = without_key(data.decode("utf-8", "replace"), key)
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
