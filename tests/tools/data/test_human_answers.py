"""Answers of people, in the forms in which data sets hold them, wherever they are read."""

import json

import pytest

from inloop.evaluators.vqa import read_asked
from inloop.runtime.errors import BadInput
from inloop.tools.data import human_answers, read_caption_rows

OFFICIAL = [{"answer": "calf", "answer_id": 4, "raw_answer": "a calf"}, {"answer": "cow", "answer_confidence": "yes"}]


@pytest.mark.parametrize(
    ("given", "people"),
    [
        (["calf", "cow"], [("calf", 0), ("cow", 1)]),
        (OFFICIAL, [("calf", 4), ("cow", 1)]),
        ({"answer": ["calf", "cow"], "answer_id": [7, 8]}, [("calf", 7), ("cow", 8)]),
        ({"answer": ["calf"]}, [("calf", 0)]),
        ("[{'answer': 'calf', 'answer_id': 2}]", [("calf", 2)]),
        ([3], [("3", 0)]),
        (None, []),
    ],
)
def test_every_form(tmp_path, given, people):
    assert human_answers(given) == people
    (tmp_path / "a.json").write_text(json.dumps([{"question_id": 1, "answers": given}]), encoding="utf-8")
    [asked] = read_asked(tmp_path / "a.json")
    assert [(human.text, human.id) for human in asked.humans] == people
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "what?", "answers": given}), encoding="utf-8")
    if not isinstance(given, str):  # in rows, a text is one answer
        assert read_caption_rows(tmp_path / "rows.jsonl")[0].answers == tuple(text for text, _ in people)


@pytest.mark.parametrize("given", [[["calf"]], [{"text": "calf"}], {"a": 1}, {"answer": "calf"}, 7, [None]])
def test_other_forms_are_refused(tmp_path, given):
    with pytest.raises((KeyError, TypeError, ValueError)):
        human_answers(given)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "what?", "answers": given}), encoding="utf-8")
    with pytest.raises(BadInput, match="must be a list of texts"):
        read_caption_rows(tmp_path / "rows.jsonl")
