"""One model behind several real HTTP servers on loopback: who gets what, and what happens when one dies."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Body, Endpoint, fails, process, serving, well
from simulated_time import TICK, simulate
from stand_ins import answering

from inloop.app.cli import main as cli
from inloop.app.cli.named_servers import language_model
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.llm import open_chat
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.records import Message
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.runtime.transport import address
from inloop.runtime.transport.adaptive_limit import Pace, turn_at
from inloop.runtime.transport.balancer import Balancer, Server, prefix_of
from inloop.runtime.transport.rate_limit import Rate, RateLimit
from inloop.runtime.transport.sender import Sender


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", "run-1") as opened:
        yield opened


@pytest.fixture
def two() -> Iterator[tuple[Endpoint, Endpoint]]:
    with serving() as one, serving() as other:
        yield one, other


def chat_of(*urls: str, store: Store) -> OpenAIChat:
    return OpenAIChat(Sender(urls, "k", model="served", pause=0.01, timeout=5.0), store=store)


def asked(server: Endpoint) -> list[str]:
    return [body["messages"][-1]["content"] for body in server.seen if "messages" in body]


def say(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


def test_addresses_of_one_model() -> None:
    assert address("http://a:1/v1,http://b:2/v1#m") == (("http://a:1/v1", "http://b:2/v1"), "m")
    assert address(" http://a:1/v1/ , https://b/v1 # m").urls == ("http://a:1/v1", "https://b/v1")
    assert str(address("http://a:1/v1#m,http://b:2/v1#m")) == "http://a:1/v1,http://b:2/v1#m"
    for spec, words in {
        "http://a/v1,http://a/v1/#m": "twice",
        "http://a/v1#m,http://b/v1#n": "the models m and n",
        "http://a/v1,b:8000/v1#m": "each of several addresses needs its scheme",
        "http://a/v1,http://#m": "names no server",
        "http://a:1/v1,": "has a comma and no address beside it",
        "http://a:1/v1,#m": "has a comma and no address beside it",
        "http://a:1,,http://b:1": "has a comma and no address beside it",
        "http://me:secret@b:port/v1": "a URL with a password",
        "http://a/v1,http://me:secret@b/v1#m": "a URL with a password",
    }.items():
        with pytest.raises(BadInput) as error:
            address(spec)
        assert words in str(error.value) and "secret" not in str(error.value)


def test_servers_of_different_models_are_refused_before_anything_is_sent(
    two: tuple[Endpoint, Endpoint], store: Store, settings: Settings
) -> None:
    one, other = two
    other.listing = {"data": [{"id": "another"}, {"id": "third"}]}
    with pytest.raises(BadInput, match=r"different models.*serves served; .*serves another, third.*#MODEL"):
        open_chat(f"{one.url},{other.url}", store, settings)
    other.listing = {"data": [{"id": "another"}, {"id": "served"}]}
    assert open_chat(f"{one.url},{other.url}", store, settings).model == "served"
    assert not asked(one) and not asked(other)


async def test_other_weights_under_one_name_are_refused_before_anything_is_paid(
    two: tuple[Endpoint, Endpoint], store: Store, settings: Settings, tmp_path: Path
) -> None:
    one, other = two
    here = settings.model_copy(update={"cache_dir": tmp_path})
    for server, size in ((one, 135_000_000), (other, 500_000_000)):
        server.listing = {"data": [{"id": "served", "meta": {"n_params": size}}]}
    with pytest.raises(PrerequisiteError, match=r"do not serve one model.*n_params (135|500)000000"):
        await open_chat(f"{one.url},{other.url}#served", store, here).complete(say("hello"))
    assert not store.ledger.counts()
    for server, root in ((one, "/data/Qwen3-8B"), (other, "/mnt/Qwen3-8B-AWQ/")):
        server.listing = {"data": [{"id": "served", "root": root}]}
    async with open_chat(f"{one.url},{other.url}#served", store, here) as chat:
        await chat.complete(say("hello"))
        assert any("Qwen3-8B-AWQ" in note and "cannot be told" in note for note in chat.notes)


async def test_the_ledger_does_not_know_which_server_answered(two: tuple[Endpoint, Endpoint], store: Store) -> None:
    one, other = two
    async with chat_of(one.url, other.url, store=store) as both:
        first = [await both.complete(say(f"question {place}"), seed=1) for place in range(8)]
        assert one.seen and other.seen and len(one.seen) + len(other.seen) == 8
        assert both.spread == {one.url: len(one.seen), other.url: len(other.seen)}
    async with chat_of(one.url, store=store) as alone:  # a run that began with one server goes on with more, and back
        again = [await alone.complete(say(f"question {place}"), seed=1) for place in range(8)]
        assert [reply.texts for reply in again] == [reply.texts for reply in first]
        assert all(reply.cached for reply in again) and alone.spread == {}


async def test_what_begins_alike_goes_to_one_server(two: tuple[Endpoint, Endpoint], store: Store) -> None:
    one, other = two
    async with chat_of(one.url, other.url, store=store) as chat:
        for place in range(6):
            for beginning in range(8):
                long = f"instruction {beginning}: " + "look closely. " * 100
                await chat.complete([Message(role="system", content=long), *say(f"case {place}")])
    starts = {server.url: Counter(body["messages"][0]["content"][:14] for body in server.seen) for server in two}
    assert set(starts[one.url]) | set(starts[other.url]) == {f"instruction {place}" + ":" for place in range(8)}
    assert not set(starts[one.url]) & set(starts[other.url])


async def test_a_server_that_is_killed_in_the_midst_of_requests(store: Store) -> None:
    with process(0.15) as (one, first), process(0.15) as (other, _):
        async with chat_of(one, other, store=store) as chat:
            going = [asyncio.create_task(chat.complete(say(f"question {place}"), seed=1)) for place in range(60)]
            await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
            first.kill()
            replies = await asyncio.gather(*going)
            assert [reply.text for reply in replies] == [f"question {place} 1 0" for place in range(60)]
            assert store.ledger.counts()["llm"] == {"paid": 60, "reused": 0} and not store.ledger.paid_twice()
            assert sum(chat.spread.values()) == 60 and chat.spread[other] >= 30
            assert any(f"at {one} was left out once: " in note for note in chat.notes)
            [gone] = [server for server in chat.sender.balancer.servers if server.url == one]
            assert gone.is_out
            port = int(one.rpartition(":")[2].partition("/")[0])
            with process(0.0, port):  # it comes back: it is looked at beside the requests, and taken in
                for place in range(1000):
                    await chat.complete(say(f"later {place}"), seed=1)
                    if not gone.is_out:
                        break
                assert not gone.is_out


async def test_all_are_down_is_told_as_of_one(store: Store) -> None:
    with serving() as one, serving() as other:
        urls = one.url, other.url
    chat = chat_of(*urls, store=store)
    with pytest.raises(PrerequisiteError) as error:
        await chat.complete(say("hello"))
    assert all(url in error.value.problem for url in urls) and "none of the 2 servers answers" in error.value.problem
    assert "start the server" in error.value.remedy


async def test_a_server_that_is_down_at_the_start_is_probed_when_it_comes(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    here = settings.model_copy(update={"cache_dir": tmp_path})
    with serving() as gone:
        port = gone.server_address[1]
    with serving() as one:
        async with open_chat(f"{one.url},{gone.url}#served", store, here) as chat:
            assert (await chat.complete(say("hello"), n=2)).texts == ("hello None 0", "hello None 1")
            with process(0.0, port):
                for place in range(500):
                    await chat.complete(say(f"question {place}"))
                    if chat.spread[gone.url]:
                        break
                    await asyncio.sleep(0.01)
            assert chat.spread[gone.url]
            assert any("was left out once" in note for note in chat.notes)


async def test_what_one_cannot_do_is_asked_of_none(
    two: tuple[Endpoint, Endpoint], store: Store, settings: Settings, tmp_path: Path
) -> None:
    one, other = two
    other.behaviours = [lambda handler, body: well(handler, body | {"n": 1})]
    here = settings.model_copy(update={"cache_dir": tmp_path})
    async with open_chat(f"{one.url},{other.url}#served", store, here) as chat:
        await chat.complete(say("hello"))
        one.seen.clear()
        for place in range(4):
            assert len((await chat.complete(say(f"question {place}"), n=3, seed=1)).texts) == 3
    assert one.seen and all(body["n"] == 1 for body in one.seen)
    assert any("silently ignores n" in note for note in chat.notes)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_what_one_refuses_another_answers(status: int, two: tuple[Endpoint, Endpoint], store: Store) -> None:
    one, other = two
    other.behaviours = [fails(status, "not here")]
    async with chat_of(one.url, other.url, store=store) as chat:
        replies = await asyncio.gather(*(chat.complete(say(f"question {place}"), seed=1) for place in range(20)))
    assert [reply.text for reply in replies] == [f"question {place} 1 0" for place in range(20)]
    assert chat.spread == {one.url: 20, other.url: 0}
    assert any("not here" in note for note in chat.notes) == (status not in (429, 503))


async def test_a_refused_form_is_no_failure_of_a_server(two: tuple[Endpoint, Endpoint], store: Store) -> None:
    one, other = two
    one.behaviours = other.behaviours = [fails(400, "too long")]
    async with chat_of(one.url, other.url, store=store) as chat:
        with pytest.raises(Exception, match="too long"):
            await chat.complete(say("hello"))
        assert len(one.seen) + len(other.seen) == 1 and not chat.notes


async def test_who_says_later_is_passed_over_until_then(two: tuple[Endpoint, Endpoint], store: Store) -> None:
    one, other = two
    other.behaviours = [fails(429, headers={"retry-after": "30"})]
    async with chat_of(one.url, other.url, store=store) as chat:
        for place in range(30):
            await chat.complete(say(f"question {place}"))
    assert len(other.seen) == 1 and chat.spread[one.url] == 30


def test_a_prefix_is_what_stands_before_the_first_picture() -> None:
    def body(*parts: object, system: str = "") -> Body:
        first = [{"role": "system", "content": system}] if system else []
        return {"messages": [*first, {"role": "user", "content": list(parts)}]}

    def text(words: str) -> Body:
        return {"type": "text", "text": words}

    def picture(name: str) -> Body:
        return {"type": "image_url", "image_url": {"url": name}}

    assert prefix_of(body(picture("a"), text("red?"))) == prefix_of(body(picture("a"), text("blue?")))
    assert prefix_of(body(picture("a"), text("red?"))) != prefix_of(body(picture("b"), text("red?")))
    assert prefix_of(body(text("x" * 1024 + "one"))) == prefix_of(body(text("x" * 1024 + "two")))
    assert prefix_of(body(text("one"))) != prefix_of(body(text("two")))
    assert prefix_of(body(text("ab"), system="s")) == prefix_of({"messages": [{"content": "s"}, {"content": "ab"}]})
    assert prefix_of({"model": "m", "input": ["a"]}) != prefix_of({"model": "m", "input": ["b"]})


@given(prefixes=st.lists(st.binary(min_size=1, max_size=8), min_size=1, unique=True), count=st.integers(2, 6))
def test_a_server_more_moves_only_what_it_takes(prefixes: list[bytes], count: int) -> None:
    servers = [Server(f"http://{place}/v1", "m", RateLimit(Rate())) for place in range(count)]
    few, more = (Balancer(some, most=4, check=print) for some in (servers[:-1], servers))
    for prefix in prefixes:
        before, after = few._fit(prefix, 1, ())[0], more._fit(prefix, 1, ())[0]
        assert after in (before, servers[-1])


def test_a_preferred_server_gets_no_more_than_its_share_while_another_has_room() -> None:
    async def scene() -> None:
        paces = [Pace(64, start=64.0), Pace(64, start=64.0), Pace(32, start=32.0)]
        most = Counter[Pace]()

        async def one() -> None:
            async with turn_at(paces) as turn:
                most[turn.pace] = max(most[turn.pace], turn.pace.busy)
                await asyncio.sleep(TICK)

        await asyncio.gather(*(one() for _ in range(40)))
        assert most[paces[0]] == 20  # 1.25 of its two fifths
        assert sum(most.values()) == 40 and min(most.values()) > 0

    simulate(scene())


def test_no_server_is_idle_while_somebody_waits_and_each_takes_its_own_first() -> None:
    async def scene() -> None:
        paces = [Pace(2, start=2.0), Pace(2, start=2.0)]
        served: list[tuple[str, Pace]] = []

        async def one(name: str, own: int) -> None:
            async with turn_at([paces[own], paces[1 - own]]) as turn:
                served.append((name, turn.pace))
                await asyncio.sleep(TICK)
                assert all(pace.busy == 2 for pace in paces) or len(served) > 10

        await asyncio.gather(*(one("a", 0) for _ in range(9)), *(one("b", 1) for _ in range(3)))
        assert all(pace is paces[1] for name, pace in served if name == "b")
        assert Counter(pace for _, pace in served) == {paces[0]: 6, paces[1]: 6}

    simulate(scene())


def test_who_gives_up_waiting_keeps_no_place_at_any_server() -> None:
    async def scene() -> None:
        paces = [Pace(1, start=1.0), Pace(1, start=1.0)]
        async with turn_at(paces), turn_at(paces[::-1]):
            waiting = [asyncio.create_task(_enter(paces)) for _ in range(3)]
            await asyncio.sleep(0)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert all(pace.busy == 0 and pace.has_room for pace in paces)

    async def _enter(paces: list[Pace]) -> None:
        async with turn_at(paces):
            pass

    simulate(scene())


def test_a_run_on_two_servers_tells_who_answered(
    two: tuple[Endpoint, Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path / "cache"))
    one, other = two
    one.behaviours = other.behaviours = [
        lambda handler, body: (answering if "<PROMPT>" in str(body["messages"]) else well)(handler, body)
    ]
    spec = f"{one.url},{other.url}#served"
    command = [
        "opt2i",
        "a red box",
        "a blue cone",
        "--llm",
        spec,
        "--iterations",
        "1",
        "--candidates",
        "1",
        "--no-baselines",
        "--questioner",
        "simple-english",
    ]
    assert cli.main([*command, "--out", str(tmp_path / "runs"), "--json"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert told["models"]["llm"]["servers"].count("answer") == 2 and one.url in told["models"]["llm"]["servers"]
    assert not any("left out" in note for note in told["notes"])
    assert told["models"]["llm"]["revision"] == f"{one.url}#served"
    page = Path(told["report"]).read_text(encoding="utf-8")
    assert other.url.removesuffix("/v1") in page.replace("<wbr>", "").replace("\u200b", "")


def test_doctor_and_bench_llm_know_several_servers(
    two: tuple[Endpoint, Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = two
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path))
    with serving() as gone:
        down = gone.url
    here = Settings(cache_dir=tmp_path, llm=f"{one.url},{down}#served")
    assert [finding.state for finding in language_model(here)] == ["ok", "note"]
    assert "left out until it answers" in list(language_model(here))[1].text
    assert {finding.state for finding in language_model(Settings(llm=f"{down}#served"))} == {"missing"}

    spec = f"{one.url},{other.url}#served"
    command = ["bench-llm", spec, "--levels", "1,4", "--rounds", "1", "--tokens", "8"]
    assert cli.main(command) == cli.OK
    out = capsys.readouterr().out
    assert f"served at {one.url}" in out and f"served at {other.url}" in out and "served at all 2 together" in out
    assert cli.main([*command, "--json"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert [server["url"] for server in told["servers"]] == [one.url, other.url]
    assert [level["concurrent"] for level in told["levels"]] == [1, 4]
