"""`vqa` as a Python function: a caller's own models, several questions, and what becomes of those that fail."""

from __future__ import annotations

import pytest
from PIL import Image

from inloop.graphs.promptcap import Answered, Method, VQAConfig, vqa
from inloop.runtime import models
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedCaptioner, ScriptedChat
from inloop.runtime.settings import Settings


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


def test_the_writer_of_the_settings_gives_its_place_to_the_answerer_and_no_other_model_does(tmp_path):
    for given, used in (
        ("mini-writer", "mini-answerer"),
        ("smollm2", "smollm2"),
        ("http://127.0.0.1:9/v1#m", "http://127.0.0.1:9/v1#m"),
    ):
        settings = Settings(llm=given, runs_dir=tmp_path)
        assert VQAConfig.of(None, "what is it?", caption="a cow", settings=settings).llm == used
        own = VQAConfig.of(None, "what is it?", caption="a cow", llm="mini-writer", settings=settings)
        assert own.llm == "mini-writer"


@pytest.mark.slow
def test_with_the_bundled_models_what_a_caption_holds_is_answered(settings):
    settings = settings.model_copy(update={"cache_dir": Settings.load().cache_dir})
    if models.find("smollm2", settings.cache_dir) is None:
        pytest.skip("SmolLM2: inloop models --fetch smollm2")
    captions = {
        "a goat next to a red barn": {"what animal is next to the barn?": "goat", "what color is the barn?": "red"},
        "three boys playing chess in a park": {"how many boys are there?": "three", "where are the boys?": "park"},
        "a lemon to the left of a blue star": {"what is to the left of the star?": "lemon", "is there a lemon?": "yes"},
    }
    right = []
    for caption, asked in captions.items():
        for question, answer in asked.items():
            [task] = vqa(None, question, caption=caption, settings=settings).tasks
            right.append(task.answer == answer)
    assert sum(right) >= 5
