"""Whether an answer is borne out: the question's own words bear nothing out, whoever judges."""

import pytest

from inloop.agents.captions import LLMSupport, WordSupport
from inloop.runtime.fakes import ScriptedChat

ABOVE = "can you name the thing above the orange circle?"


@pytest.mark.parametrize(
    ("question", "answer", "known", "borne"),
    [
        (ABOVE, "orange circle", "a cat above an orange circle", False),
        (ABOVE, "the circle", "a cat above an orange circle", False),
        (ABOVE, "cat", "a cat above an orange circle", True),
        (ABOVE, "green circle", "a green circle above an orange circle", True),
        (ABOVE, "orange square", "a cat above an orange circle", False),
        ("what shape has the orange thing?", "orange circle", "a circle", True),
        ("is it red or blue?", "red", "a red ball", True),
        ("is it red or blue?", "blue", "a red ball", False),
        ("is it red, green or blue?", "green", "a green ball", True),
        ("is it a red ball or a blue ball?", "ball", "a red ball", False),
        ("is it a red ball or a blue ball?", "the red ball", "a red ball", True),
        ("how many bikes?", "2", "two bikes by a wall", True),
        ("how many bikes?", "two bikes", "2 bikes by a wall", True),
        ("how many bikes?", "three", "2 bikes by a wall", False),
        ("how many of the two bikes are red?", "2", "two bikes", False),
        ("这是什么动物？", "狗", "一只狗在草地上", True),
        ("这是什么动物？", "猫", "一只狗在草地上", False),
        ("这是什么动物？", "动物", "一只动物", False),
        ("which is larger, the cat or the dog?", "the dog", "a cat and a dog", False),
    ],
)
async def test_words_of_the_question(question, answer, known, borne):
    assert (await WordSupport().judge(question, answer, [known]))[0] is borne


async def test_no_judge_is_asked_about_an_echo():
    chat = ScriptedChat(["Yes"])
    verdict, why = await LLMSupport(chat).judge(ABOVE, "orange circle", ["a cat above an orange circle"])
    assert verdict is False and why == "'orange circle' are words of the question itself" and chat.asked == []
    assert (await LLMSupport(chat).judge(ABOVE, "cat", ["a cat above an orange circle"]))[0] is True
