"""The addresses of a model's servers: `http(s)://HOST:PORT/v1[,http(s)://...][#MODEL]`, checked before anything is sent to them.

What cannot be a base URL is `BadInput` with the address that was probably meant; a server that does not list its models is a
`PrerequisiteError`, with what its own doors tell about why.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import BadInput, PrerequisiteError
from ..http import ask, connection_remedy

__all__ = ["Address", "address", "check_listed", "split_addresses"]

_LOADING_SECONDS = 60.0
_DOORS = ("/images/generations", "/chat/completions", "/completions", "/embeddings", "/models", "/responses")
_BETWEEN = re.compile(r",(?=\s*https?://)")


class Address(NamedTuple):
    """The base URLs of the servers, the first of which names the model in the ledger, and the model's name there."""

    urls: tuple[str, ...]
    model: str

    def __str__(self) -> str:
        return f"{','.join(self.urls)}#{self.model}"


def split_addresses(spec: str) -> list[str]:
    """The parts of a spec that are addresses of servers; one that is no list stays whole."""
    return _BETWEEN.split(spec)


def address(spec: str, key: str = "") -> Address:
    """The servers and the model of `http(s)://HOST:PORT/v1[,http(s)://...][#MODEL]`; without a model they are asked for their first.

    Raises `BadInput` (no host, a port that is none, a password, a query, one door instead of the base, an address twice, servers of
    different models) or `PrerequisiteError` (no server lists its models).
    """
    parts = [_checked(part) for part in split_addresses(spec)]
    urls = [url for url, _ in parts]
    named = list(dict.fromkeys(model for _, model in parts if model))
    if twice := next((url for url in urls if urls.count(url) > 1), ""):
        raise BadInput(f"{spec!r} names {twice!r} twice: give each server once")
    if len(named) > 1:
        raise BadInput(f"{spec!r} names the models {' and '.join(named)}: several addresses are those of one model")
    return Address(tuple(urls), named[0] if named else _only_model(urls, key))


def check_listed(url: str, model: str, key: str = "") -> None:
    """Raise `PrerequisiteError` where a server does not answer, or lists its models without this one."""
    try:
        answer = ask(f"{url}/models", key=key, timeout=5)
        if answer.status in (404, 405, 501):
            return  # it is up, and does not list its models
        models = [str(entry["id"]) for entry in answer.value["data"]] if answer.ok else []
    except (OSError, LookupError, TypeError) as error:
        raise PrerequisiteError(
            f"the server at {url!r} does not answer ({getattr(error, 'reason', error)})",
            remedy="start it, or leave the address out",
        ) from error
    if model not in models:
        serves = f"does not serve {model!r} but {', '.join(models[:3]) or 'nothing'}"
        raise PrerequisiteError(
            f"the server at {url!r} {serves if answer.ok else f'answered {answer.status} {answer.said}'}",
            remedy=f"serve {model!r} there, or leave the address out",
        )


def _checked(spec: str) -> tuple[str, str]:
    """One base URL, and the model where it is named."""
    base_url, _, model = spec.partition("#")
    base_url, model = base_url.strip().rstrip("/"), model.strip()
    if "@" in base_url.partition("://")[2].partition("/")[0]:
        raise BadInput("a URL with a password would end up in reports; give the key in INLOOP_API_KEY instead")
    if base_url.startswith(",") or base_url.endswith(","):
        raise BadInput(f"{spec!r} has a comma and no address beside it: leave it out, or give another address there")
    if "," in base_url:
        raise BadInput(f"{spec!r}: each of several addresses needs its scheme: http://HOST:PORT/v1,http://HOST:PORT/v1")
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(f"{spec!r} is no address of a server ({error}): give http://HOST:PORT/v1") from None
    if not host or port == 0 or any(sign.isspace() for sign in base_url):
        raise BadInput(f"{spec!r} names no server: give http://HOST:PORT/v1, such as http://127.0.0.1:8000/v1")
    if parts.query:
        raise BadInput(f"{spec!r} has a query, which is not sent: give {base_url.partition('?')[0]!r}")
    for door in _DOORS:
        if base_url.endswith(door):
            meant = base_url.removesuffix(door) + (f"#{model}" if model else "")
            raise BadInput(f"{spec!r} is one door of a server: give its base, {meant!r}")
    return base_url, model


def _only_model(urls: list[str], key: str) -> str:
    """The first model that the first of the servers lists; raises where another one does not serve it too."""
    if len(urls) == 1:
        return _models(urls[0], key)[0]

    def asked(url: str) -> list[str] | PrerequisiteError:
        try:
            return _models(url, key)
        except PrerequisiteError as error:  # it is left out, as any server that does not answer
            return error

    with ThreadPoolExecutor(len(urls)) as pool:
        answers = dict(zip(urls, pool.map(asked, urls), strict=True))
    lists = {url: models for url, models in answers.items() if not isinstance(models, PrerequisiteError)}
    if not lists:
        raise next(error for error in answers.values() if isinstance(error, PrerequisiteError))
    model = next(iter(lists.values()))[0]
    if any(model not in models for models in lists.values()):
        told = "; ".join(f"{url} serves {', '.join(models[:3])}" for url, models in lists.items())
        raise BadInput(f"the servers serve different models: {told}. Name one that all serve: {','.join(urls)}#MODEL")
    return model


def _models(base_url: str, key: str) -> list[str]:
    """The ids of the models that the server lists, one or more; one that answers 503, as it does while it loads, is waited for."""
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
        models = [str(entry["id"]) for entry in answer.value["data"]]
        if not models:
            raise LookupError("an empty list")
        return models
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
