"""`vqa_eval` as a Python function, with a language model of the caller's own."""

from __future__ import annotations

import json

import pytest

from inloop.graphs.promptcap import Method
from inloop.graphs.vqa_eval import vqa_eval
from inloop.runtime.errors import CallFailed
from inloop.runtime.fakes import ScriptedChat

COLOURS = ("red", "blue", "green")


@pytest.fixture
def files(tmp_path):
    questions = [{"question_id": n, "image_id": n, "question": f"what colour is {n}?"} for n in range(3)]
    answers = [
        {"question_id": n, "image_id": n, "answers": [{"answer_id": k, "answer": colour} for k in range(10)]}
        for n, colour in enumerate(COLOURS)
    ]
    captions = [{"question_id": n, "caption": f"a {colour} ball"} for n, colour in enumerate(COLOURS)]
    contents = {"questions": {"questions": questions}, "annotations": {"annotations": answers}, "captions": captions}
    for name, content in contents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return {name: str(tmp_path / f"{name}.json") for name in contents}


def seeing(messages):
    """The colour that the context names; green is refused."""
    text = messages[-1].content.rpartition("===\nContext")[2]
    if "green" in text:
        raise CallFailed("no greens")
    return next((colour for colour in COLOURS if colour in text), "grey")


def test_methods_are_compared_from_python_and_nothing_is_kept_that_is_not_read(files, settings):
    chat = ScriptedChat(seeing)
    result = vqa_eval("okvqa", **files, way=Method(caption="given"), models={"llm": chat}, settings=settings)
    assert [each.way.name for each in result.ways] == ["blind", "ours"] and result.questions == 3
    ours = result.ways[1].rules[result.headline]
    assert (ours.value, ours.unscored) == (1.0, 1), "what failed is not scored, and no 0"
    assert result.ways[0].rules[result.headline].value == 0.0
    assert any("1 questions failed, such as: the answerer failed: no greens" in note for note in result.notes)
    [folder] = settings.runs_dir.glob("vqa_eval-*")
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["answer"] for row in rows][:2] == ["red", "blue"] and result.tasks == ()
    assert not (folder / "checkpoints.sqlite").exists()
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    started = [(event["way"], event["questions"]) for event in events if event["event"] == "way_started"]
    assert started == [("blind", 3), ("ours", 3)]
    assert sum(event["event"] == "task_done" for event in events) == 6
