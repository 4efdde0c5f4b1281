"""`vqa` as a Python function: a caller's own models, several questions, and what becomes of those that fail."""

from __future__ import annotations

import pytest
from PIL import Image

from inloop.graphs.promptcap import Answered, Method, vqa
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedCaptioner, ScriptedChat


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "p.png")
    return tmp_path / "p.png"


def captioner():
    def say(image, question):
        if question == "refused?":
            raise CallFailed("no caption")
        return f"a cow for {question}"

    return ScriptedCaptioner(say)


def test_a_picture_a_question_and_models_of_ones_own(picture, settings):
    chat, events = ScriptedChat(["A: Calf."]), []
    models = {"llm": chat, "captioner": captioner()}
    result = vqa(picture, "what is its young?", models=models, settings=settings, on_event=events.append)
    [task] = result.tasks
    assert (task.id, task.answer, task.way, task.told) == ("q1", "calf", "answer", True)
    assert "a cow for what is its young?" in chat.asked[0][-1].content
    assert result.models["llm"]["id"] == chat.model and result.config["way"]["caption"] == "aware"
    [answered] = [event for event in events if isinstance(event, Answered)]
    assert (answered.task, answered.answer) == ("q1", "calf")
    [folder] = settings.runs_dir.glob("promptcap-*")
    again = vqa.resume(folder, settings=settings, models=models)
    assert again.tasks[0].decisions == task.decisions and len(chat.asked) == 1, "its checkpoint has the answer"


def test_a_question_that_fails_for_good_fails_alone_and_all_raise(picture, settings):
    models = {"llm": ScriptedChat(lambda messages: "calf"), "captioner": captioner()}
    result = vqa(picture, "refused?", "what is it?", models=models, settings=settings)
    assert [task.id for task in result.tasks] == ["q2"] and result.failed == {"q1": "no caption"}
    with pytest.raises(CallFailed, match="no caption"):
        vqa(picture, "refused?", models=models, settings=settings)


def test_words_instead_of_a_picture(settings):
    chat = ScriptedChat(["racing"])
    options = {"caption": "motorcycles", "tags": "helmet", "choices": ("racing", "chess")}
    result = vqa(None, "which sport?", **options, models={"llm": chat}, settings=settings)
    assert result.tasks[0].answer == "racing" and result.tasks[0].way == "answer, caption given"
    assert "Context: motorcycles. helmet." in chat.asked[0][-1].content


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("p.png",), {}, "no question"),
        ((None, "what?"), {}, "there is no picture to 'what\\?'"),
        ((None, "what?"), {"caption": "x", "choices": ("one",)}, "is one choice"),
        ((None, "what?"), {"caption": "x", "way": Method(knowledge="index")}, "needs an index"),
        ((None, "what?"), {"caption": "x", "votes": 3}, "no option 'votes'"),
    ],
)
def test_bad_input_leaves_no_run(settings, arguments, options, message):
    with pytest.raises(BadInput, match=message):
        vqa(*arguments, **options, settings=settings)
    assert not list(settings.runs_dir.glob("promptcap-*"))
