"""The probe against servers that do, refuse and silently ignore, and against the real embedded one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Body, Endpoint, Handler, completion, fails, says, serving, well

from inloop.runtime import models
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.llm.capabilities import capabilities, probe
from inloop.runtime.llm.probes import FEATURES
from inloop.runtime.serving.llama_server import LocalServer
from inloop.runtime.settings import Settings


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with serving() as endpoint:
        yield endpoint


def obeys(handler: Handler, body: Body) -> None:
    """As a good server: what is asked for is done."""
    if "lora_name" in body:
        return fails(400, "Both must be provided")(handler, body)
    content = body["messages"][0]["content"]
    if "response_format" in body:
        schema = body["response_format"]["json_schema"]["schema"]["properties"]
        text = json.dumps({name: value["enum"][0] for name, value in schema.items()})
    elif "structured_outputs" in body:
        text = body["structured_outputs"]["choice"][1]
    elif isinstance(content, list):
        text = "Red." if len(content[0]["image_url"]["url"]) and body["seen"] % 2 == 0 else "blue"
    else:
        text = f"the sea {body.get('seed')}"
    reply = completion([text] * body.get("n", 1), output_tokens=5, logprobs=bool(body.get("logprobs")))
    if "tools" in body:
        call = {"id": "1", "type": "function", "function": {"name": "paint", "arguments": '{"colour": "red"}'}}
        reply["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
    handler.json(reply)


def with_eyes(handler: Handler, body: Body) -> None:
    """Tells the two pictures of the probe apart by their bytes."""
    pictures = handler.server.__dict__.setdefault("pictures", [])
    content = body.get("messages", [{"content": ""}])[0]["content"]
    if isinstance(content, list) and content[0]["image_url"]["url"] not in pictures:
        pictures.append(content[0]["image_url"]["url"])
    seen = pictures.index(content[0]["image_url"]["url"]) if isinstance(content, list) else 0
    obeys(handler, body | {"seen": seen})


def states(found: Any) -> dict[str, str]:
    """What was found about every feature; these servers have no model that thinks (see test_thinking_models)."""
    assert found.thinks.state == "no"
    return {feature: found.finding(feature).state for feature in FEATURES if feature != "thinks"}


def test_a_server_that_does_everything(server: Endpoint) -> None:
    server.behaviours = [with_eyes]
    server.listing = {"data": [{"id": "base", "max_model_len": 4096}, {"id": "m", "parent": "base"}]}
    found = probe(server.url, "m")
    assert set(states(found).values()) == {"yes"}, found
    assert found.choice.how == "structured_outputs" and found.context == 4096 and found.notes() == []


def test_a_server_that_ignores_everything(server: Endpoint) -> None:
    """It answers 200 to all, with texts of its own: only a look at the answers tells."""
    counter = iter(range(1000))
    server.behaviours = [lambda handler, body: says(f"The sea is wide {next(counter)}.")(handler, body)]
    found = probe(server.url, "m")
    assert set(states(found).values()) == {"ignored"}, found
    assert found.n.how == "gives 1 choices for n=3" and "two texts" in found.seed.how
    noted = "\n".join(found.notes())
    assert "silently ignores json_schema" in noted and "seed" in noted


def test_a_server_that_says_the_same_to_every_seed(server: Endpoint) -> None:
    server.behaviours = [says("always this")]
    assert probe(server.url, "m").seed.how == "one text for all seeds"


def refuses_all_but_text(handler: Handler, body: Body) -> None:
    plain = {"model", "messages", "max_tokens", "temperature"}
    content = body.get("messages", [{"content": []}])[0]["content"]
    if set(body) - plain or not isinstance(content, str):
        return fails(400, "unknown field")(handler, body)
    return well(handler, body)


def test_a_server_that_refuses_everything(server: Endpoint) -> None:
    server.behaviours = [refuses_all_but_text]
    found = states(probe(server.url, "m"))
    assert found.pop("lora") == "yes"  # a 400 to an adapter without a name is what vLLM says too
    assert set(found.values()) == {"refused"}


def test_it_is_asked_once(server: Endpoint, tmp_path: Path) -> None:
    server.behaviours = [with_eyes]
    first = capabilities(server.url, "m", tmp_path)
    posts = [body for body in server.seen if "model" in body]
    assert capabilities(server.url, "m", tmp_path) == first
    assert [body for body in server.seen if "model" in body] == posts
    assert len(posts) + 1 == first.requests < 25
    server.listing = {"data": [{"id": "m", "root": "another model"}]}  # another server moved in at the same port
    capabilities(server.url, "m", tmp_path)
    assert len([body for body in server.seen if "model" in body]) == 2 * len(posts)


def test_a_server_that_fails_is_not_judged(server: Endpoint, tmp_path: Path) -> None:
    server.behaviours = [fails(404, "no such model")]
    with pytest.raises(PrerequisiteError, match="404"):
        capabilities(server.url, "m", tmp_path)
    assert not (tmp_path / "capabilities").exists()
    with pytest.raises(PrerequisiteError, match="does not list"):
        capabilities("http://127.0.0.1:9/v1", "m", tmp_path)


def test_slow_is_not_unable(server: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inloop.runtime.llm.probes.TIMEOUT", 0.5)

    def slow_with_schemas(handler: Handler, body: Body) -> None:
        if "response_format" in body:
            time.sleep(1.0)
        with_eyes(handler, body)

    server.behaviours = [slow_with_schemas]
    found = capabilities(server.url, "m", tmp_path)
    assert found.json_schema.state == "unknown" and found.has("json_schema") and found.n.state == "yes"
    assert not (tmp_path / "capabilities").exists()  # asked again next time
    server.behaviours = [lambda handler, body: time.sleep(1.0)]
    with pytest.raises(PrerequisiteError, match="did not answer a plain question"):
        probe(server.url, "m")


def test_the_embedded_server_as_it_is() -> None:
    path = models.find("smollm2", Settings().cache_dir)
    if path is None:
        pytest.skip("SmolLM2 is not fetched: inloop models --fetch smollm2")
    with LocalServer(path, threads=1, n_ctx=512) as running:
        found = probe(running.url, "smollm2", key=running.api_key)
    got = states(found)
    assert got["seed"] == got["logprobs"] == got["json_schema"] == "yes", found
    assert got["n"] in ("refused", "ignored")  # one slot
    assert got["choice"] == "ignored" and got["images"] in ("refused", "ignored") and got["lora"] == "refused"
    assert found.context == 512
