"""The chat client with what a probe found, and with a server of our own that dies and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from servers import Behaviour, Body, Endpoint, Handler, completion, fails, hangs_up, serving, well

from inloop.runtime import models
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.llm.open import open_chat
from inloop.runtime.records import Message
from inloop.runtime.serving.engines import embedded_plan
from inloop.runtime.serving.process import Serving, free_port
from inloop.runtime.serving.servable import find_servable
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store, hashes

HELLO = (Message(role="user", content="hello"),)


class Point(BaseModel):
    """A place."""

    x: int


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with serving() as endpoint:
        yield endpoint


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", "run-1") as opened:
        yield opened


def ignores(handler: Handler, body: Body) -> None:
    """Answers everything with 200, knows one choice a request, no schema and no seed."""
    handler.server.__dict__["count"] = count = handler.server.__dict__.get("count", 0) + 1
    if "lora_name" in body:
        return fails(404)(handler, body)
    asked = body["messages"][-1]["content"]
    text = '{"x": 7}' if "JSON schema" in str(asked) else f"The sea is wide {count}."
    return handler.json(completion([text], output_tokens=5))


async def test_what_a_server_ignores_is_not_asked_of_it_and_is_noted(
    server: Endpoint, store: Store, tmp_path: Path
) -> None:
    server.behaviours = [ignores]
    settings = Settings(cache_dir=tmp_path / "cache")
    async with open_chat(f"{server.url}#m", store, settings) as chat:
        assert server.seen == []  # nothing before there is something to send
        first = await chat.complete(HELLO, n=3, seed=5, schema=Point)
        probed = len(server.seen)
        second = await chat.complete(HELLO, n=3, seed=9, schema=Point)
    assert first.texts == second.texts == ('{"x":7}',) * 3
    later = server.seen[probed:]
    assert [body["n"] for body in later] == [1, 1, 1] and not any("response_format" in body for body in later)
    noted = "\n".join(chat.notes)
    assert "silently ignores json_schema" in noted and "ignores n" in noted and "ignores seed" in noted
    assert "logprobs" not in noted  # nobody asked for any
    asked = len(server.seen)
    async with open_chat(f"{server.url}#m", store, settings) as again:  # the ledger answers, without a probe
        assert (await again.complete(HELLO, n=3, seed=5, schema=Point)).cached
    assert len(server.seen) == asked


def chooses(*, by: str, schema: bool = False) -> Behaviour:
    """A server that knows one way of choosing, perhaps schemas of JSON, and nothing else; it talks where it is free to."""

    def behave(handler: Handler, body: Body) -> None:
        options = [body.get("structured_outputs", {}).get("choice"), body.get("guided_choice")]
        held = options[("structured_outputs", "guided_choice").index(by)] if by else None
        text = "Well, perhaps it is so."
        if held:
            text = held[-1]
        elif schema and "response_format" in body:
            properties = body["response_format"]["json_schema"]["schema"]["properties"]
            text = json.dumps({name: kind["enum"][-1] for name, kind in properties.items()})
        if "lora_name" in body:
            return fails(404)(handler, body)
        return handler.json(completion([text] * body.get("n", 1), output_tokens=5, logprobs=bool(body.get("logprobs"))))

    return behave


@pytest.mark.parametrize("by", ["structured_outputs", "guided_choice"])
async def test_a_choice_is_kept_by_the_server_that_can(by: str, server: Endpoint, store: Store, tmp_path: Path) -> None:
    server.behaviours = [chooses(by=by)]
    async with open_chat(f"{server.url}#m", store, Settings(cache_dir=tmp_path / "cache")) as chat:
        reply = await chat.complete(HELLO, among=("Yes", "No"), n=2, max_tokens=9, logprobs=True)
        assert reply.texts == ("No", "No") and not any("choice" in note for note in chat.notes)
    said = {"structured_outputs": {"choice": ["Yes", "No"]}, "guided_choice": ["Yes", "No"]}
    assert server.seen[-1][by] == said[by] and server.seen[-1]["max_tokens"] == 9


async def test_a_choice_by_a_schema_where_there_is_no_other_way(server: Endpoint, store: Store, tmp_path: Path) -> None:
    server.behaviours = [chooses(by="", schema=True)]
    heard: list[str] = []
    async with open_chat(f"{server.url}#m", store, Settings(cache_dir=tmp_path / "cache")) as chat:
        reply = await chat.complete(HELLO, among=("Yes", "No"), on_text=heard.append)
        assert reply.text == "No" and heard == ["No"] and not any("choice" in note for note in chat.notes)
        # the probabilities of the JSON's first token say nothing about the choice
        free = await chat.complete(HELLO, among=("Yes", "No"), logprobs=True)
        assert free.text == "Well, perhaps it is so." and "response_format" not in server.seen[-1]
        assert any("choice: answers to closed questions are read from free text" in note for note in chat.notes)
        asked = len(server.seen)
        assert (await chat.complete(HELLO, among=("Yes", "No"))).cached and len(server.seen) == asked


async def test_a_choice_for_a_server_that_keeps_none(server: Endpoint, store: Store, tmp_path: Path) -> None:
    server.behaviours = [chooses(by="")]
    settings = Settings(cache_dir=tmp_path / "cache")
    async with open_chat(f"{server.url}#m", store, settings) as chat:
        reply = await chat.complete(HELLO, among=("Yes", "No"))
        assert reply.text == "Well, perhaps it is so." and any("ignores choice" in note for note in chat.notes)
        assert not {"structured_outputs", "guided_choice", "response_format"} & set(server.seen[-1])
        with pytest.raises(BadInput, match="no schema beside"):
            await chat.complete(HELLO, among=("Yes", "No"), schema=Point)
    asked = len(server.seen)
    async with open_chat(f"{server.url}#m", store, settings) as again:  # the ledger answers, without a probe
        assert (await again.complete(HELLO, among=("Yes", "No"))).cached
    assert len(server.seen) == asked


async def test_probabilities_without_alternatives_are_noted(server: Endpoint, store: Store, tmp_path: Path) -> None:
    server.behaviours = [lambda h, b: fails(404)(h, b) if "lora_name" in b else well(h, b)]
    async with open_chat(f"{server.url}#m", store, Settings(cache_dir=tmp_path / "cache")) as chat:
        reply = await chat.complete(HELLO, seed=1, logprobs=True)
        assert reply.logprobs[0] == (("x", -0.5),) and not chat.notes
        reply = await chat.complete(HELLO, seed=1, top=5)
        assert reply.top == ((),) and "without top_logprobs: none of alternatives" in "".join(chat.notes)


async def test_pictures_for_a_blind_server(server: Endpoint, store: Store, tmp_path: Path) -> None:
    from PIL import Image

    server.behaviours = [well]  # answers pictures with a text of its own
    picture = store.blobs.put_image(Image.new("RGB", (8, 8)))
    question = [Message(role="user", content="What is this?", images=(picture,))]
    async with open_chat(f"{server.url}#m", store, Settings(cache_dir=tmp_path / "cache")) as chat:
        with pytest.raises(PrerequisiteError, match="does not see pictures"):
            await chat.complete(question)


def breaks_off_at_adapters(handler: Handler, body: Body) -> None:
    """As a server that crashes on what it does not know."""
    if "lora_name" in body:
        return hangs_up(handler, body)
    return well(handler, body)


async def test_many_requests_at_once_probe_once(server: Endpoint, store: Store, tmp_path: Path) -> None:
    server.behaviours = [breaks_off_at_adapters]
    async with open_chat(f"{server.url}#m", store, Settings(cache_dir=tmp_path / "cache", concurrency=3)) as chat:
        await asyncio.gather(*(chat.complete(HELLO, seed=seed) for seed in range(40)))
    loads = [body for body in server.seen if "lora_name" in body]
    assert len(loads) == 1 and server.busiest <= 7  # 3 of ours, and the 4 of the probe


async def test_a_loop_goes_on_after_its_server_died(store: Store, tmp_path: Path) -> None:
    gguf = models.find("smollm2", Settings().cache_dir)
    if gguf is None:
        pytest.skip("SmolLM2 is not fetched: inloop models --fetch smollm2")
    cache = tmp_path / "cache"
    model = find_servable(f"gguf:{gguf}", [], cache)
    plan = embedded_plan(model, port=free_port(), cache_dir=cache, context=512, threads=1)
    with Serving(plan, cache) as running:
        async with open_chat(running.served.llm, store, Settings(cache_dir=cache)) as chat:
            assert chat.revision == running.served.models[gguf.stem] == hashes.file_sha256(gguf)
            first = await chat.complete(HELLO, seed=1, max_tokens=6)
            assert first.cost.money == 0.0
            assert running.pid is not None
            os.kill(running.pid, signal.SIGKILL)
            more = await asyncio.gather(*(chat.complete(HELLO, seed=seed, max_tokens=6) for seed in (2, 3, 4)))
            assert all(reply.text for reply in more) and running.served.restarts == 1
            assert (await chat.complete(HELLO, seed=1, max_tokens=6)).cached
    assert store.ledger.paid_twice() == [] and store.ledger.failures() == []
