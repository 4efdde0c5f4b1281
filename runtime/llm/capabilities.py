"""What a server can do with a model: tried out, not believed, and kept in the cache.

The model: `probe` makes every trial of `trials`: about 17 small requests whose answers show whether the server did what was
asked.

Invariants: nothing is asked twice of the same server with the same model and version; a server that fails is not judged, the
probe raises instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import Field

from ..errors import PrerequisiteError
from ..http import ask
from ..records import Record
from ..serving import listed
from ..storage import write_whole
from .probes import FEATURES, HELLO, SLOW, TIMEOUT, TRIALS, WITHOUT_TOP, Asker, Finding, is_completion, thinks

__all__ = ["Capabilities", "capabilities", "probe"]

_VERSION = 3


class Capabilities(Record):
    """What one server can do with one model. `context`: tokens of prompt and answer together, None where it is not told.

    `untaken`: the parameters beside features that it refuses, or takes under another name. `weights`: what it tells of these, by name.
    """

    url: str
    model: str
    server: str
    n: Finding
    seed: Finding
    logprobs: Finding
    json_schema: Finding
    choice: Finding
    tools: Finding
    images: Finding
    lora: Finding
    thinks: Finding
    untaken: tuple[str, ...] = ()
    context: int | None = None
    weights: dict[str, str] = Field(default_factory=dict)
    requests: int = 0

    def has(self, feature: str) -> bool:
        """Whether a feature works, as far as can be seen."""
        return self.finding(feature).state in ("yes", "unknown")

    def finding(self, feature: str) -> Finding:
        """What was found about one of `FEATURES`."""
        found = getattr(self, feature)
        assert isinstance(found, Finding)
        return found

    @property
    def refused(self) -> frozenset[str]:
        """The parameters of a request that the server does not take, by the name that the OpenAI API gives them."""
        names = set(self.untaken) | ({"seed"} if self.seed.state == "refused" else set())
        if self.logprobs.state == "refused":
            names |= {"logprobs", "top_logprobs"}
        return frozenset(names | ({"top_logprobs"} if self.logprobs.how == WITHOUT_TOP else set()))

    def choice_by(self, *, probabilities: bool = False) -> str:
        """The form in which the server keeps a choice among texts: vLLM's, or a JSON schema; "" where it keeps none.

        With `probabilities` only a form in which the answer's first token is the choice's.
        """
        if self.choice.state == "yes":
            return self.choice.how
        return "json_schema" if self.json_schema.state == "yes" and not probabilities else ""

    def notes(self, wanted: Collection[str] = FEATURES) -> list[str]:
        """What has to be done without of the `wanted` features, in words for a report."""
        lines = []
        for feature, instead in _INSTEAD.items():
            if feature not in wanted:
                continue
            found = self.finding(feature)
            if found.state in ("refused", "ignored"):
                verb = "refuses" if found.state == "refused" else "silently ignores"
                lines.append(f"the server of {self.model!r} {verb} {feature}: {instead}")
        return lines


_INSTEAD = {
    "n": "every answer is a request of its own",
    "seed": "the same run gives other answers on an empty ledger",
    "json_schema": "schemas are given in words, and every answer is checked",
    "choice": "answers to closed questions are read from free text",
    "logprobs": "there are no token probabilities",
}


def capabilities(url: str, model: str, cache_dir: Path, *, key: str = "") -> Capabilities:
    """What the server at `url` (…/v1) can do with `model`: from the cache, else by `probe`.

    The cache knows a server by its address, its version and how it describes the model.

    Raises `PrerequisiteError` where the server is down, refuses the key or does not know the model.
    """
    entry = _entry(url, model, key)
    told = {name: value for name, value in entry.items() if name not in ("created", "permission")}
    identity = json.dumps([_VERSION, url, model, _server_of(url, key), told], sort_keys=True)
    path = cache_dir / "capabilities" / f"{hashlib.sha256(identity.encode()).hexdigest()[:24]}.json"
    try:
        return Capabilities.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        pass
    found = probe(url, model, key=key)
    if any(found.finding(feature).how == SLOW for feature in TRIALS):
        return found  # another time it may be less busy
    with contextlib.suppress(PrerequisiteError):  # a cache that cannot be written costs time, no more
        write_whole(path, found.model_dump_json(indent=1).encode())
    return found


def probe(url: str, model: str, *, key: str = "") -> Capabilities:
    """Make every trial: about 16 requests of a few tokens each, 4 at a time.

    Raises `PrerequisiteError` where the server is down, or was when it was asked again at the end, or refuses even a plain
    question.
    """
    asker = Asker(url, model, key)
    try:
        first = asker.chat(HELLO, max_tokens=4)  # alone: a server that cannot even do this is not asked more
    except TimeoutError as error:
        raise PrerequisiteError(
            f"the server at {url!r} did not answer a plain question within {TIMEOUT:.0f} s",
            remedy="see whether the machine is busy with something else, or serve a smaller model",
        ) from error
    if not first.ok:
        remedy = "set INLOOP_API_KEY" if first.status in (401, 403) else "check the address and the model's name"
        raise PrerequisiteError(
            f"the server at {url!r} answered {first.status} to a plain question to {model!r}: {first.said}",
            remedy=remedy,
        )
    if not is_completion(first):
        raise PrerequisiteError(
            f"the server at {url!r} answered a plain question with no chat completion: {first.said!r}",
            remedy="check the address: it usually ends in /v1",
        )

    def tried(trial: Callable[[Asker], Finding]) -> Finding:
        try:
            return trial(asker)
        except TimeoutError:
            return Finding(state="unknown", how=SLOW)
        except PrerequisiteError as error:  # it answers plain questions, so this one is what it cannot take
            return Finding(state="refused", how=f"breaks off: {error.problem[-120:]}")

    thinking = tried(thinks)  # before the others, which need room for it
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(TRIALS, pool.map(tried, TRIALS.values()), strict=True))
    if any(finding.how.startswith("breaks off") for finding in found.values()):
        last = asker.chat(HELLO, max_tokens=4)  # what broke off may have been the whole server
        if not last.ok:
            raise PrerequisiteError(
                f"the server at {url!r} broke off while it was probed ({last.status})", remedy="try again"
            )
    return Capabilities(
        url=url, model=model, server=_server_of(url, key), context=_context(url, model, key), requests=asker.requests,
        weights=_weights(_entry(url, model, key)), thinks=thinking, untaken=tuple(sorted(asker.dialect.refused)), **found,
    )  # fmt: skip


def _entry(url: str, model: str, key: str) -> dict[str, Any]:
    entries = listed(url, key=key)
    return entries.get(model, {})


def _weights(entry: dict[str, Any]) -> dict[str, str]:
    """What an entry of the models' list tells of the weights: vLLM their place, llama.cpp how large they are."""
    told = {}
    if root := str(entry.get("root") or "").rstrip("/"):
        told["root"] = root.rpartition("/")[2]  # one model may lie in different folders
    meta = entry.get("meta")
    if isinstance(meta, dict):
        told |= {name: str(meta[name]) for name in ("n_params", "size") if meta.get(name)}
    return told


def _server_of(url: str, key: str) -> str:
    """The server's own name and version, where it tells them."""
    root = url.removesuffix("/v1")
    for path, name in (("version", "vLLM"), ("props", "llama.cpp")):
        try:
            answer = ask(f"{root}/{path}", key=key, timeout=5)
        except OSError:
            continue
        if answer.ok and isinstance(answer.value, dict):
            version = answer.value.get("version") or answer.value.get("build_info")
            if version:
                return f"{name} {version}"
    return ""


def _context(url: str, model: str, key: str) -> int | None:
    entries = listed(url, key=key)
    entry = entries.get(model, {})
    # an adapter's entry leaves it to that of its base
    told = entry.get("max_model_len") or entries.get(str(entry.get("parent")), {}).get("max_model_len")
    if isinstance(told, int):
        return told
    try:
        props = ask(f"{url.removesuffix('/v1')}/props", key=key, timeout=5).value
        told = props["default_generation_settings"]["n_ctx"]
    except (OSError, KeyError, TypeError):
        return None
    return told if isinstance(told, int) else None
