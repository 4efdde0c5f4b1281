"""Requests in batches, against a real HTTP server that speaks OpenAI's batch API, with the real ledger and real kills."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from batch_server import EXPIRED, BatchServer, answered, batching, refused
from servers import fails, serving

from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.llm import open_chat
from inloop.runtime.llm.batch_book import BatchBook
from inloop.runtime.llm.batch_lines import answers_of
from inloop.runtime.llm.batch_places import BatchApi
from inloop.runtime.llm.batches import BatchSender
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.records import Cost, Message
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.runtime.transport.price import Price
from inloop.runtime.transport.sender import OPENAI, Sender

KILLED = Path(__file__).parents[2] / "batch_killed.py"


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with batching() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", "run-1") as opened:
        yield opened


def batch_chat(url: str, store: Store, **options: Any) -> OpenAIChat:
    given: dict[str, Any] = {"gather": 0.2, "poll": (0.01, 0.02), "price": Price(2.0, 10.0)}
    book = BatchBook(store.location.tables("batches"))
    sender = BatchSender(url, "k", model="m", place=partial(BatchApi, url), book=book, **(given | options))
    sender._pause = 0.01
    return OpenAIChat(sender, store=store)


def say(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


async def test_requests_that_come_together_are_one_batch(server: BatchServer, store: Store) -> None:
    async with batch_chat(server.url, store) as chat:
        replies = await asyncio.gather(*(chat.complete(say(f"question {place}"), n=2, seed=1) for place in range(30)))
        assert [reply.texts for reply in replies] == [(f"question {p} 1 0", f"question {p} 1 1") for p in range(30)]
        assert len(server.batches) == 1 and len(server.seen) == 30 and all(body["n"] == 2 for body in server.seen)
        assert replies[0].cost.output_tokens == 10 and replies[0].cost.calls == 1
        assert replies[0].cost.money == pytest.approx((7 * 2 + 10 * 10) / 1e6)
        assert (await chat.complete(say("question 3"), n=2, seed=1)).cached
        await chat.complete(say("another"))
    assert len(server.batches) == 2


async def test_the_ledger_knows_the_model_as_without_a_batch(store: Store) -> None:
    with batching() as server:
        async with batch_chat(server.url, store) as chat:
            first = await chat.complete(say("hello"), seed=1)
        async with OpenAIChat(Sender(server.url, "k", model="m"), store=store) as direct:
            again = await direct.complete(say("hello"), seed=1)
    assert again.cached and again.texts == first.texts


async def test_errors_are_of_their_own_line(server: BatchServer, store: Store) -> None:
    def behave(body: dict[str, Any]) -> dict[str, Any]:
        text = body["messages"][-1]["content"]
        if "long" in text:
            return refused(400, "the prompt is too long")
        if "temperature" in body and "picky" in text:
            return refused(400, "Unsupported parameter: 'temperature' is not supported with this model")
        return answered(body)

    server.answer = behave
    async with batch_chat(server.url, store) as chat:
        asked = [chat.complete(say(text)) for text in ("good", "too long", "picky")]
        good, long, picky = await asyncio.gather(*asked, return_exceptions=True)
        assert not isinstance(good, BaseException) and good.text.startswith("good")
        assert isinstance(long, CallFailed) and "the prompt is too long" in str(long)
        assert not isinstance(picky, BaseException) and picky.text.startswith("picky")  # asked again without it
        assert len(server.batches) == 2
        with pytest.raises(CallFailed, match="too long"):  # a refusal stands in the batch: nothing is handed in for it
            await batch_chat(server.url, store).complete(say("too long"))
        assert len(server.seen) == 4 or len(server.batches) == 3  # `picky` alone went out again


async def test_what_was_not_tried_in_time_goes_into_the_next_batch(server: BatchServer, store: Store) -> None:
    tries: dict[str, int] = {}

    def behave(body: dict[str, Any]) -> dict[str, Any]:
        text = body["messages"][-1]["content"]
        tries[text] = tries.get(text, 0) + 1
        if "late" in text and tries[text] == 1:
            return EXPIRED
        return refused(500, "a fault") if "ill" in text or ("flaky" in text and tries[text] == 1) else answered(body)

    server.answer, server.status = behave, "expired"
    async with batch_chat(server.url, store) as chat:
        outcomes = await asyncio.gather(
            *(chat.complete(say(text)) for text in ("in time", "late", "flaky", "ill")), return_exceptions=True
        )
    assert [isinstance(outcome, CallFailed) for outcome in outcomes] == [False, False, False, True]
    assert tries == {"in time": 1, "late": 2, "flaky": 2, "ill": 3}
    assert isinstance(outcomes[3], CallFailed) and outcomes[3].retryable and "(3 batches)" in str(outcomes[3])


async def test_a_batch_that_fails_as_a_whole_says_why_and_is_handed_in_anew_later(
    server: BatchServer, store: Store
) -> None:
    server.refuse = "The model `m` does not exist"
    async with batch_chat(server.url, store) as chat:
        outcomes = await asyncio.gather(*(chat.complete(say(text)) for text in "ab"), return_exceptions=True)
        assert all(isinstance(outcome, PrerequisiteError) and "does not exist" in str(outcome) for outcome in outcomes)
    server.refuse = ""
    async with batch_chat(server.url, store) as chat:
        assert (await chat.complete(say("a"))).text == "a None 0"
    assert len(server.batches) == 2


async def test_a_server_that_is_away_for_a_while_is_waited_for(server: BatchServer, store: Store) -> None:
    server.fail_next = [503, 500]  # at the upload
    async with batch_chat(server.url, store) as chat:
        asked = asyncio.create_task(chat.complete(say("hello")))
        while not server.batches:
            await asyncio.sleep(0.01)
        server.fail_next = [500, 502, 503, 429]  # at the looks
        assert (await asked).text == "hello None 0"
    assert len(server.batches) == 1 and not server.fail_next


async def test_a_batch_whose_word_was_lost_is_found_again(server: BatchServer, store: Store) -> None:
    server.lose_next = 1
    for place in range(3):  # older ones, so that the list has pages
        server.begin(
            {"input_file_id": server.keep(b""), "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        )
        assert place < 3
    async with batch_chat(server.url, store) as chat:
        assert (await chat.complete(say("hello"))).text == "hello None 0"
    assert len(server.seen) == 1 and len(server.batches) == 4


@pytest.mark.parametrize("moment", ["waiting", "between"])
def test_a_killed_process_goes_on_with_its_batch(moment: str, server: BatchServer, tmp_path: Path) -> None:
    server.open.clear()
    command = [sys.executable, str(KILLED), server.url, str(tmp_path / "store"), "5"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        deadline = time.monotonic() + 60
        while not server.batches or (
            moment == "waiting" and next(iter(server.batches.values()))["status"] == "validating"
        ):
            assert time.monotonic() < deadline and child.poll() is None
            time.sleep(0.005)
        child.kill()
    if moment == "between":  # as if the kill had come before the answer to the hand-in was written down
        book = BatchBook(tmp_path / "store" / "batches.sqlite")
        with book._database.work() as connection:
            connection.execute("UPDATE batches SET handed_in = ''")
    server.open.set()
    done = subprocess.run([*command[:-1], "6"], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split("\n")[:6] == [f"question {place} 1 0" for place in range(6)]
    assert len(server.batches) == 2  # the first one, and one for the question that came anew
    assert sorted(body["messages"][-1]["content"] for body in server.seen) == [
        f"question {place}" for place in range(6)
    ]


@pytest.mark.slow
def test_kills_at_any_moment_hand_in_nothing_twice(server: BatchServer, tmp_path: Path) -> None:
    rng = random.Random(7)
    command = [sys.executable, str(KILLED), server.url, str(tmp_path / "store"), "12"]
    for kills in range(12):
        if kills == 6:
            server.open.set()  # from here on the kills come while answers are fetched and written down
        elif kills == 0:
            server.open.clear()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            begun = time.monotonic()
            while not server.batches and kills == 0 and time.monotonic() - begun < 20:
                time.sleep(0.001)
            time.sleep(rng.uniform(0.0, 0.05) if kills in (0, 1) else rng.uniform(0.5, 2.5))
            child.kill()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split("\n")[:12] == [f"question {place} 1 0" for place in range(12)]
    handed_in = [body["messages"][-1]["content"] for body in server.seen]
    assert sorted(handed_in) == sorted(f"question {place}" for place in range(12))


async def test_a_batch_that_never_was_handed_in_is_handed_in(server: BatchServer, store: Store) -> None:
    async with batch_chat(server.url, store, gather=60.0) as chat:
        going = asyncio.create_task(chat.complete(say("hello"), seed=1))
        await asyncio.sleep(0.1)
        going.cancel()
    book = BatchBook(store.location.tables("batches"))
    async with batch_chat(server.url, store) as chat:
        sender = chat.sender
        assert isinstance(sender, BatchSender)
        key = chat._call(_asked("hello"), n=1, index=0, native=False).key
        body = _asked("hello").body("m", n=1, index=0, native=False, store=store)
        book.write("inloop-lost", server.url, [sender.line(body, key).id])
        assert (await chat.complete(say("hello"), seed=1)).text == "hello 1 0"
    assert len(server.batches) == 1


def _asked(text: str) -> Any:
    from inloop.runtime.transport.wire import Question

    return Question(messages=tuple(say(text)), seed=1, temperature=1.0, max_tokens=512)


async def test_a_folder_whose_files_another_program_answers(store: Store, tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "batches"
    chat = open_chat(f"batch+file:{folder}#Qwen/Qwen3-8B", store, settings)
    assert isinstance(chat, OpenAIChat) and isinstance(chat.sender, BatchSender)
    chat.sender._poll = (0.02, 0.05)
    going = [asyncio.create_task(chat.complete(say(text), seed=1, among=("yes", "no"))) for text in ("one", "two")]
    while not (files := list(folder.glob("*.jsonl"))):
        await asyncio.sleep(0.02)
    requests = [json.loads(line) for line in files[0].read_bytes().splitlines()]
    assert [set(request) for request in requests] == [{"custom_id", "method", "url", "body"}] * 2
    assert all(
        request["body"]["model"] == "Qwen/Qwen3-8B" and "extra_body" not in request["body"] for request in requests
    )
    lines = [
        json.dumps({"id": "v", "custom_id": request["custom_id"], **answered(request["body"])}) for request in requests
    ]
    out = files[0].with_suffix(".answers.jsonl")
    out.write_text(lines[1] + "\n" + lines[0][:40])  # still being written
    await asyncio.sleep(0.2)
    assert not any(task.done() for task in going)
    out.write_text("\n".join(reversed(lines)))
    assert [(await task).text for task in going] == ["one 1 0", "two 1 0"]
    assert (await going[0]).cost.money == 0.0
    await chat.aclose()


def test_specs(store: Store, settings: Settings) -> None:
    for spec in ("batch+openai:", "batch+smollm2", "batch+file:folder", "batch+"):
        with pytest.raises(BadInput, match=r"batch\+openai:MODEL"):
            open_chat(spec, store, settings)
    with pytest.raises(BadInput, match="one server"):
        open_chat("batch+http://a/v1,http://b/v1#m", store, settings)
    with pytest.raises(PrerequisiteError, match="needs a key"):
        open_chat("batch+openai:gpt-x", store, settings)
    with_key = Settings.model_validate({**settings.model_dump(), "api_key": "k", "llm_price": "2.5/10"})
    chat = open_chat("batch+openai:gpt-x", store, with_key)
    assert isinstance(chat, OpenAIChat) and chat.sender.url == OPENAI and chat.revision == "gpt-x"
    cost = Cost(input_tokens=1_000_000, output_tokens=100_000, money=None)
    assert chat.sender.priced(cost).money == pytest.approx(1.75)  # half of the price
    direct = open_chat("openai:gpt-x", store, with_key)
    assert isinstance(direct, OpenAIChat) and direct.sender.priced(cost).money == pytest.approx(3.5)
    assert Price.parse("") is None
    with pytest.raises(BadInput, match=r"2\.5/10"):
        Price.parse("cheap")


async def test_a_server_without_batches_says_so(store: Store) -> None:
    with serving() as plain:
        plain.behaviours = [fails(404, "Not Found")]
        async with batch_chat(plain.url, store) as chat:
            with pytest.raises(PrerequisiteError) as error:
                await chat.complete(say("hello"))
    assert "takes no batch" in error.value.problem and "leave batch+ out" in error.value.remedy


def test_lines_that_are_no_answers() -> None:
    good = json.dumps({"custom_id": "a", **answered({"messages": [{"content": "hi"}]})})
    assert set(answers_of(f"{good}\nnonsense\n\n[1]\n".encode())) == {"a"}
    assert answers_of(b"") == {}
    with pytest.raises(Exception, match="no answers"):
        answers_of(b"<html>")
    empty = json.dumps({"custom_id": "b", "response": {"status_code": 200, "body": {}}, "error": None})
    assert answers_of(empty.encode())["b"].error is not None
