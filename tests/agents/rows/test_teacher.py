"""The teacher against loopback servers: what it asks, and that whatever comes back is rows, or a reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from row_stand_ins import made_rows
from servers import completion, fails, says, serving

from inloop.agents.rows.baselines import Noise, OraclePool
from inloop.agents.rows.teacher import Ask, ChatTeacher, Draft, rows_from
from inloop.runtime.errors import BadInput
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.records import Row
from inloop.runtime.store.open import Store
from inloop.runtime.transport.sender import Sender

SEED = Row(id="7", text="play the blue album", label="music")
GOOD = json.dumps(
    {"rows": [{"text": "put on a record", "label": "music"}, {"text": "spin a tune", "label": "weather"}]}
)


async def written(tmp_path, server, *, n=2, style="ours", **ask):
    with Store(tmp_path / "store", run_id="t") as store:
        async with OpenAIChat(Sender(server.url, "k", model="m", attempts=1), store=store) as chat:
            teacher = ChatTeacher(chat, about="Name the topic.", labels=("music", "weather"), style=style)
            return await teacher.write([Ask(seed=SEED, **ask)], n=n, seed=3)


async def test_it_shows_the_mistake_and_holds_the_server_to_a_schema(tmp_path):
    with serving() as server:
        server.behaviours = [says(GOOD)]
        [found] = await written(tmp_path, server, wrong="weather", avoid=("play a song",))
        [again] = await written(tmp_path, server, wrong="weather", avoid=("play a song",))
        [paper] = await written(tmp_path, server, wrong="weather", style="paper")
    assert [(d.text, d.label) for d in found.drafts] == [("put on a record", "music"), ("spin a tune", "weather")]
    assert found == again and len(server.seen) == 2, "a reply is paid once"
    body, other = (request["messages"][-1]["content"] for request in server.seen)
    assert "The small model answered wrongly: weather" in body and "- play a song" in body and "Name the topic." in body
    assert "weather\nWrite" not in other and "answered" not in other, (
        "the paper's teacher is not shown the wrong answer"
    )
    schema = server.seen[0]["response_format"]["json_schema"]["schema"]
    assert schema["$defs"]["Example"]["properties"]["label"]["enum"] == ["music"]
    assert found.prompt.startswith("teacher_rows@") and paper.prompt.startswith("teacher_paper@")


async def test_a_class_is_told_by_other_rows_of_it(tmp_path):
    with serving() as server:
        server.behaviours = [says(GOOD)]
        await written(tmp_path, server, wrong="weather", alike=("start the jazz",), unlike=("is it raining",))
    body = server.seen[0]["messages"][-1]["content"]
    assert (
        "right answer is music:\n- start the jazz\nTexts whose right answer is another, weather:\n- is it raining"
        in body
    )
    assert "Each has the right answer music and the same difficulty" in body


async def test_steps_and_choices_are_asked_for_where_the_seed_has_them(tmp_path):
    seed = Row(id="1", text="2+2?", label="4", meta={"rationale": "2 and 2 is 4", "choices": ["3", "4"]})
    row = {"text": "3+3?", "choices": ["6", "7"], "rationale": "3 and 3 is 6", "label": "6"}
    with serving() as server, Store(tmp_path / "store", run_id="t") as store:
        server.behaviours = [says(json.dumps({"rows": [row]}))]
        async with OpenAIChat(Sender(server.url, "k", model="m", attempts=1), store=store) as chat:
            [found] = await ChatTeacher(chat, about="Add.").write([Ask(seed=seed)], n=1, seed=0)
    assert found.drafts == (Draft(text="3+3?", label="6", meta={"rationale": "3 and 3 is 6", "choices": ["6", "7"]}),)
    example = server.seen[0]["response_format"]["json_schema"]["schema"]["$defs"]["Example"]
    assert list(example["properties"]) == ["text", "choices", "rationale", "label"] and "enum" not in str(example)


BAD = {
    "refuses": (says("I'm sorry, but I can't help with that."), "refused"),
    "html": (says("<html><body>502 Bad Gateway: 1. try again</body></html>"), "unreadable"),
    "talks": (says("Sure! Music is a lovely thing to write about, is it not"), "unreadable"),
    "nothing": (says(""), "failed"),
    "400": (fails(400, "no such thing"), "failed"),
    "500": (fails(500, "overloaded"), "failed"),
    "cut": (says('{"rows": [{"text": "put on a rec'), "unreadable"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_reply_is_a_reason_and_no_error(tmp_path, name):
    behaviour, kind = BAD[name]
    with serving() as server:
        server.behaviours = [behaviour]
        [found] = await written(tmp_path, server)
    assert found.drafts == () and bool(getattr(found, kind))
    assert len(server.seen) <= 3, "bounded"
    assert found.passing is (name == "500")
    assert "no such thing" in found.failed if name == "400" else True


async def test_a_model_without_json_is_asked_for_lines(tmp_path):
    def behave(handler, body):
        lines = "number | text | answer" in body["messages"][-1]["content"]
        text = "put on a record | music\n2 | spin a tune | music\n3 | one more | music" if lines else "well, let me see"
        handler.json(completion([text], output_tokens=9))

    with serving() as server:
        server.behaviours = [behave]
        [found] = await written(tmp_path, server)
    assert [(d.text, d.label) for d in found.drafts] == [("put on a record", "music"), ("spin a tune", "music")]
    assert found.prompt.startswith("teacher_lines@")


@pytest.mark.parametrize(
    ("reply", "rows"),
    [
        ('```json\n[{"question": "2+2?", "answer": 4,}]\n```', [("2+2?", "4")]),
        ('{"text": "one row", "label": "x"}', [("one row", "x")]),
        ('{"texts": ["a b", "c d"]}', [("a b", None), ("c d", None)]),
        ('{"rows": [{"label": "x"}, {"text": ""}, 7, null]}', []),
        (
            "1. Question: How many?\nAnswer: 3\n\n2. Question: And now?\nAnswer: 4",
            [("How many?", "3"), ("And now?", "4")],
        ),
        ('1. "play it" | music\n- "book it" | dining\nBye.', [("play it", "music"), ("book it", "dining")]),
        ("<!DOCTYPE html><p>1. text | label</p>", []),
    ],
)
def test_rows_are_read_in_the_forms_that_models_write(reply, rows):
    assert [(draft.text, draft.label) for draft in rows_from(reply)] == rows


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200))
def test_any_reply_can_be_read(reply):
    assert all(isinstance(draft, Draft) and draft.text for draft in rows_from(reply))


async def test_the_oracle_gives_unused_rows_of_the_label_near_the_seed():
    async def embed(texts):
        return [[1.0, 0.0] if "record" in text else [0.0, 1.0] for text in texts]

    pool = [Row(id=str(i), text=f"record {i}" if i < 4 else f"other {i}", label="music") for i in range(20)]
    oracle = OraclePool([*pool, Row(id="x", text="record of rain", label="weather")], embed=embed, near=4)
    ask = Ask(seed=Row(id="s", text="a record", label="music"))
    [found] = await oracle.write([ask], n=3, seed=0, taken={"record 0"})
    assert {draft.text for draft in found.drafts} == {"record 1", "record 2", "record 3"}
    first, second = await oracle.write([ask, ask], n=2, seed=0, taken=())
    assert not {d.text for d in first.drafts} & {d.text for d in second.drafts}, "a row is given once"
    with pytest.raises(BadInput, match="no rows"):
        OraclePool([])


async def test_noise_changes_words_and_keeps_the_label():
    rows = made_rows(5)
    [found] = await Noise(rows).write([Ask(seed=rows[0])], n=8, seed=1, taken=())
    assert {draft.label for draft in found.drafts} == {rows[0].label}
    assert all(draft.text.strip() for draft in found.drafts) and len({draft.text for draft in found.drafts}) > 3
    assert [found] == await Noise(rows).write([Ask(seed=rows[0])], n=8, seed=1, taken=())
    [short] = await Noise(rows).write([Ask(seed=Row(id="1", text="one", label="music"))], n=5, seed=1, taken=())
    assert all(draft.text for draft in short.drafts), "a row of one word keeps a word"
