"""The address of a server: `http(s)://HOST:PORT/v1[#MODEL]`, checked before anything is sent to it.

What cannot be a base URL is `BadInput` with the address that was probably meant; a server that does not list its models is a
`PrerequisiteError`, with what its own doors tell about why.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from ..errors import BadInput, PrerequisiteError
from ..http import ask, connection_remedy

__all__ = ["address"]

_LOADING_SECONDS = 60.0
_DOORS = ("/images/generations", "/chat/completions", "/completions", "/embeddings", "/models", "/responses")


def address(spec: str, key: str = "") -> tuple[str, str]:
    """The base URL and the model of `http(s)://HOST:PORT/v1[#MODEL]`; without a model the server is asked for its first.

    Raises `BadInput` (no host, a port that is none, a password, a query, one door instead of the base) or `PrerequisiteError` (the server
    does not list its models).
    """
    base_url, _, model = spec.partition("#")
    base_url, model = base_url.strip().rstrip("/"), model.strip()
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(f"{spec!r} is no address of a server ({error}): give http://HOST:PORT/v1") from None
    if "@" in parts.netloc:
        raise BadInput("a URL with a password would end up in reports; give the key in INLOOP_API_KEY instead")
    if not host or port == 0 or any(sign.isspace() for sign in base_url):
        raise BadInput(f"{spec!r} names no server: give http://HOST:PORT/v1, such as http://127.0.0.1:8000/v1")
    if parts.query:
        raise BadInput(f"{spec!r} has a query, which is not sent: give {base_url.partition('?')[0]!r}")
    for door in _DOORS:
        if base_url.endswith(door):
            meant = base_url.removesuffix(door) + (f"#{model}" if model else "")
            raise BadInput(f"{spec!r} is one door of a server: give its base, {meant!r}")
    return base_url, model or _only_model(base_url, key)


def _only_model(base_url: str, key: str) -> str:
    """The id of the first model that the server lists; one that answers 503, as it does while it loads, is waited for."""
    remedy = f"start the server, check the address, or name the model: {base_url}#MODEL"
    end = time.monotonic() + _LOADING_SECONDS
    try:
        while (answer := ask(f"{base_url}/models", key=key or "none")).status == 503 and time.monotonic() < end:
            time.sleep(0.5)
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise PrerequisiteError(
            f"the server at {base_url!r} does not list its models ({reason})", remedy=connection_remedy(error) or remedy
        ) from error
    if not answer.ok:
        if answer.status in (401, 403):
            remedy = "set the key of this server in INLOOP_API_KEY"
        raise PrerequisiteError(
            f"the server at {base_url!r} answered {answer.status} when asked for its models"
            f"{f': {answer.said}' if answer.said else ''}",
            remedy=_base_instead(base_url, key) or remedy,
        )
    try:
        return str(answer.value["data"][0]["id"])
    except (LookupError, TypeError):
        said = f" (it answers {answer.said[:120]!r})" if answer.said else ""
        raise PrerequisiteError(
            f"the server at {base_url!r} does not list its models{said}", remedy=_base_instead(base_url, key) or remedy
        ) from None


def _base_instead(base_url: str, key: str) -> str:
    """What to do where the server lists its models at the same address with `/v1`; "" where it does not."""
    if base_url.endswith("/v1"):
        return ""
    try:
        answer = ask(f"{base_url}/v1/models", key=key or "none", timeout=5)
        models = [str(entry["id"]) for entry in answer.value["data"]]
    except (OSError, LookupError, TypeError):
        return ""
    return f"the address ends in /v1 here: {base_url}/v1 (it serves {', '.join(models[:3])})" if models else ""
