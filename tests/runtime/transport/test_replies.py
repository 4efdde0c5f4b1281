"""Replies as models write them: what is forgiven, what is refused, and that nothing else ever comes out."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.runtime.errors import CallFailed
from inloop.runtime.transport.parsing import json_from, numbered_from, tags_from

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
containers = st.lists(values, max_size=4) | st.dictionaries(texts, values, max_size=4)
prose = st.text(string.ascii_letters + " .,:!?'\n", max_size=40)


@given(values)
def test_json_alone_is_read_exactly(value: Any) -> None:
    assert json_from(json.dumps(value)) == value


@given(containers, prose, prose)
def test_json_in_prose_and_in_a_fence(value: Any, before: str, after: str) -> None:
    text = json.dumps(value)
    assert json_from(f"{before}{text}{after}") == value
    assert json_from(f"{before}\n```json\n{text}\n```\n{after}") == value or "```" in text


@given(st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=8), st.lists(st.integers(0, 99)), min_size=1))
def test_python_literals_and_trailing_commas(value: dict[str, list[int]]) -> None:
    assert json_from(f"Sure: {value!r}") == value
    assert json_from(json.dumps(value).replace("]", ",]").replace("}", ",}").replace("[,]", "[]")) == value


@given(st.dictionaries(texts, values, min_size=1, max_size=4), st.data())
def test_a_cut_off_object_is_never_taken_for_the_reply(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    with pytest.raises(CallFailed, match="cut off"):
        json_from(cut)


@given(st.text(max_size=200) | st.text("[]{}\"',:0a\\`\n ", max_size=60))
def test_any_text_gives_a_value_or_a_clear_failure(text: str) -> None:
    for read in (json_from, numbered_from):
        try:
            read(text)
        except CallFailed as error:
            assert "cannot be read" in str(error) and not error.retryable
    tags_from(text, "PROMPT")


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("{'a': 'it\\'s', 'b': None, 'c': True}", {"a": "it's", "b": None, "c": True}),
        ("{a: 1, b: [1, 2,],}", {"a": 1, "b": [1, 2]}),
        ('As shown in [1], the answer is {"score": 7, "why": "x"}.', {"score": 7, "why": "x"}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ("```\n[1, 2]\n```", [1, 2]),
        ('```json\n{"a": 1}', {"a": 1}),
        ('{"smile": "\\ud83d\\ude00"} ', {"smile": "😀"}),
        ("{'smile': '\\ud83d\\ude00'}", {"smile": "😀"}),
        ("42", 42),
    ],
)
def test_usual_slips_are_forgiven(reply: str, value: Any) -> None:
    assert json_from(reply) == value


@pytest.mark.parametrize("reply", ["", "I cannot do that.", '{"a": NaN}', "{x", "[" * 5000, '{"a" 1}', "{1: 2}"])
def test_what_is_no_json_is_refused(reply: str) -> None:
    with pytest.raises(CallFailed, match="cannot be read"):
        json_from(reply)


def test_numbered_lines() -> None:
    reply = (
        "Here they are:\n1 | entity - whole (disc)\n2. entity - whole (box)\n"
        " - 3) attribute - color (disc, crimson) |\n\n**4** | x"
    )
    assert numbered_from(reply) == {
        1: ("entity - whole (disc)",),
        2: ("entity - whole (box)",),
        3: ("attribute - color (disc, crimson)",),
        4: ("x",),
    }
    assert numbered_from("1 | a | b | c\n| 2 | d | e |", fields=2) == {1: ("a", "b | c"), 2: ("d", "e")}
    assert numbered_from("1 | a\n1 | a") == {1: ("a",)}


@pytest.mark.parametrize(
    ("reply", "fields", "says"),
    [("no lines", 1, "no line"), ("1 | a", 2, "2 part"), ("1 | a\n1 | b", 1, "twice"), ("1 | ", 1, "1 part")],
)
def test_numbered_lines_that_cannot_be_read(reply: str, fields: int, says: str) -> None:
    with pytest.raises(CallFailed, match=says):
        numbered_from(reply, fields=fields)


@given(
    st.lists(st.text(string.ascii_lowercase + " ,", min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=5)
)
def test_tags_with_their_usual_slips(prompts: list[str]) -> None:
    clean = [" ".join(prompt.split()) for prompt in prompts]
    for form in (
        "<PROMPT>{}</PROMPT>",
        "<prompt>{}\n",
        "<PROMPT {}</PROMPT>",
        "<PROMPT>{}</PROMPT",
        "<PROMPT>\n{}\n<PROMPT>",
    ):
        assert tags_from("Sure!\n" + "\n".join(form.format(prompt) for prompt in prompts), "PROMPT") == clean


def test_tags_that_are_not_there() -> None:
    assert tags_from("a red disc <PROMPTS>", "PROMPT") == []
    assert tags_from("<PROMPT></PROMPT>", "PROMPT") == []
