"""What a server can do with a model: tried out, not believed, and kept in the cache.

The model: `probe` sends a dozen small requests whose answers show whether the server did what was asked. A feature is
"yes"; "refused" (an error that says so); "ignored" (the answer is one that the feature would not have let through: plain
text where a schema was given, two different texts for one seed, the same words about a red and a blue picture); or
"unknown" (the answers do not tell).

Invariants: nothing is asked twice of the same server with the same model and version; a server that fails is not judged, the
probe raises instead.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from .adapters import listed
from .blobs import write_whole
from .errors import PrerequisiteError
from .records import Record
from .web import Answer, ask

__all__ = ["FEATURES", "Capabilities", "capabilities", "probe"]

State = Literal["yes", "refused", "ignored", "unknown"]
FEATURES = ("n", "seed", "logprobs", "json_schema", "choice", "tools", "images", "lora")

_VERSION = 1
_TIMEOUT = 120.0
_SLOW = "no answer in time"
# words that no model writes by itself in answer to these questions
_WORDS = ("kumquat", "vuvuzela")
_HELLO = "Write one short sentence about the sea."


class Finding(Record):
    """One feature: `how` names the form in which the server takes it, or says what it did instead."""

    state: State
    how: str = ""


class Capabilities(Record):
    """What one server can do with one model. `context`: tokens of prompt and answer together, None where it is not told."""

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
    context: int | None = None
    requests: int = 0

    def has(self, feature: str) -> bool:
        """Whether a feature works, as far as can be seen."""
        return self.finding(feature).state in ("yes", "unknown")

    def finding(self, feature: str) -> Finding:
        """What was found about one of `FEATURES`."""
        found = getattr(self, feature)
        assert isinstance(found, Finding)
        return found

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
    if any(found.finding(feature).how == _SLOW for feature in FEATURES):
        return found  # another time it may be less busy
    with contextlib.suppress(PrerequisiteError):  # a cache that cannot be written costs time, no more
        write_whole(path, found.model_dump_json(indent=1).encode())
    return found


def probe(url: str, model: str, *, key: str = "") -> Capabilities:
    """Try everything out: about 16 requests of a few tokens each, 4 at a time.

    Raises `PrerequisiteError` where the server is down, or was when it was asked again at the end, or refuses even a plain
    question.
    """
    asker = _Asker(url, model, key)
    try:
        first = asker.chat(_HELLO, max_tokens=4)  # alone: a server that cannot even do this is not asked more
    except TimeoutError as error:
        raise PrerequisiteError(
            f"the server at {url!r} did not answer a plain question within {_TIMEOUT:.0f} s",
            remedy="see whether the machine is busy with something else, or serve a smaller model",
        ) from error
    if not first.ok:
        remedy = "set INLOOP_API_KEY" if first.status in (401, 403) else "check the address and the model's name"
        raise PrerequisiteError(
            f"the server at {url!r} answered {first.status} to a plain question to {model!r}: {first.said}",
            remedy=remedy,
        )
    if not _texts(first):
        raise PrerequisiteError(
            f"the server at {url!r} answered a plain question with no chat completion: {first.said!r}",
            remedy="check the address: it usually ends in /v1",
        )
    tests: dict[str, Callable[[_Asker], Finding]] = {
        "n": _n, "seed": _seed, "logprobs": _logprobs, "json_schema": _json_schema, "choice": _choice, "tools": _tools,
        "images": _images, "lora": _lora,
    }  # fmt: skip

    def tried(test: Callable[[_Asker], Finding]) -> Finding:
        try:
            return test(asker)
        except TimeoutError:
            return Finding(state="unknown", how=_SLOW)
        except PrerequisiteError as error:  # it answers plain questions, so this one is what it cannot take
            return Finding(state="refused", how=f"breaks off: {error.problem[-120:]}")

    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(tests, pool.map(tried, tests.values()), strict=True))
    if any(finding.how.startswith("breaks off") for finding in found.values()):
        last = asker.chat(_HELLO, max_tokens=4)  # what broke off may have been the whole server
        if not last.ok:
            raise PrerequisiteError(
                f"the server at {url!r} broke off while it was probed ({last.status})", remedy="try again"
            )
    return Capabilities(
        url=url, model=model, server=_server_of(url, key), context=_context(url, model, key), requests=asker.requests,
        **found,
    )  # fmt: skip


class _Asker:
    """Sends the questions of the probe."""

    def __init__(self, url: str, model: str, key: str) -> None:
        self.url, self.model, self.key = url, model, key
        self.requests = 0

    def chat(self, content: Any, **options: Any) -> Answer:
        body = {"model": self.model, "messages": [{"role": "user", "content": content}], "max_tokens": 12, **options}
        return self.post("chat/completions", body)

    def post(self, path: str, body: Any) -> Answer:
        self.requests += 1
        try:
            return ask(f"{self.url}/{path}", key=self.key, body=body, timeout=_TIMEOUT)
        except OSError as error:
            if "timed out" in str(error):  # slow is not the same as unable
                raise TimeoutError(_SLOW) from error
            raise PrerequisiteError(
                f"the server at {self.url!r} does not answer ({error})", remedy="start the server, then try again"
            ) from error


def _texts(answer: Answer) -> list[str]:
    try:
        return [str(choice["message"].get("content") or "") for choice in answer.value["choices"]]
    except (KeyError, TypeError, AttributeError):
        return []


def _refused(answer: Answer) -> Finding | None:
    if answer.ok:
        return None
    if answer.status >= 500 and answer.status != 501:
        return Finding(state="refused", how=f"fails with {answer.status}: {answer.said[:120]}")
    return Finding(state="refused", how=f"{answer.status}: {answer.said[:120]}")


def _n(asker: _Asker) -> Finding:
    answer = asker.chat(_HELLO, n=3, temperature=1.0, seed=1)
    if refused := _refused(answer):
        return refused
    count = len(_texts(answer))
    return Finding(state="yes") if count == 3 else Finding(state="ignored", how=f"gives {count} choices for n=3")


def _seed(asker: _Asker) -> Finding:
    """The same seed twice gives one text, and others give others."""
    got = [asker.chat(_HELLO, temperature=1.5, seed=seed) for seed in (11, 11, 12, 13, 14)]
    if refused := next((refusal for answer in got if (refusal := _refused(answer))), None):
        return refused
    texts = ["".join(_texts(answer)) for answer in got]
    if texts[0] != texts[1]:
        return Finding(state="ignored", how="two texts for one seed")
    if len(set(texts)) == 1:
        return Finding(state="ignored", how="one text for all seeds")
    return Finding(state="yes")


def _logprobs(asker: _Asker) -> Finding:
    answer = asker.chat(_HELLO, logprobs=True, top_logprobs=5)
    if refused := _refused(answer):
        plain = asker.chat(_HELLO, logprobs=True)
        return Finding(state="yes", how="without top_logprobs") if _first_tokens(plain) else refused
    tokens = _first_tokens(answer)
    if not tokens:
        return Finding(state="ignored", how="gives none")
    if all(token.get("logprob") == 0 for token in tokens):
        return Finding(state="ignored", how="all are 0")
    return Finding(state="yes", how="" if tokens[0].get("top_logprobs") else "without top_logprobs")


def _first_tokens(answer: Answer) -> list[dict[str, Any]]:
    try:
        return [dict(token) for token in answer.value["choices"][0]["logprobs"]["content"]]
    except (KeyError, TypeError, ValueError, IndexError):
        return []


def _json_schema(asker: _Asker) -> Finding:
    """The one JSON text that the schema lets through is not what the question asks for."""
    schema = {
        "type": "object",
        "properties": {_WORDS[0]: {"type": "string", "enum": [_WORDS[1]]}},
        "required": [_WORDS[0]],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "probe", "schema": schema, "strict": True}}
    answer = asker.chat(_HELLO, response_format=wanted, max_tokens=60)
    if refused := _refused(answer):
        return refused
    text = "".join(_texts(answer))
    try:
        if json.loads(text) == {_WORDS[0]: _WORDS[1]}:
            return Finding(state="yes")
    except ValueError:
        pass
    return Finding(state="ignored", how=f"answers {text[:60]!r}")


def _choice(asker: _Asker) -> Finding:
    """VLLM's way of choosing among texts, under its present and its former name."""
    said = Finding(state="unknown")
    for how, extra in (
        ("structured_outputs", {"structured_outputs": {"choice": list(_WORDS)}}),
        ("guided_choice", {"guided_choice": list(_WORDS)}),
    ):
        answer = asker.chat(_HELLO, **extra)
        if refused := _refused(answer):
            said = refused
        elif "".join(_texts(answer)).strip() in _WORDS:
            return Finding(state="yes", how=how)
        else:
            said = Finding(state="ignored", how=f"answers {''.join(_texts(answer))[:60]!r}")
    return said


def _tools(asker: _Asker) -> Finding:
    """A tool whose call is demanded has to be called with arguments that fit."""
    function = {
        "name": "paint",
        "description": "Paint a picture.",
        "parameters": {
            "type": "object",
            "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
            "required": ["colour"],
        },
    }
    answer = asker.chat(
        "Paint something red.",
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "paint"}},
        max_tokens=60,
    )
    if refused := _refused(answer):
        return refused
    try:
        call = answer.value["choices"][0]["message"]["tool_calls"][0]["function"]
        if call["name"] == "paint" and json.loads(call["arguments"])["colour"] in ("red", "blue"):
            return Finding(state="yes")
        return Finding(state="ignored", how=f"calls {str(call)[:80]}")
    except (KeyError, TypeError, IndexError, ValueError):
        return Finding(state="ignored", how="calls no tool although it must")


def _images(asker: _Asker) -> Finding:
    """A red and a blue picture: seen where the colours are told, or where the answers differ in the pictures' favour."""
    texts, tokens = [], []
    for colour in ((220, 20, 20), (20, 20, 220)):
        answer = asker.chat(
            [
                {"type": "image_url", "image_url": {"url": _picture(colour)}},
                {"type": "text", "text": "Which colour is this picture? Answer with one word."},
            ],
            temperature=0.0,
        )
        if refused := _refused(answer):
            return refused
        texts.append("".join(_texts(answer)).lower())
        usage = answer.value.get("usage") if isinstance(answer.value, dict) else None
        tokens.append((usage or {}).get("prompt_tokens"))
    if "red" in texts[0] and "blue" in texts[1]:
        return Finding(state="yes")
    plain = asker.chat("Which colour is this picture? Answer with one word.", temperature=0.0)
    bare = (plain.value.get("usage") or {}).get("prompt_tokens") if isinstance(plain.value, dict) else None
    if bare is not None and tokens[0] is not None and tokens[0] > bare + 3:
        return Finding(state="unknown", how=f"reads the picture, and says {texts[0][:30]!r} to red")
    return Finding(state="ignored", how=f"says {texts[0][:30]!r} to red and {texts[1][:30]!r} to blue")


def _picture(colour: tuple[int, int, int]) -> str:
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _lora(asker: _Asker) -> Finding:
    """Loading at run time: an incomplete request is refused as incomplete where the door is there at all."""
    answer = asker.post("load_lora_adapter", {"lora_name": "", "lora_path": ""})
    if answer.status in (400, 422):
        return Finding(state="yes", how="load_lora_adapter")
    if answer.ok:
        return Finding(state="ignored", how="says yes to an adapter without a name")
    return Finding(state="refused", how=f"{answer.status}: {answer.said[:80]}")


def _entry(url: str, model: str, key: str) -> dict[str, Any]:
    entries = listed(url, key=key)
    return entries.get(model, {})


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
