"""The servers that the settings name, as `inloop doctor` looks at them: who answers, what thinks, and what goes through a proxy."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from ...runtime.errors import InloopError, PrerequisiteError
from ...runtime.http import goes_direct
from ...runtime.settings import Settings
from .finding import Finding

__all__ = ["answering", "language_model", "painting", "proxies"]

PATIENCE = 20.0  # seconds for a plain question


def language_model(settings: Settings) -> Finding:
    spec = settings.llm
    if spec.startswith("gguf:"):
        path = Path(spec.removeprefix("gguf:")).expanduser()
        if path.is_file():
            return Finding("llm", "ok", f"{path}, {path.stat().st_size / 1e6:.0f} MB")
        return Finding("llm", "missing", f"there is no file {str(path)!r}", "check the path of --llm or INLOOP_LLM.")
    if spec.startswith("openai:"):
        if settings.api_key is None:
            return Finding("llm", "missing", f"{spec} needs a key", "set OPENAI_API_KEY or INLOOP_API_KEY.")
        return Finding("llm", "ok", f"{spec}, a key is set (not tried)")
    if not spec.startswith(("http://", "https://")):
        return Finding("llm", "ok", f"{spec}, served on this machine by inloop itself")
    return answering("llm", spec, settings)


def painting(role: str, spec: str, settings: Settings) -> Finding:
    """A server that paints: whether it lists its model; a picture is not asked for."""
    from ...runtime.llm import address

    front, _, model = spec.partition("#")
    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
    try:
        base, _ = address(front.partition("?")[0], key)
    except PrerequisiteError as error:
        return Finding(role, "missing", error.problem, error.remedy)
    except InloopError as error:
        return Finding(role, "missing", str(error))
    return Finding(role, "ok", f"{urlsplit(base).netloc} answers{f', {model} is asked for' if model else ''}")


def answering(role: str, spec: str, settings: Settings) -> Finding:
    """A server: whether it answers, and whether its model thinks before it does, for which it is asked a plain question."""
    from ...runtime.llm import Asker, address, thinks

    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
    try:
        base, model = address(spec, key)
        shown = f"{urlsplit(base).netloc} serves {model}"
        thinking = thinks(Asker(base, model, key, timeout=PATIENCE))
    except PrerequisiteError as error:
        return Finding(role, "missing", error.problem, error.remedy)
    except InloopError as error:
        return Finding(role, "missing", str(error))
    except TimeoutError:
        return Finding(role, "note", f"{shown}, which did not answer a plain question within {PATIENCE:.0f} s")
    if thinking.state == "yes":
        limit = f"at most INLOOP_THINKING_TOKENS ({settings.thinking_tokens})"
        remedy = f"every answer costs its thinking too, {limit}; as a judge, a model that does not think is quicker."
        return Finding(role, "note", f"{shown}, which thinks before it answers ({thinking.how})", remedy)
    if thinking.state == "unknown":
        remedy = "check the model's name, and the key in INLOOP_API_KEY."
        return Finding(role, "note", f"{shown}; a plain question: {thinking.how}", remedy)
    return Finding(role, "ok", shown)


def proxies(settings: Settings) -> Iterable[Finding]:
    """Which of the servers that the settings name a proxy of the environment would be asked for."""
    known = urllib.request.getproxies()
    for spec in dict.fromkeys((settings.llm, settings.vqa, settings.clip, settings.images)):
        parts = urlsplit(spec)
        proxy = known.get(parts.scheme) or known.get("all")
        if parts.scheme not in ("http", "https") or not proxy:
            continue
        if goes_direct(spec) or urllib.request.proxy_bypass(parts.hostname or ""):
            yield Finding("proxy", "ok", f"{parts.netloc} is reached without {_shown(proxy)}")
        else:
            why = f"{_shown(proxy)} is asked for {parts.netloc}: prompts, pictures and the key go through it"
            yield Finding("proxy", "note", why, f"if it is in your own network: NO_PROXY={parts.hostname}")


def _shown(proxy: str) -> str:
    """The address of a proxy without its password."""
    return urlsplit(proxy).netloc.rpartition("@")[2] or "the proxy"
