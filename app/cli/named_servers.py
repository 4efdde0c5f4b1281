"""The servers that the settings name, as `inloop doctor` looks at them: who answers, what thinks, and what goes through a proxy."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from ...runtime.errors import InloopError, PrerequisiteError
from ...runtime.http import goes_direct
from ...runtime.settings import Settings
from .finding import Finding

__all__ = ["answering", "language_model", "listing", "proxies"]

PATIENCE = 20.0  # seconds for a plain question


def language_model(settings: Settings) -> Iterable[Finding]:
    spec = settings.llm
    if spec.startswith("gguf:"):
        path = Path(spec.removeprefix("gguf:")).expanduser()
        if path.is_file():
            yield Finding("llm", "ok", f"{path}, {path.stat().st_size / 1e6:.0f} MB")
        else:
            yield Finding("llm", "missing", f"there is no file {str(path)!r}", "check the path of --llm or INLOOP_LLM.")
    elif spec.startswith("batch+file:"):
        yield Finding("llm", "ok", f"{spec}, answered by vllm run-batch")
    elif spec.removeprefix("batch+").startswith("openai:"):
        if settings.api_key is None:
            yield Finding("llm", "missing", f"{spec} needs a key", "set OPENAI_API_KEY or INLOOP_API_KEY.")
        else:
            yield Finding("llm", "ok", f"{spec}, a key is set (not tried)")
    elif spec.startswith("batch+"):
        yield from listing("llm", spec.removeprefix("batch+"), settings)
    elif not spec.startswith(("http://", "https://")):
        yield Finding("llm", "ok", f"{spec}, served on this machine by inloop itself")
    else:
        yield from answering("llm", spec, settings)


def listing(role: str, spec: str, settings: Settings) -> Iterable[Finding]:
    """The servers of what does not chat: whether they answer; a picture or a vector is not asked for."""
    from ...runtime.transport import address

    front, _, model = spec.partition("#")
    front = front.partition("?")[0]

    def look(url: str, model: str, key: str) -> Finding:
        address(url, key)  # which asks for the model where none is named
        return Finding(role, "ok", f"{urlsplit(url).netloc} answers{f', {model} is asked for' if model else ''}")

    return _each(role, f"{front}#{model}" if model else front, settings, look)


def answering(role: str, spec: str, settings: Settings) -> Iterable[Finding]:
    """The servers of a model: whether each answers, and whether it thinks before it does, for which it is asked a plain question."""
    from ...runtime.llm import Asker, thinks

    def look(url: str, model: str, key: str) -> Finding:
        shown = f"{urlsplit(url).netloc} serves {model}"
        try:
            thinking = thinks(Asker(url, model, key, timeout=PATIENCE))
        except TimeoutError:
            return Finding(role, "note", f"{shown}, which did not answer a plain question within {PATIENCE:.0f} s")
        if thinking.state == "yes":
            limit = f"at most INLOOP_THINKING_TOKENS ({settings.thinking_tokens})"
            remedy = (
                f"every answer costs its thinking too, {limit}; as a judge, a model that does not think is quicker."
            )
            return Finding(role, "note", f"{shown}, which thinks before it answers ({thinking.how})", remedy)
        if thinking.state == "unknown":
            remedy = "check the model's name, and the key in INLOOP_API_KEY."
            return Finding(role, "note", f"{shown}; a plain question: {thinking.how}", remedy)
        return Finding(role, "ok", shown)

    return _each(role, spec, settings, look)


def _each(role: str, spec: str, settings: Settings, look: Callable[[str, str, str], Finding]) -> Iterable[Finding]:
    """What a look at each of a model's servers says; one that is down stops a run only where all are."""
    from ...runtime.transport import address

    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""

    try:
        urls, model = address(spec, key)
    except PrerequisiteError as error:
        return [Finding(role, "missing", error.problem, error.remedy)]
    except InloopError as error:
        return [Finding(role, "missing", str(error))]
    findings = []
    for url in urls:
        try:
            findings.append(look(url, model, key))
        except PrerequisiteError as error:
            findings.append(Finding(role, "missing", error.problem, error.remedy))
    if all(finding.state == "missing" for finding in findings):
        return findings
    return [
        finding._replace(state="note", text=f"{finding.text}: it is left out until it answers")
        if finding.state == "missing"
        else finding
        for finding in findings
    ]


def proxies(settings: Settings) -> Iterable[Finding]:
    """Which of the servers that the settings name a proxy of the environment would be asked for."""
    from ...runtime.transport import split_addresses
    from ...tools.vision import judges_of

    known = urllib.request.getproxies()
    named = (settings.llm, *judges_of(settings.vqa), settings.clip, settings.images)
    for spec in dict.fromkeys(part.strip() for each in named for part in split_addresses(each)):
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
