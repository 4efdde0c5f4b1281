"""Noun phrases: from an LLM's reply, and from a scene graph without a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.scene import Question, SceneGraph
from inloop.agents.scene.phrases import Phraser, from_scene_graph, parse_phrases
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedChat

TEXT = "a photo of two brown dogs asleep on a striped sofa"
WANTED = ["two brown dogs", "a striped sofa"]


@pytest.mark.parametrize(
    "reply",
    [
        "two brown dogs, a striped sofa",
        "Noun phrases: two brown dogs, a striped sofa.",
        "two brown dogs; a striped sofa",
        "1. two brown dogs\n2. a striped sofa",
        "- two brown dogs\n- a striped sofa\n",
        "Here are the noun phrases:\n\ntwo brown dogs, a striped sofa",
        '"two brown dogs", "a striped sofa"',
        "[two brown dogs, a striped sofa]",
        "two brown dogs, Two brown dogs, a striped sofa,",
        "```\ntwo brown dogs, a striped sofa\n```",
    ],
)
def test_replies_are_read(reply: str) -> None:
    assert parse_phrases(reply, TEXT) == WANTED


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "no noun phrases"),
        (",,;", "no noun phrases"),
        ("I cannot help, sorry", "copy its words"),
        # SmolLM2-135M-Instruct repeats the examples
        ("A photo of two cats. An old man with a white beard holds a red umbrella in a bakery", "copy its words"),
    ],
)
def test_replies_without_phrases_say_why(reply: str, why: str) -> None:
    with pytest.raises(CallFailed, match=why):
        parse_phrases(reply, TEXT)


@given(st.text(max_size=200))
def test_any_reply_is_read_or_refused(reply: str) -> None:
    try:
        assert all(phrase.strip() for phrase in parse_phrases(reply, TEXT))
    except CallFailed as error:
        assert str(error)


async def test_an_unusable_reply_is_sent_back() -> None:
    chat = ScriptedChat(["nothing here, really", ", ".join(WANTED)])
    assert await Phraser(chat).phrases(TEXT) == WANTED
    assert "copy its words" in chat.asked[1][-1].content
    with pytest.raises(CallFailed, match="in 2 tries"):
        await Phraser(ScriptedChat(["", ""]), repairs=1).phrases(TEXT)
    with pytest.raises(BadInput, match="is empty"):
        await Phraser(chat).phrases("")


def node(number: int, fact: str, question: str = "Is it so?", *parents: int) -> Question:
    return Question(id=number, tuple=fact, question=question, parents=parents)


def test_phrases_of_a_scene_graph() -> None:
    nodes = (
        node(1, "entity - whole (disc)", "Is there a disc?"),
        node(2, "entity - whole (stars)", "Are there stars?"),
        node(3, "entity - whole (apple)", "Is there an apple?"),
        node(4, "other - count (stars, ==3)", "Are there exactly three stars?", 2),
        node(5, "attribute - color (disc, azure)", "Is the disc azure?", 1),
        node(6, "attribute - color (stars, golden)", "Are the stars golden?", 2),
        node(7, "attribute - size (stars, tiny)", "Are the stars tiny?", 2),
        node(8, "relation - spatial (disc, stars, above)", "Is the disc above the stars?", 1, 2),
        node(9, "global - background (mint)", "Is the background mint?"),
        node(10, "action (disc, roll)", "Does the disc roll?", 1),
    )
    graph = SceneGraph(text="t", nodes=nodes, questioner="q")
    assert from_scene_graph(graph) == ["an azure disc", "three tiny golden stars", "an apple"]
    assert from_scene_graph(nodes) == from_scene_graph(graph)


def test_an_attribute_without_a_parent_goes_by_its_name() -> None:
    nodes = [node(1, "entity - whole (Disc)", "Is there a disc?"), node(2, "attribute - color (disc, red)")]
    assert from_scene_graph(nodes) == ["a red Disc"]
    assert from_scene_graph([node(1, "attribute - color (disc, red)")]) == []
    assert from_scene_graph([node(1, "nonsense")]) == []


def test_things_of_one_name_are_kept_apart_by_their_parents() -> None:
    nodes = [
        node(1, "entity - whole (red circle)", "Is there a red circle?"),
        node(2, "entity - whole (blue circle)", "Is there a blue circle?"),
        node(3, "attribute - size (circle, small)", "Is the blue circle small?", 2),
    ]
    assert from_scene_graph(nodes) == ["a red circle", "a small blue circle"]
