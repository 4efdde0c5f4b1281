"""Models that think before they answer, and replies that are no answers, through real requests: room, failures, and the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Behaviour, Body, Endpoint, Handler, completion, fails, replies, serving, thinks

from inloop.runtime.errors import CallFailed, PrerequisiteError
from inloop.runtime.llm import measure, open_chat
from inloop.runtime.llm.capabilities import probe
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.llm.probes import OPENED
from inloop.runtime.records import Cost, Message
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.runtime.transport.sender import Sender
from inloop.runtime.transport.wire import Question
from inloop.tools.vision import open_captioner, open_vqa

ASKED = [Message(role="user", content="Is it red?")]
R1 = "...\n</think>\n\n"  # DeepSeek-R1: the template opens the thinking


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with serving() as endpoint:
        yield endpoint


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", "run-1") as opened:
        yield opened


def client(server: Endpoint, store: Store, **options: Any) -> OpenAIChat:
    return OpenAIChat(Sender(server.url, model="m", pause=0.01), store=store, **options)


def rooms(server: Endpoint) -> list[int]:
    return [body["max_tokens"] for body in server.seen if "max_tokens" in body]


@pytest.mark.parametrize(
    "form", ["reasoning_content", "reasoning", "thinking", "<think>...</think>", "<|channel>thought\n...<channel|>"]
)
async def test_a_reply_that_was_cut_off_in_its_thinking_is_asked_for_again_with_room(
    server: Endpoint, store: Store, form: str
) -> None:
    server.behaviours = [thinks("Yes", tokens=900, form=form)]
    async with client(server, store) as chat:
        first = await chat.complete(ASKED, max_tokens=16)
        assert (first.text, first.finish_reasons, first.cost.calls) == ("Yes", ("stop",), 2)
        assert first.cost.output_tokens == 1800  # what was cut off was paid too
        assert (await chat.complete(ASKED, max_tokens=16)).cached
        await chat.complete(ASKED, max_tokens=20)
    assert rooms(server) == [16, 16 + 1024, 20 + 1024]  # what proved enough is where the next one begins


async def test_room_is_bounded_and_what_came_back_is_said(server: Endpoint, store: Store) -> None:
    server.behaviours = [thinks("Yes", tokens=10**6, thinking="Hmm, is it?")]
    async with client(server, store, thinking_tokens=3000) as chat:
        with pytest.raises(
            CallFailed,
            match=r"no answer with 3016 tokens: it thought, and was cut off .* 'Hmm, is it\?'; a larger INLOOP_THINK",
        ):
            await chat.complete(ASKED, max_tokens=16)
    assert rooms(server) == [16, 1040, 3016]


async def test_no_room_where_none_is_wanted(server: Endpoint, store: Store) -> None:
    server.behaviours = [thinks("Yes", tokens=900)]
    async with client(server, store, thinking_tokens=0) as chat:
        with pytest.raises(CallFailed, match="it thought"):
            await chat.complete(ASKED, max_tokens=16)
    assert rooms(server) == [16]


async def test_room_beyond_the_context_of_the_server(server: Endpoint, store: Store) -> None:
    def small(handler: Handler, body: Body) -> None:
        behave = (
            fails(400, "maximum context length is 1000 tokens")
            if body["max_tokens"] > 1000
            else thinks("Yes", tokens=999)
        )
        behave(handler, body)

    server.behaviours = [small]
    async with client(server, store) as chat:
        with pytest.raises(CallFailed, match="it thought"):
            await chat.complete(ASKED, max_tokens=16)


async def test_room_that_an_earlier_request_needed_and_a_long_prompt_has_no_place_for(
    server: Endpoint, store: Store
) -> None:
    def small(handler: Handler, body: Body) -> None:
        used = len(body["messages"][-1]["content"]) + body["max_tokens"]
        (fails(400, "maximum context length is 2000") if used > 2000 else thinks("Yes", tokens=30))(handler, body)

    server.behaviours = [small]
    async with client(server, store) as chat:
        await chat.complete(ASKED, max_tokens=16)
        long = [Message(role="user", content="Is it red? " * 100)]
        assert (await chat.complete(long, max_tokens=64)).text == "Yes"
    assert rooms(server) == [16, 1040, 1088, 64]


@pytest.mark.parametrize("form", ["reasoning_content", "<think>...</think>\n\n", R1])
async def test_what_ends_an_answer_does_not_end_the_thinking(
    server: Endpoint, store: Store, settings: Settings, form: str
) -> None:
    """Servers look for `stop` in all that is written: an answerer that reads one line would get the first of the thinking."""
    thinking = "Let me see.\nA draft: no.\nSo:"

    def stops(handler: Handler, body: Body) -> None:
        text = form.replace("...", thinking) if "..." in form else thinking
        if "stop" in body and "..." in form:
            cut = text.partition(body["stop"][0])[0]
            return replies(content=cut)(handler, body)
        if "stop" in body:
            return replies(reasoning_content=text.partition(body["stop"][0])[0])(handler, body)
        return thinks("Yes.\nAnd more.", form=form, thinking=thinking)(handler, body)

    server.behaviours = [stops]
    async with open_chat(server.url, store, settings) as chat:
        reply = await chat.complete(ASKED, stop=("\n",), max_tokens=64)
        assert (reply.text, reply.finish_reasons) == ("Yes.", ("stop",))
    if form != R1:  # without a probe a mark tells, and R1 has none before its end
        async with client(server, store) as chat:
            assert (await chat.complete(ASKED, stop=("\n",), max_tokens=64)).text == "Yes."


UNUSABLE: dict[str, tuple[Behaviour, str]] = {
    "empty": (replies(content=""), "the answer was empty"),
    "none": (replies(), "the answer was empty"),
    "blank": (replies(content=" \n"), "the answer was empty"),
    "filter": (replies("content_filter"), "a content filter withheld"),
    "half filtered": (replies("content_filter", content="1. <PROMPT>a rab"), "a content filter withheld"),
    "refusal": (replies(refusal="I cannot help with that."), "it refused: 'I cannot help"),
    "tool": (replies("tool_calls", tool_calls=[{"id": "1", "type": "function", "function": {"name": "write", "arguments": "{}"}}]),
             "called a tool \\(write\\)"),
    "tool with a preamble": (replies("tool_calls", content="I shall call write."), "called a tool"),
    "thinking alone": (replies(reasoning_content="Hmm."), "it thought, and ended without an answer"),
    "tags alone": (replies(content="<think>Hmm.</think>"), "it thought, and ended without"),
    "a draft alone": (replies(content="<think>1. <PROMPT>a draft</PROMPT>"), "it thought"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
async def test_what_is_no_answer_is_a_failure_with_its_reason_and_never_kept(
    server: Endpoint, store: Store, name: str
) -> None:
    behaviour, reason = UNUSABLE[name]
    server.behaviours = [behaviour]
    async with client(server, store) as chat:
        with pytest.raises(CallFailed, match=reason) as failure:
            await chat.complete(ASKED)
        assert server.url in str(failure.value)
        assert [failed.reason for failed in store.ledger.failures()] == [str(failure.value)]
        server.behaviours = [replies(content="Yes")]  # mended
        assert (await chat.complete(ASKED)).text == "Yes"


async def test_one_choice_that_is_none_is_left_out_and_asked_for_once_more(server: Endpoint, store: Store) -> None:
    def half(handler: Handler, body: Body) -> None:
        handler.json(completion(["one", "", "three"] if body["n"] == 3 else [""], output_tokens=5))

    server.behaviours = [half]
    async with client(server, store) as chat:
        assert (await chat.complete(ASKED, n=3, seed=1)).texts == ("one", "three")
        asked = len(server.seen)
        server.behaviours = [replies(content="four")]
        assert (await chat.complete(ASKED, n=3, seed=1)).texts == ("one", "three", "four")  # what failed is not kept
    assert len(server.seen) == asked + 1


async def test_an_empty_answer_or_a_draft_that_an_earlier_version_kept_is_given_up(
    server: Endpoint, store: Store
) -> None:
    server.behaviours = [replies(content="yes")]
    async with client(server, store) as chat:
        for text, expected in [
            ("", "yes"),
            ("<think>no", "yes"),
            ("<think>no</think>it is", "it is"),
            ("it is", "it is"),
        ]:
            asked = Message(role="user", content=f"Is it red? {text}")
            question = Question(messages=(asked,), seed=None, temperature=1.0, max_tokens=512)

            async def old(text: str = text) -> tuple[Any, Cost]:
                choice = {"text": text, "finish_reason": "stop", "logprobs": []}
                return {"choices": [choice], "cost": Cost().model_dump()}, Cost()

            await store.ledger.once(chat._call(question, n=1, index=0, native=False), old)
            assert (await chat.complete([asked])).text == expected
    assert len(server.seen) == 2


async def test_streams(server: Endpoint, store: Store) -> None:
    def behave(handler: Handler, body: Body) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        deltas = [
            {"reasoning_content": "Hmm."},
            *({"content": piece} for piece in ("<thi", "nk>a draft</th", "ink>Ye", "s.")),
            {},
        ]
        for delta in deltas:
            choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        handler.wfile.write(b"data: [DONE]\n\n")
        handler.close_connection = True

    server.behaviours = [behave]
    pieces: list[str] = []
    async with client(server, store) as chat:
        assert (await chat.complete(ASKED, on_text=pieces.append)).text == "Yes."
    assert "".join(pieces).endswith("Yes.") and "draft" not in "".join(pieces)


async def test_content_in_parts(server: Endpoint, store: Store) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}]}, {"type": "text", "text": "Yes"}]
    server.behaviours = [replies(content=parts)]
    async with client(server, store) as chat:
        assert (await chat.complete(ASKED)).text == "Yes"


async def test_probabilities_are_those_of_the_answer_not_of_the_thinking(server: Endpoint, store: Store) -> None:
    server.behaviours = [thinks("Maybe", logprobs=True)]
    async with client(server, store) as chat:
        reply = await chat.complete(ASKED, logprobs=True, top=3, max_tokens=50)
    assert reply.logprobs == ((("Maybe", -0.1),),)
    assert [token for token, _ in reply.top[0]] == ["Yes", "No", "Maybe"]


@pytest.mark.parametrize(
    ("form", "how"), [("reasoning", "in reasoning"), ("<think>...</think>", "between marks"), (R1, OPENED)]
)
def test_the_probe_finds_out_that_a_model_thinks_and_gives_it_room(server: Endpoint, form: str, how: str) -> None:
    server.behaviours = [thinks("The sea is wide.", tokens=600, form=form)]
    found = probe(server.url, "m")
    assert (found.thinks.state, found.thinks.how) == ("yes", how)
    assert (
        found.seed.how == "one text for all seeds" and found.images.state == "ignored"
    )  # what it answers is looked at


def test_a_model_that_never_comes_to_an_answer_is_not_judged(server: Endpoint) -> None:
    server.behaviours = [thinks("Yes", tokens=10**6)]
    found = probe(server.url, "m")
    assert found.thinks.how == "and came to no answer within 2048 tokens"
    assert found.images.state == found.seed.state == found.json_schema.state == found.choice.state == "unknown"


async def test_a_cut_off_reply_of_a_model_that_begins_inside_of_its_thinking_is_no_answer(
    server: Endpoint, store: Store, settings: Settings
) -> None:
    """It holds no mark at all: only the probe tells."""
    server.behaviours = [thinks("a rabbit", tokens=400, form=R1, thinking="1. <PROMPT>a draft</PROMPT>")]
    async with open_chat(server.url, store, settings) as chat:
        assert (await chat.complete(ASKED, max_tokens=48)).text == "a rabbit"


async def test_a_judge_and_a_captioner_that_think(server: Endpoint, store: Store, settings: Settings) -> None:
    server.behaviours = [_sees]
    red = store.blobs.put(b"\x89PNG red", media_type="image/png")
    judge = open_vqa(f"{server.url}#served", store, settings)
    answers = await judge.answer([(red, "Is there a disc?"), (red, "what colour is it?")])
    assert [answer.text for answer in answers] == ["yes", "red"]
    captioner = open_captioner(f"{server.url}#served", store, settings)
    assert await captioner.caption([(red, None)]) == ["red"]
    server.behaviours = [thinks("Yes", tokens=10**6)]
    with pytest.raises(CallFailed, match="it thought"):
        await judge.answer([(red, "Is there a box?")])


def _sees(handler: Handler, body: Body) -> None:
    content = body["messages"][0]["content"]
    asked = content if isinstance(content, str) else content[1]["text"]
    pictures = handler.server.__dict__.setdefault("pictures", [])
    if not isinstance(content, str) and content[0]["image_url"]["url"] not in pictures:
        pictures.append(content[0]["image_url"]["url"])
    blue = (
        not isinstance(content, str) and pictures.index(content[0]["image_url"]["url"]) == 1
    )  # the second of the probe's two
    thinks("Yes" if "yes or no" in asked.lower() else "blue" if blue else "red", tokens=300)(handler, body)


async def test_the_speed_of_a_model_that_thinks(server: Endpoint) -> None:
    def behave(handler: Handler, body: Body) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        for delta, end in (({"reasoning": "Hmm. "}, None), ({"reasoning": "Hmm."}, "length")):
            choice = {"index": 0, "delta": delta, "finish_reason": end}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        handler.wfile.write(b"data: [DONE]\n\n")
        handler.close_connection = True

    server.behaviours = [behave]
    [level] = await measure(server.url, "m", levels=[1], tokens=8, rounds=1)
    assert level.failed == 0 and level.first > 0


# --- what a server does not take, and its own words ---


@pytest.mark.parametrize(
    ("parameter", "status", "error"),
    [
        ("seed", 400, {"message": "Unrecognized request argument supplied: seed"}),
        ("seed", 422, {"message": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
        ("temperature", 400, {"message": "Unsupported value: only the default (1) is supported.", "param": "temperature"}),
        ("max_tokens", 400, {"message": "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'."}),
        ("n", 400, {"message": "unknown field 'n'"}),
        ("stop", 400, {"message": "property 'stop' is unsupported"}),
    ],
)  # fmt: skip
async def test_a_parameter_that_is_refused_is_not_sent_again(
    server: Endpoint, store: Store, parameter: str, status: int, error: Body
) -> None:
    def picky(handler: Handler, body: Body) -> None:
        if parameter in body:
            return handler.json({"error": error}, status)
        return replies(content="Yes")(handler, body)

    server.behaviours = [picky]
    async with client(server, store) as chat:
        for place in range(3):
            asked = [Message(role="user", content=f"Is it red? {place}")]
            assert (await chat.complete(asked, seed=1, stop=["#"], max_tokens=9)).text == "Yes"
    assert [parameter in body for body in server.seen] == [True, False, False, False]
    if parameter == "max_tokens":
        assert server.seen[1]["max_completion_tokens"] == 9
    elif parameter != "n":
        assert any(f"refuses {parameter}" in note for note in chat.notes)


async def test_what_the_probe_saw_refused_is_never_sent(server: Endpoint, store: Store, settings: Settings) -> None:
    def picky(handler: Handler, body: Body) -> None:
        for name in ("seed", "top_logprobs", "max_tokens", "temperature"):
            if name in body:
                return fails(400, f"Unsupported parameter: '{name}'")(handler, body)
        return handler.json(completion(["Yes"] * body.get("n", 1), output_tokens=3, logprobs="logprobs" in body))

    server.behaviours = [picky]
    async with open_chat(server.url, store, settings) as chat:
        await chat.complete(ASKED, seed=1, top=5, max_tokens=9)
    assert len(server.seen) > 10
    last = server.seen[-1]
    assert last["messages"][0]["content"] == "Is it red?" and last["max_completion_tokens"] == 9
    assert not {"seed", "top_logprobs", "max_tokens", "temperature"} & last.keys() and last["logprobs"]
    assert sum(body.get("messages", [{}])[0].get("content") == "Is it red?" for body in server.seen) == 1


async def test_a_refusal_of_a_value_is_no_refusal_of_the_parameter(server: Endpoint, store: Store) -> None:
    server.behaviours = [fails(400, "temperature must be at most 1")]
    async with client(server, store) as chat:
        with pytest.raises(CallFailed, match="temperature must be at most 1"):
            await chat.complete(ASKED, temperature=1.5)
    assert len(server.seen) == 1


WORDS: dict[str, tuple[Body | list[Any] | bytes, int, str, type[Exception]]] = {
    "in an answer that says 200": ({"error": {"message": "No endpoints found for this model", "code": 404}, "user_id": "u"}, 200,
                                   "answered 404: No endpoints found for this model", PrerequisiteError),
    "200 and a text": ({"error": "the model is still being pulled"}, 200, "the model is still being pulled", CallFailed),
    "a text": ({"error": "model 'm' not found, try pulling it first"}, 404, "answered 404: model 'm' not found, try pulling it first",
               PrerequisiteError),
    "detail": ({"detail": "Not Found"}, 404, "answered 404: Not Found", PrerequisiteError),
    "a list of details": ({"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, 422, "body.messages: Field required", CallFailed),
    "message": ({"object": "error", "message": "prompt too long", "type": "BadRequestError"}, 400, "answered 400: prompt too long", CallFailed),
    "a page": (b"<html><head><style>x{}</style></head><body><h1>502</h1>upstream is gone</body></html>", 418, "502 upstream is gone", CallFailed),
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
async def test_the_servers_own_words_are_told(server: Endpoint, store: Store, name: str) -> None:
    value, status, words, kind = WORDS[name]

    def behave(handler: Handler, body: Body) -> None:
        if isinstance(value, bytes):
            return handler.raw(value, status, {"content-type": "text/html"})
        return handler.json(value, status)

    server.behaviours = [behave]
    async with client(server, store, probe=None) as chat:
        with pytest.raises(kind) as error:
            await chat.complete(ASKED)
    assert words in str(error.value)
