"""Texts as they come in: lines, halves of letters, encodings, and what cannot be seen."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.runtime.errors import BadInput
from inloop.runtime.text import decoded, is_blank, json_bytes, json_of, lines_of, read_text, whole

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_only_line_ends_end_a_line(sign):
    assert lines_of(f"a{sign}b\r\nc\rd\n") == [f"a{sign}b", "c", "d"]
    assert lines_of("") == [] and lines_of("\n\na") == ["", "", "a"]


def test_no_module_cuts_texts_elsewhere():
    """What a user, a file or a model wrote is cut by `lines_of` alone."""
    cut = []
    for floor in (
        "agents",
        "app",
        "evaluators",
        "graphs",
        "prompts",
        "tools/data",
        "tools/documents",
        "runtime/llm",
        "runtime/transport",
    ):
        for path in (ROOT / floor).rglob("*.py"):
            calls = (
                node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
            )
            names = [call.func.attr for call in calls if isinstance(call.func, ast.Attribute)]
            cut += [str(path.relative_to(ROOT))] * names.count("splitlines")
    assert cut == []


@given(st.text(st.characters(codec=None, categories=None), max_size=20))
def test_what_was_made_whole_can_be_written_down_and_is_changed_nowhere_else(text):
    mended = whole(text)
    mended.encode("utf-8")
    assert whole(mended) == mended
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        assert mended == text
    assert json_of(json.dumps({text: [text]})) == {whole(text): [whole(text)]}
    assert json.loads(json_bytes([text]).decode("utf-8")) == json.loads(json.dumps([text]))


def test_halves_that_belong_together_are_a_letter():
    assert whole("\ud83d\ude00") == "😀" and whole("a\ud83d b") == "a\ufffd b"
    assert json_of('["\\ud83d\\ude00", "\\ud83d"]') == ["😀", "\ufffd"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_a_mark_are_read(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("naïve ☕\r\nb".encode(encoding))
    assert read_text(tmp_path / "a.txt") == "naïve ☕\nb"


@pytest.mark.parametrize(
    ("encoding", "named"), [("latin-1", "LATIN-1"), ("cp1252", "LATIN-1"), ("utf-16-le", "UTF-16")]
)
def test_other_encodings_are_refused_with_what_to_do(encoding, named):
    with pytest.raises(BadInput, match=f"'a.csv' is not UTF-8 text.*save it as UTF-8, such as by iconv -f {named}"):
        decoded("naïve cafés".encode(encoding), "'a.csv'")


@pytest.mark.parametrize("text", ["", "  \n", "\u200b", "\u200b \ufeff\u2060", "\x00"])
def test_what_cannot_be_seen_is_blank(text):
    assert is_blank(text) and not is_blank(text + ".")


def test_json_that_nobody_can_read_is_an_error_of_the_value():
    for text in ("[" * 100_000, "{", "nul"):
        with pytest.raises(ValueError):
            json_of(text)
    assert json_of("[NaN, Infinity]") == [None, None]
