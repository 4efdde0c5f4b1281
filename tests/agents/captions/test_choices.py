"""Which of the choices a reply means: what a choice says before where it stands, and none where it is like none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.captions import meant_choice

NUMBERS = ("two", "three")
ANIMALS = ("cat", "dog")
SNACKS = ("toothpick", "food", "popsicle stick", "cigarette")


@pytest.mark.parametrize(
    ("reply", "choices", "choice"),
    [
        # what a choice says, in words or digits, whatever place has that number
        ("2", NUMBERS, "two"), ("two.", NUMBERS, "two"), ("(2)", NUMBERS, "two"), ("2)", NUMBERS, "two"), ("**2**", NUMBERS, "two"),
        ("option 2", NUMBERS, "two"), ("answer: 2", NUMBERS, "two"), ("It's 2", NUMBERS, "two"), ("there are two of them", NUMBERS, "two"),
        ("1", ("2", "1"), "1"), ("choice one", ("two", "one"), "one"), ("number 3", ("3", "2", "1"), "3"), ("B", ("b", "a"), "b"),
        ("twenty-two", ("22", "23"), "22"), ("1000 people", ("1,000", "100"), "1,000"), ("2.5", ("2", "2.5"), "2.5"),
        ("-5", ("5", "-5"), "-5"), ("2 dogs", ("two dogs", "three dogs"), "two dogs"), ("second", ("second", "first"), "second"),
        ("c++", ("c", "c++"), "c++"), ("10 am", ("10 am", "2 pm"), "10 am"), ("红色的", ("红色", "蓝色"), "红色"),
        # a place, where nothing that is offered is said
        ("B", NUMBERS, "three"), ("the second one", NUMBERS, "three"), ("the second one", ("one", "two"), "two"), ("2", ANIMALS, "dog"),
        ("the 2nd", ANIMALS, "dog"), ("It is the second.", ANIMALS, "dog"), ("the last one", ("x", "y", "z"), "z"), ("A.", ANIMALS, "cat"),
        ("option two", ANIMALS, "dog"), ("(2)", ("3", "4", "5"), "4"), ("I take option B", ANIMALS, "dog"), ("b) for it barks", ANIMALS, "dog"),
        ("Let me see.\nThe answer is B.", ANIMALS, "dog"),
        # a choice in a sentence
        ("The answer is kid, I think", ("calf", "kid"), "kid"), ("not a dog but a cat", ANIMALS, "cat"), ("cat rather than dog", ANIMALS, "cat"),
        ("Cat. The dog is outside.", ANIMALS, "cat"), ("it eats cat food", ("cat", "cat food"), "cat food"), ("two\nas three is one", NUMBERS, "two"),
        ("it is not hot", ("not hot", "hot"), "not hot"), ("no, it is not", ("yes", "no"), "no"), ("B. two", NUMBERS, "two"),
        ("popsicle", SNACKS, "popsicle stick"), ("cigarettes", SNACKS, "cigarette"), ("(b) food", SNACKS, "food"),
        # none
        ("purple", ANIMALS, ""), ("a horse", ("house", "boat"), ""), ("two", ANIMALS, ""), ("2", ("3", "4", "5"), ""), ("C", ANIMALS, ""),
        ("four dogs", ("two dogs", "three dogs"), ""), ("dog or cat", ANIMALS, ""), ("two or three", NUMBERS, ""), ("3-4", ("3", "4"), ""),
        ("more than 2", ("2", "3"), ""), ("not a dog", ANIMALS, ""), ("no dogs", ANIMALS, ""), ("stick", ("popsicle stick", "walking stick"), ""),
        ("none", ("0", "1"), ""), ("...", ANIMALS, ""), ("", ANIMALS, ""),
    ],
)  # fmt: skip
def test_the_choice_that_is_meant(reply, choices, choice):
    assert meant_choice(reply, choices) == choice


WORDS = st.lists(st.sampled_from("one two 3 4 red blue cat dog not B second".split()), min_size=1, max_size=3)


@given(st.lists(WORDS.map(" ".join), min_size=2, max_size=5, unique_by=str.lower), st.data())
def test_every_choice_means_itself(choices, data):
    choice = data.draw(st.sampled_from(choices))
    assert meant_choice(choice, choices) == choice and meant_choice(f"{choice.upper()}.", choices) == choice
