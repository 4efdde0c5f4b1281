"""The chat client against real HTTP servers on loopback, well-behaved and not, with the real ledger."""

from __future__ import annotations

import asyncio
import email.utils
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from servers import GARBAGE, Behaviour, Body, Endpoint, Handler, fails, says, serving, stream, well

from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.llm.open import open_chat
from inloop.runtime.records import Message
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.runtime.transport.sender import Sender

HELLO = (Message(role="user", content="hello"),)


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with serving() as endpoint:
        yield endpoint


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", "run-1") as opened:
        yield opened


def client(server: Endpoint, store: Store, **options: Any) -> OpenAIChat:
    many = options.pop("many", True)
    given: dict[str, Any] = {"model": "m", "pause": 0.01, "timeout": 5.0}
    return OpenAIChat(Sender(server.url, "k", **(given | options)), store=store, many=many)


async def test_an_answer_with_its_cost_and_from_the_ledger_the_second_time(server: Endpoint, store: Store) -> None:
    async with client(server, store) as chat:
        first = await chat.complete(HELLO, seed=3, temperature=0.5, max_tokens=9, stop=("END",), logprobs=True)
        again = await chat.complete(HELLO, seed=3, temperature=0.5, max_tokens=9, stop=("END",), logprobs=True)
        other = await chat.complete(HELLO, seed=4)
    assert first.text == again.text == "hello 3 0"
    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert first.logprobs == again.logprobs == ((("x", -0.5),),)
    assert (first.cost.calls, first.cost.input_tokens, first.cost.output_tokens) == (1, 7, 5)
    assert first.cost.money is None
    assert again.cost.calls == 0 and again.cost.output_tokens == 0
    assert len(server.seen) == 2
    assert server.seen[0] == {
        "model": "m", "messages": [{"role": "user", "content": "hello"}], "n": 1, "temperature": 0.5,
        "max_tokens": 9, "seed": 3, "stop": ["END"], "logprobs": True,
    }  # fmt: skip
    assert store.ledger.cost.output_tokens == 10


async def test_n_choices_in_one_request(server: Endpoint, store: Store) -> None:
    async with client(server, store) as chat:
        reply = await chat.complete(HELLO, n=3, seed=1)
    assert reply.texts == ("hello 1 0", "hello 1 1", "hello 1 2")
    assert len(server.seen) == 1 and reply.cost.output_tokens == 15


async def test_a_server_that_ignores_n_gets_single_requests_with_other_seeds(server: Endpoint, store: Store) -> None:
    server.behaviours = [lambda handler, body: well(handler, body | {"n": 1})]
    async with client(server, store) as chat:
        reply = await chat.complete(HELLO, n=3, seed=5)
        assert reply.texts == ("hello 5 0", "hello 6 0", "hello 7 0")
        assert sorted(body["seed"] for body in server.seen) == [5, 6, 7]
        assert reply.cost.calls == 3
        assert (await chat.complete(HELLO, n=3, seed=5)).cached
    assert len(server.seen) == 3


def refuses_n(handler: Handler, body: Body) -> None:
    """As llama.cpp with one slot."""
    fails(400, "'n': must be 1")(handler, body) if body["n"] > 1 else well(handler, body)


async def test_a_server_that_refuses_n_is_asked_once_and_never_in_a_second_run(server: Endpoint, store: Store) -> None:
    server.behaviours = [refuses_n]
    async with client(server, store) as chat:
        assert (await chat.complete(HELLO, n=2, seed=0)).texts == ("hello 0 0", "hello 1 0")
        assert (await chat.complete(HELLO, n=2, seed=9)).texts == ("hello 9 0", "hello 10 0")
        assert [body["n"] for body in server.seen] == [2, 1, 1, 1, 1]
    async with client(server, store) as second:
        assert (await second.complete(HELLO, n=2, seed=0)).cached
        assert (await second.complete(HELLO, n=2, seed=9)).cached
    assert len(server.seen) == 5


async def test_choices_without_a_seed_are_different_calls(server: Endpoint, store: Store) -> None:
    counter = iter(range(100))
    server.behaviours = [lambda handler, body: says(f"answer {next(counter)}")(handler, body)]
    async with client(server, store, many=False) as chat:
        reply = await chat.complete(HELLO, n=3)
        assert sorted(reply.texts) == ["answer 0", "answer 1", "answer 2"]
        assert (await chat.complete(HELLO, n=3)).texts == reply.texts
    assert all("seed" not in body for body in server.seen)


@pytest.mark.parametrize(
    ("status", "error", "says_"),
    [
        (401, PrerequisiteError, "INLOOP_API_KEY"),
        (403, PrerequisiteError, "INLOOP_API_KEY"),
        (404, PrerequisiteError, "/v1"),
        (400, CallFailed, "too long"),
        (422, CallFailed, "too long"),
        (418, CallFailed, "418"),
    ],
)
async def test_what_cannot_pass_is_never_tried_again(
    server: Endpoint, store: Store, status: int, error: type[Exception], says_: str
) -> None:
    server.behaviours = [fails(status, "the prompt is too long")]
    async with client(server, store) as chat:
        with pytest.raises(error, match=says_) as raised:
            await chat.complete(HELLO)
    assert str(status) in str(raised.value) and server.url in str(raised.value)
    assert len(server.seen) == 1
    assert not getattr(raised.value, "retryable", False)


async def test_an_empty_account_is_not_tried_again(server: Endpoint, store: Store) -> None:
    server.behaviours = [fails(429, "you exceeded your quota", code="insufficient_quota")]
    async with client(server, store) as chat:
        with pytest.raises(PrerequisiteError, match="credit"):
            await chat.complete(HELLO)
    assert len(server.seen) == 1


@pytest.mark.parametrize("trouble", [fails(429), fails(500), fails(503), fails(408), *GARBAGE.values()])
async def test_what_may_pass_is_tried_again(server: Endpoint, store: Store, trouble: Behaviour) -> None:
    server.behaviours = [trouble, trouble, well]
    async with client(server, store) as chat:
        assert (await chat.complete(HELLO, seed=1)).text == "hello 1 0"
    assert len(server.seen) == 3
    assert store.ledger.failures() == []


@pytest.mark.parametrize("trouble", [fails(500), *GARBAGE.values()])
async def test_lasting_trouble_is_a_failure_and_never_a_result(
    server: Endpoint, store: Store, trouble: Behaviour
) -> None:
    server.behaviours = [trouble]
    async with client(server, store, attempts=3) as chat:
        with pytest.raises(CallFailed, match="3 attempts") as raised:
            await chat.complete(HELLO)
        assert raised.value.retryable
        assert len(server.seen) == 3
        assert [failure.kind for failure in store.ledger.failures()] == ["llm"]
        server.behaviours = [well]
        assert (await chat.complete(HELLO)).text == "hello None 0"


@pytest.mark.parametrize("as_date", [False, True])
async def test_retry_after_is_honoured(server: Endpoint, store: Store, as_date: bool) -> None:
    def busy(handler: Handler, body: Body) -> None:
        # the date is told when the answer goes out: on a busy machine the request may have taken seconds to come
        value = email.utils.formatdate(time.time() + 3, usegmt=True) if as_date else "0.5"
        fails(429, headers={"retry-after": value})(handler, body)

    server.behaviours = [busy, well]
    async with client(server, store) as chat:
        await chat.complete(HELLO)
    waited = server.at[1] - server.at[0]
    assert waited >= (1.0 if as_date else 0.5)


async def test_a_retry_after_beyond_our_patience_ends_the_call(server: Endpoint, store: Store) -> None:
    server.behaviours = [fails(429, headers={"retry-after": "3600"})]
    async with client(server, store) as chat:
        begun = time.monotonic()
        with pytest.raises(CallFailed, match="3600 s"):
            await chat.complete(HELLO)
    assert time.monotonic() - begun < 5 and len(server.seen) == 1


async def test_a_server_that_is_down(store: Store) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    async with OpenAIChat(Sender(url, "k", model="m", pause=0.01), store=store) as chat:
        with pytest.raises(PrerequisiteError, match="start the server") as raised:
            await chat.complete(HELLO)
    assert url in str(raised.value)
    with pytest.raises(PrerequisiteError, match="start the server"):
        open_chat(url, store, Settings())


async def test_a_server_that_does_not_answer_in_time(server: Endpoint, store: Store) -> None:
    server.behaviours = [lambda handler, body: time.sleep(2)]
    async with client(server, store, timeout=0.2, attempts=2) as chat:
        with pytest.raises(CallFailed, match="did not answer"):
            await chat.complete(HELLO)


async def test_streaming(server: Endpoint, store: Store) -> None:
    server.behaviours = [stream("a crimson disc on a box")]
    pieces: list[str] = []
    async with client(server, store) as chat:
        reply = await chat.complete(HELLO, on_text=pieces.append)
        assert len(pieces) == 6 and "".join(pieces) == reply.text == "a crimson disc on a box "
        assert reply.finish_reasons == ("stop",) and reply.cost.output_tokens == 6  # estimated: 24 bytes
        assert (await chat.complete(HELLO, on_text=pieces.append)).cached
    assert pieces[6:] == [reply.text]


async def test_a_server_that_knows_no_stream_is_asked_in_one_piece(server: Endpoint, store: Store) -> None:
    """One refuses to count what it streams, another answers in one piece whatever it is asked."""

    def refuses(handler: Handler, body: Body) -> None:
        if "stream_options" in body:
            fails(400, "Unknown field: stream_options")(handler, body)
        else:
            well(handler, body)

    def whole(handler: Handler, body: Body) -> None:
        well(handler, body | {"stream": False})

    for behaviour in (refuses, whole):
        server.behaviours = [behaviour]
        async with client(server, store) as chat:
            for seed in (1, 2):
                pieces: list[str] = []
                reply = await chat.complete(HELLO, seed=seed + 10 * (behaviour is whole), on_text=pieces.append)
                assert "".join(pieces).strip() == reply.text.strip() and reply.text


async def test_a_cut_off_stream_is_asked_again_and_never_a_result(server: Endpoint, store: Store) -> None:
    server.behaviours = [stream("a crimson disc on a box", cut=True), stream("a crimson disc on a box")]
    async with client(server, store) as chat:
        assert (await chat.complete(HELLO, on_text=lambda text: None)).text == "a crimson disc on a box "
        server.behaviours = [stream("a crimson disc on a box", cut=True)]
        with pytest.raises(CallFailed, match="cut off"):
            await chat.complete(HELLO, seed=2, on_text=lambda text: None)


class Point(BaseModel):
    """A place."""

    x: int
    y: int


async def test_a_schema_is_sent_and_checked(server: Endpoint, store: Store) -> None:
    server.behaviours = [says('Sure:\n```json\n{"x": 1, "y": 2,}\n```', '{"x": "far"}', '{"x": 3, "y": 4}')]
    async with client(server, store) as chat:
        reply = await chat.complete(HELLO, n=3, schema=Point)
    assert [Point.model_validate_json(text) for text in reply.texts] == [Point(x=1, y=2), Point(x=3, y=4)]
    sent = server.seen[0]["response_format"]
    assert sent["type"] == "json_schema" and sent["json_schema"]["schema"]["required"] == ["x", "y"]


async def test_a_reply_that_does_not_fit_the_schema_is_a_failure(server: Endpoint, store: Store) -> None:
    server.behaviours = [says('{"x": "far", "y": 1}')]
    async with client(server, store) as chat:
        with pytest.raises(CallFailed, match=r"Point: x: .*integer.*far"):
            await chat.complete(HELLO, schema=Point)


@pytest.mark.parametrize("also_refuses_n", [False, True])
async def test_a_server_without_schemas_gets_it_in_words(server: Endpoint, store: Store, also_refuses_n: bool) -> None:
    def behave(handler: Handler, body: Body) -> None:
        if "response_format" in body or (also_refuses_n and body["n"] > 1):
            return fails(400, "I do not know this")(handler, body)
        return says(*['{"x": 1, "y": 2}'] * body["n"])(handler, body)

    server.behaviours = [behave]
    async with client(server, store) as chat:
        for seed in (0, 10):
            assert len((await chat.complete(HELLO, n=2, seed=seed, schema=Point)).texts) == 2
        before = len(server.seen)
        last = server.seen[-1]
        assert "response_format" not in last and '"required": ["x", "y"]' in last["messages"][0]["content"]
        assert before == (6 + 2 if also_refuses_n else 4 + 1)  # the second question goes straight to what works
    async with client(server, store) as second:
        for seed in (0, 10):
            assert (await second.complete(HELLO, n=2, seed=seed, schema=Point)).cached
    assert len(server.seen) == before


async def test_a_400_that_nothing_helps_against_stays_one(server: Endpoint, store: Store) -> None:
    server.behaviours = [fails(400, "the prompt has 9999 tokens")]
    async with client(server, store) as chat:
        with pytest.raises(CallFailed, match="9999 tokens"):
            await chat.complete(HELLO, n=3, schema=Point)
        server.behaviours = [well]
        assert len((await chat.complete(HELLO, n=3)).texts) == 3  # and nothing was learned from it
        assert server.seen[-1]["n"] == 3


async def test_tokens_are_counted_where_the_server_does_not(server: Endpoint, store: Store) -> None:
    long = "word " * 40  # 200 bytes: about 50 tokens
    async with client(server, store) as chat:
        server.behaviours = [says(long, long, long, output_tokens=None)]
        none = await chat.complete(HELLO, n=3, seed=0)
        server.behaviours = [says(long, long, long, output_tokens=41)]
        first_only = await chat.complete(HELLO, n=3, seed=1)
        server.behaviours = [says(long, long, long, output_tokens=130)]
        counted = await chat.complete(HELLO, n=3, seed=2)
    assert none.cost.output_tokens == 150 and none.cost.input_tokens == 2
    assert first_only.cost.output_tokens == 150
    assert counted.cost.output_tokens == 130


async def test_images_go_before_the_text(server: Endpoint, store: Store) -> None:
    ref = store.blobs.put(b"\x89PNG", "image/png")
    async with client(server, store) as chat:
        server.behaviours = [says("a picture")]
        await chat.complete([Message(role="user", content="what is it?", images=(ref,))])
    parts = server.seen[0]["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["image_url", "text"]
    assert parts[0]["image_url"]["url"] == "data:image/png;base64,iVBORw=="


async def test_many_at_once_stay_within_the_limit_and_the_same_one_is_sent_once(server: Endpoint, store: Store) -> None:
    def slow(handler: Handler, body: Body) -> None:
        time.sleep(0.02)
        well(handler, body)

    server.behaviours = [slow]
    async with client(server, store, concurrency=3) as chat:
        replies = await asyncio.gather(*(chat.complete(HELLO, seed=i % 10) for i in range(30)))
    assert [reply.text for reply in replies] == [f"hello {i % 10} 0" for i in range(30)]
    assert len(server.seen) == 10 and 1 < server.busiest <= 3


def test_one_client_in_several_event_loops(server: Endpoint, store: Store) -> None:
    chat = client(server, store)
    for seed in range(3):
        assert asyncio.run(chat.complete(HELLO, seed=seed)).text == f"hello {seed} 0"


async def test_bad_questions(server: Endpoint, store: Store) -> None:
    async with client(server, store) as chat:
        for bad in ({"n": 0}, {"max_tokens": 0}, {"temperature": -1.0}):
            with pytest.raises(BadInput, match=next(iter(bad))):
                await chat.complete(HELLO, **bad)
        for messages in ([], [Message(role="user", content=" ")]):
            with pytest.raises(BadInput, match="nothing to ask"):
                await chat.complete(messages)
    assert server.seen == []


async def test_open_chat_asks_a_url_for_its_model(server: Endpoint, store: Store) -> None:
    async with open_chat(server.url, store, Settings()) as chat:
        assert chat.model == "served" and chat.revision == f"{server.url}#served"
        assert (await chat.complete(HELLO, seed=0)).text == "hello 0 0"
    asked = len(server.seen)
    async with open_chat(f"{server.url}/#other", store, Settings()) as chat:
        assert (chat.model, len(server.seen)) == ("other", asked)
    listings: list[Any] = [{"data": []}, [], {"data": [{}]}, "x"]
    for listing in listings:
        server.listing = listing
        with pytest.raises(PrerequisiteError, match="does not list its models"):
            open_chat(server.url, store, Settings())


def test_open_chat_waits_for_a_server_that_loads(
    server: Endpoint, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.loading = 1
    assert open_chat(server.url, store, Settings()).model == "served"
    assert len(server.seen) == 2
    server.loading = 1_000
    monkeypatch.setattr(sys.modules["inloop.runtime.transport.address"], "_LOADING_SECONDS", 0.0)
    with pytest.raises(PrerequisiteError, match="answered 503 when asked for its models"):
        open_chat(server.url, store, Settings())


def test_open_chat_refuses_what_it_does_not_know(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(cache_dir=tmp_path)
    for spec in ("gpt-4", "", "openai:", "ftp://x"):
        with pytest.raises(BadInput, match="names no language model"):
            open_chat(spec, store, settings)
    with pytest.raises(BadInput, match="INLOOP_API_KEY"):
        open_chat("http://me:secret@host/v1", store, settings)
    with pytest.raises(PrerequisiteError, match="OPENAI_API_KEY"):
        open_chat("openai:gpt-x", store, settings)
    with pytest.raises(PrerequisiteError, match="cannot be read"):
        open_chat("gguf:/no/such/file.gguf", store, settings)
    chat = open_chat("openai:gpt-x", store, Settings(api_key="sk-secret"))
    assert (chat.model, chat.revision) == ("gpt-x", "gpt-x")
