"""The rules for simple English: a table of what they understand, a table of what they refuse, and no word lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.scene import NotUnderstood, Question, SceneWriter, from_scene_graph, simple_scene_graph
from inloop.agents.scene.coverage import content_words, unasked
from inloop.runtime.errors import CallFailed
from inloop.runtime.fakes import ScriptedChat

NO = " (right answer: no)"
UNDERSTOOD = {
    # counts, in words and digits
    "three cats": ["Are there cats?", "Are there exactly three cats?"],
    "3 cats": ["Are there cats?", "Are there exactly three cats?"],
    "a pair of bells": ["Are there bells?", "Are there exactly two bells?"],
    "a dozen eggs": ["Are there eggs?", "Are there exactly twelve eggs?"],
    "one child": ["Is there a child?", "Is there exactly one child?"],
    "15 red balloons": ["Are there balloons?", "Are there exactly 15 balloons?", "Are the balloons red?"],
    "several birds": ["Are there birds?", "Are there several birds?"],
    # attributes
    "a tiny light blue disc": ["Is there a disc?", "Is the disc light blue?", "Is the disc tiny?"],
    "a black and white cat": ["Is there a cat?", "Is the cat black and white?"],
    "an old wooden chair": ["Is there an old wooden chair?"],
    "a glass of orange juice": ["Is there a glass of orange juice?"],
    # relations
    "a cat next to a dog": ["Is there a cat?", "Is there a dog?", "Is the cat next to the dog?"],
    "a cat behind a fence": ["Is there a cat?", "Is there a fence?", "Is the cat behind the fence?"],
    "a dog between a bush and a car": [
        "Is there a dog?", "Is there a bush?", "Is there a car?", "Is the dog between the bush and the car?",
    ],
    "a cat and a dog on a sofa": [
        "Is there a cat?", "Is there a dog?", "Is there a sofa?", "Are the cat and the dog on the sofa?",
    ],
    "a house with two doors": [
        "Is there a house?", "Are there doors?", "Are there exactly two doors?", "Does the house have the doors?",
    ],
    "a man wearing a hat": ["Is there a man?", "Is there a hat?", "Is the man wearing the hat?"],
    "A woman is riding a horse.": ["Is there a woman?", "Is there a horse?", "Is the woman riding the horse?"],
    "a robot cooking": ["Is there a robot?", "Is the robot cooking?"],
    "a field covered with snow": ["Is there a field?", "Is the field covered with snow?"],
    "a cup made of cardboard": ["Is there a cup?", "Is the cup made of cardboard?"],
    # the whole scene
    "a disc on a pale green background": ["Is there a disc?", "Is the background pale green?"],
    "a disc on white background": ["Is there a disc?", "Is the background white?"],
    "a tree in the background": ["Is there a tree?", "Is the tree in the background?"],
    "a pale scene with one red disc": [
        "Is there a disc?", "Is there exactly one disc?", "Is the disc red?", "Is this picture a pale scene?",
    ],
    "a cityscape at night with a full moon": [
        "Is there a cityscape?", "Is there a full moon?", "Does the cityscape have the full moon?", "Is it night in the picture?",
    ],
    "an oil painting of a fox": ["Is there a fox?", "Is this picture an oil painting?"],
    # commas and quotes
    "a fox, watercolor, cinematic lighting": [
        "Is there a fox?", "Is this picture a watercolor?", "Does this picture have cinematic lighting?",
    ],
    "a fox in the style of Claude Monet": ["Is there a fox?", "Is this picture in the style of Claude Monet?"],
    '"a red disc"': ["Is there a disc?", "Is the disc red?"],
    "“a red disc”": ["Is there a disc?", "Is the disc red?"],
    'a sign that says "東京"': ["Is there a sign?", 'Does the sign say "東京"?'],
    # negations
    "no disc": ["Is there a disc?" + NO],
    "there is no red disc": ["Is there a red disc?" + NO],
    "a red disc and no blue square": ["Is there a disc?", "Is the disc red?", "Is there a blue square?" + NO],
    "a blue square, no red disc": ["Is there a square?", "Is the square blue?", "Is there a red disc?" + NO],
    "a kitchen without a refrigerator": ["Is there a kitchen?", "Is there a refrigerator?" + NO],
    "a table with no cups": ["Is there a table?", "Are there cups?" + NO],
    "a room empty of chairs": ["Is there a room?", "Are there chairs?" + NO],
    "a disc that is not red": ["Is there a disc?", "Is the disc red?" + NO],
    "a man not wearing a hat": ["Is there a man?", "Is the man wearing a hat?" + NO],
    "a man in a suit without a tie": [
        "Is there a man?", "Is there a suit?", "Is the man in the suit?", "Does the man have a tie?" + NO,
    ],
}  # fmt: skip
REFUSED = [
    "青い四角",
    "красный круг",
    "ein roter Kreis",
    "un chat noir",
    "love",
    "artificial intelligence",
    "a cat chases a dog",
    "The horse raced past the barn fell",
    "a cat that sleeps",
    "a man holding a book and a dog",  # whose is the dog?
    "a cup to the left of a plate to the right of a fork",  # which is right of the fork?
    "a cat with a mouse without a tail",
    "a cat, melancholy",
    "a cat and another cat with its mother",
    "(a red disc:1.3)",
    "a cat or a dog",
    "neither a cat nor a dog",
    "aerial photography forest",
    "a disc and no disc",
    "4k, highly detailed",
]


@pytest.mark.parametrize(("text", "questions"), UNDERSTOOD.items(), ids=UNDERSTOOD)
def test_what_is_understood(text, questions):
    graph = simple_scene_graph(text)
    assert [node.label for node in graph.nodes] == questions
    assert graph.unasked == ()


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_understood_whole_has_no_graph_and_a_reason(text):
    with pytest.raises(NotUnderstood, match="the rules for simple English do not understand") as refusal:
        simple_scene_graph(text)
    assert repr(text) in str(refusal.value)


def test_wishes_for_quality_are_named_as_not_asked():
    graph = simple_scene_graph("a cat, 4k, trending on artstation")
    assert [node.question for node in graph.nodes] == ["Is there a cat?"]
    assert graph.unasked == ("4k", "trending", "artstation")


def test_what_is_denied_hangs_on_no_thing_that_need_not_be_there():
    graph = simple_scene_graph("a man not wearing a red hat")
    assert [(node.tuple, node.parents, node.expected) for node in graph.nodes] == [
        ("entity - whole (man)", (), "yes"),
        ("relation - action (man, red hat, wearing)", (1,), "no"),
    ]
    assert from_scene_graph(simple_scene_graph("a red disc and no square")) == ["a red disc"]


WORDS = st.sampled_from(
    'a the two red big old cat dogs on next to with without no not wearing running made of between and , . "x" is that it 東京 in background'.split()
)


@given(st.lists(WORDS, min_size=1, max_size=9).map(" ".join))
def test_a_graph_holds_every_content_word_or_names_it(text):
    try:
        graph = simple_scene_graph(text)
    except NotUnderstood:
        return
    asked = " ".join(f"{node.tuple} {node.question}" for node in graph.nodes).lower()
    for word in content_words(text):
        known = word in graph.unasked or word.removesuffix("s") in asked
        assert known or word in ("no", "not", "without", "two", "on", "background"), (text, word, asked)
    assert any(node.expected == "no" for node in graph.nodes) == any(
        w in text.split() for w in ("no", "not", "without")
    )


@pytest.mark.parametrize(
    ("text", "asked", "missing"),
    [
        ("a cat next to a dog", ["Is there a cat?", "Is there a dog?"], ("next",)),
        ("three running dogs", ["Are there 3 dogs?", "Is the dog running?"], ()),
        ("a cat at night", ["Is there a cat?"], ("at", "night")),
        ("青い四角", ["Is there a blue square?"], ("青い四角",)),
        ("青い四角", ["青い四角がありますか"], ()),
        ("ein roter Kreis", ["Gibt es einen Kreis?"], ("ein", "roter")),
        ("a blue-and-white vase", ["Is there a vase?", "Is it blue and white?"], ()),
    ],
)
def test_words_in_no_question_are_found_in_any_script(text, asked, missing):
    nodes = [Question(id=place, tuple="entity (x)", question=q) for place, q in enumerate(asked, start=1)]
    assert unasked(text, nodes) == missing


async def test_a_writer_says_what_it_did_not_ask_and_never_falls_back_on_half_a_graph():
    told = []
    replies = [
        "1 | entity - whole (cat)\n2 | entity - whole (dog)",
        "1 | Is there a cat?\n2 | Is there a dog?",
        "1 | 0\n2 | 0",
    ]
    graph = await SceneWriter(ScriptedChat(replies), tell=told.append).scene_graph("a cat that chases a dog")
    assert graph.unasked == ("chases",) and told == [
        "words of 'a cat that chases a dog' that are in no question: chases."
    ]
    with pytest.raises(CallFailed, match=r"no usable tuples.*The rules for simple English do not understand"):
        await SceneWriter(ScriptedChat(lambda messages: "nothing"), tell=told.append).scene_graph("a cat that sleeps")


async def test_a_model_that_forgets_a_negation_is_told_and_a_negative_question_is_put_positively():
    first = "1 | entity - whole (table)\n2 | entity - whole (cups)"
    second = "1 | entity - whole (table)\n2 | entity - absent (cups)"
    chat = ScriptedChat([first, second, "1 | Is there a table?\n2 | Are there no cups?", "1 | 0\n2 | 0"])
    graph = await SceneWriter(chat, rules_first=False).scene_graph("a table with no cups")
    assert [(node.question, node.expected) for node in graph.nodes] == [
        ("Is there a table?", "yes"),
        ("Are there cups?", "no"),
    ]
    assert "the description says 'no', but no tuple does" in chat.asked[1][-1].content
