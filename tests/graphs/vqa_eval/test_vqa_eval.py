"""`vqa_eval` as a Python function, with a language model of the caller's own."""

from __future__ import annotations

import json

import pytest

from inloop.graphs.promptcap import Method
from inloop.graphs.vqa_eval import vqa_eval
from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
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
    text = messages[-1].content.rpartition("===\nContext")[2].partition("\n")[0]
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


def few_answers(tmp_path, counts):
    """A list of questions, of which each has so many equal answers, with captions in it."""
    rows = [
        {"question_id": n, "question": "what colour?", "caption": "a red ball", "answers": [{"answer": "red"}] * count}
        for n, count in enumerate(counts)
    ]
    path = tmp_path / "few.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("counts", "headline", "official", "noted"),
    [
        ([1, 1], "any_human_answer", 0.0, "2 of 2 questions have fewer than 4 human answers"),
        ([3, 3], "any_human_answer", 2 / 3, "no full score: see any_human_answer"),
        ([10, 10, 1], "official_leave_one_out", 2 / 3, "1 of 3 questions have fewer than 4"),
        ([4, 10], "official_leave_one_out", 1.0, ""),
    ],
)
def test_too_few_human_answers_for_the_rule_are_told(tmp_path, settings, counts, headline, official, noted):
    questions = few_answers(tmp_path, counts)
    options = {"way": Method(caption="given"), "models": {"llm": ScriptedChat(seeing)}, "settings": settings}
    result = vqa_eval("okvqa", questions=questions, **options)
    assert result.headline == headline
    ours = result.ways[-1].rules
    assert ours["official_leave_one_out"].value == pytest.approx(official)
    assert ours[headline].value == pytest.approx(1.0 if headline == "any_human_answer" else official)
    notes = [note for note in result.notes if "human answers" in note]
    assert len(notes) == bool(noted) and all(noted in note for note in notes)
    assert ("0 whatever is answered" in "".join(notes)) is (1 in counts)
    assert ("any_human_answer" in ours) is bool(noted)


CHOICES = ["red", "blue", "green", "grey"]


@pytest.mark.parametrize("multiple_choice", [False, True])
def test_a_test_set_without_answers_is_answered_for_the_leaderboard(tmp_path, settings, multiple_choice):
    rows = [
        {"split": "test", "question_id": f"q{n}", "image_id": n, "question": "what colour?", "choices": CHOICES,
         "difficult_direct_answer": False, "caption": f"a {colour} ball"}
        for n, colour in enumerate(COLOURS[:2])
    ]  # fmt: skip
    (tmp_path / "test.json").write_text(json.dumps(rows), encoding="utf-8")
    options = {"way": Method(caption="given"), "models": {"llm": ScriptedChat(seeing)}, "settings": settings}
    options |= {"questions": str(tmp_path / "test.json"), "multiple_choice": multiple_choice}
    with pytest.raises(BadInput, match="for a test set --predictions"):
        vqa_eval("aokvqa", **options)
    with pytest.raises(PrerequisiteError, match="is no folder"):
        vqa_eval("aokvqa", **options, predictions=str(tmp_path / "nowhere" / "p.json"))
    out = tmp_path / "predictions.json"
    result = vqa_eval("aokvqa", **options, predictions=str(out))
    both = {
        "q0": {"multiple_choice": "red", "direct_answer": "red"},
        "q1": {"multiple_choice": "blue", "direct_answer": "blue"},
    }
    assert json.loads(out.read_text(encoding="utf-8")) == both and result.predictions == str(out)
    assert [each.way.name for each in result.ways] == ["ours"] and result.ways[0].rules[result.headline].value is None
    assert result.finding() == "Nothing was scored of 2 questions" and result.unexplained == "nothing was scored"
    assert any("2 of 2 questions have no answers: there is nothing to score" in note for note in result.notes)


def test_what_is_none_of_the_choices_is_not_written_as_one(tmp_path, settings):
    row = {"question_id": "q0", "image_id": 1, "question": "what colour?", "choices": CHOICES, "caption": "a ball"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    out = tmp_path / "p.json"
    for said, written in (("unknown", {"direct_answer": "unknown"}), ("mauve", {"direct_answer": "mauve"})):
        result = vqa_eval(
            "aokvqa", questions=str(tmp_path / "test.jsonl"), way=Method(caption="given"), settings=settings,
            models={"llm": ScriptedChat(lambda messages, said=said: said)}, multiple_choice=True, predictions=str(out),
        )  # fmt: skip
        assert json.loads(out.read_text(encoding="utf-8")) == {"q0": written}
        assert any("of 1 questions 1 have no multiple_choice" in note for note in result.notes)


def test_predictions_of_an_answered_set_are_what_certify_reads(files, tmp_path, settings):
    from inloop.evaluators.vqa import find_rule, read_predictions

    out = tmp_path / "p.json"
    chat = ScriptedChat(seeing)
    options = {"way": Method(caption="given"), "models": {"llm": chat}, "settings": settings, "baselines": "none"}
    result = vqa_eval("okvqa", **files, **options, predictions=str(out))
    assert json.loads(out.read_text(encoding="utf-8"))[0] == {"question_id": 0, "answer": "red"}
    assert read_predictions(out, find_rule("official")) == {"0": "red", "1": "blue"}
    assert any("of 3 questions 1 have no direct_answer" in note for note in result.notes), "green was refused"
