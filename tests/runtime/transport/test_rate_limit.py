"""Requests and tokens a minute: a real server on loopback, and a clock that moves only where somebody sleeps."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import completion, fails, serving

from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.llm.open import open_chat
from inloop.runtime.records import Message
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.runtime.transport.rate_limit import Rate, RateLimit, limit_of, reckoned
from inloop.runtime.transport.sender import Sender


@pytest.fixture
def store(tmp_path):
    with Store.open(Settings(runs_dir=tmp_path / "runs")) as opened:
        yield opened


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


def answers(tokens, clock=None, at=None):
    def behave(handler, body):
        if at is not None:
            at.append(clock())
        handler.json(completion(["yes"], output_tokens=tokens))

    return behave


def ask(text):
    return [Message(role="user", content=text)]


def chat_with(server, store, limit, **options):
    return OpenAIChat(Sender(server.url, "k", model="m", pause=0.01, limit=lambda url: limit, **options), store=store)


class Told(RateLimit):
    """A limit that keeps when it let something out: at the server a request may be later."""

    async def admit(self, tokens):
        admitted = await super().admit(tokens)
        self.at = [*getattr(self, "at", []), admitted.at]
        return admitted


async def test_two_roles_of_one_server_get_so_many_requests_a_minute_between_them(store):
    clock = Clock()
    limit = Told(Rate(requests=3), clock=clock, sleep=clock.sleep)
    with serving() as server:
        server.behaviours = [answers(1)]
        writer, judge = chat_with(server, store, limit), chat_with(server, store, limit)
        await asyncio.gather(*((writer, judge)[k % 2].complete(ask(f"{k}?")) for k in range(10)))
        await writer.aclose()
        await judge.aclose()
        assert len(server.seen) == len(limit.at) == 10
    for moment in limit.at:
        assert sum(moment <= other < moment + 60 for other in limit.at) <= 3
    assert limit.at[-1] >= 180, "10 requests at 3 a minute take three minutes and more"


async def test_tokens_are_reckoned_beforehand_and_set_right_by_the_answer(store):
    clock, at = Clock(), []
    limit = RateLimit(Rate(tokens=100), clock=clock, sleep=clock.sleep)
    with serving() as server:
        server.behaviours = [answers(13, clock, at)]  # with the prompt's 7 that is 20 tokens
        async with chat_with(server, store, limit) as chat:
            for k in range(6):
                await chat.complete(ask(f"{k}?"), max_tokens=60)
    # 60 are reckoned for the next one: it goes out while at most 40 were used
    assert at[:3] == [0, 0, 0] and at[3] == 60 and len(at) == 6


async def test_a_request_that_is_larger_than_the_limit_goes_out_alone(store):
    clock, at = Clock(), []
    limit = RateLimit(Rate(tokens=10), clock=clock, sleep=clock.sleep)
    with serving() as server:
        server.behaviours = [answers(500, clock, at)]
        async with chat_with(server, store, limit) as chat:
            for k in range(3):
                await chat.complete(ask(f"{k}?"))
    assert at == [0, 60, 120]


async def test_retry_after_holds_back_everyone_at_that_server(store):
    clock = Clock()
    limit = RateLimit(Rate(), clock=clock, sleep=clock.sleep)
    with serving() as server:
        server.behaviours = [fails(429, headers={"retry-after": "0.2"}), answers(1)]
        async with chat_with(server, store, limit) as chat:
            await chat.complete(ask("first?"))
        assert clock.slept and clock.now == pytest.approx(0.2)
        async with chat_with(server, store, limit) as other:
            await other.complete(ask("second?"))


async def test_a_retry_after_beyond_patience_does_not_hold_back_the_others(store):
    clock = Clock()
    limit = RateLimit(Rate(), clock=clock, sleep=clock.sleep)
    with serving() as server:
        server.behaviours = [fails(429, headers={"retry-after": "3600"}), answers(1)]
        async with chat_with(server, store, limit) as chat:
            with pytest.raises(CallFailed, match="too long"):
                await chat.complete(ask("first?"))
            await chat.complete(ask("second?"))
    assert clock.slept == []


async def test_a_refused_request_leaves_its_tokens_to_the_next(store):
    clock, at = Clock(), []
    limit = RateLimit(Rate(tokens=100), clock=clock, sleep=clock.sleep)
    with serving() as server:
        server.behaviours = [fails(400), answers(1, clock, at)]
        async with chat_with(server, store, limit) as chat:
            with pytest.raises(CallFailed):
                await chat.complete(ask("first?"), max_tokens=80)
            await chat.complete(ask("second?"), max_tokens=80)
    assert at == [0]


def test_the_setting_reaches_every_model_of_a_server_and_is_one_limit(store, tmp_path):
    with serving() as server:
        settings = Settings(llm_rate="60/min, 900 tokens/min", cache_dir=tmp_path)
        one, other = (open_chat(f"{server.url}#{name}", store, settings) for name in ("a", "b"))
        assert (
            one.sender.balancer.servers[0].limit
            is other.sender.balancer.servers[0].limit
            is limit_of(server.url, Rate(requests=60, tokens=900))
        )
        with pytest.raises(BadInput, match="as in 60/min"):
            open_chat(f"{server.url}#a", store, Settings(llm_rate="fast", cache_dir=tmp_path))


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("", Rate()),
        ("60/min", Rate(60)),
        ("90000tokens/min", Rate(None, 90000)),
        ("5 requests / minute,1 token/min", Rate(5, 1)),
    ],
)
def test_rates_are_read(text, rate):
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["60", "0/min", "60/s", "60/min,30/min", "-1/min", "x tokens/min"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(BadInput, match="give requests or tokens a minute"):
        Rate.parse(text)


def test_what_a_request_may_cost_counts_letters_and_all_answers():
    body = {
        "messages": [{"content": "a" * 40}, {"content": [{"type": "text", "text": "b" * 8}, {"type": "image_url"}]}]
    }
    assert reckoned({**body, "max_tokens": 5, "n": 3}) == 12 + 15
    assert reckoned({"messages": [{"content": None}], "max_completion_tokens": 7}) == 7


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, 60)), max_size=40), st.integers(1, 5), st.integers(20, 80))
def test_no_minute_ever_has_more_than_the_limit(arrivals, requests, tokens):
    async def run():
        clock = Clock()
        limit = RateLimit(Rate(requests, tokens), clock=clock, sleep=clock.sleep)
        sent = []
        for pause, cost in arrivals:
            clock.now += pause
            admitted = await limit.admit(cost)
            sent.append((admitted.at, cost))
        for moment, _ in sent:
            window = [each for at, each in sent if at <= moment < at + 60]
            assert len(window) <= requests
            assert sum(window) <= tokens or len(window) == 1

    asyncio.run(run())
