"""The published filter and CIDEr-D against examples worked by hand, and the rules that find a caption that leaks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.evaluators.vqa.caption_filter import (
    cer,
    hard_accuracy,
    normal_answer,
    off_topic,
    planted,
    restates,
    soft_accuracy,
)
from inloop.evaluators.vqa.cider import Cider
from inloop.runtime.errors import BadInput

TEN = ["kitten"] * 2 + ["kittens"] + ["cat"] * 7


def test_the_filter_as_worked_by_hand() -> None:
    assert cer("kitten", "sitting") == pytest.approx(3 / 7)  # the textbook's edit distance
    assert cer("a long reply", "ox") > 1
    assert normal_answer("To the Beach, a.") == "beach"
    assert soft_accuracy("The kitten.", TEN) == pytest.approx((1 + 1 + (1 - 1 / 7)) / 3)
    assert soft_accuracy("a long and wrong reply", ["ox"] * 10) < 0
    assert hard_accuracy("kitten", TEN) == pytest.approx(0.6)
    assert hard_accuracy("cat", TEN) == 1.0 and hard_accuracy("dog", TEN) == 0.0
    assert soft_accuracy("cat", ["cat"]) == hard_accuracy("cat", ["cat"]) == 1.0  # one answer stands for ten
    assert soft_accuracy("cat", []) == hard_accuracy("cat", []) == 0.0


@given(st.text("abc .", max_size=12), st.text("abc .", max_size=12), st.text("abc .", max_size=12))
def test_the_edit_distance_is_a_distance(a: str, b: str, c: str) -> None:
    def edits(x: str, y: str) -> float:
        return cer(x, y) * max(1, len(y)) if y else len(x)

    assert edits(a, a) == 0 and edits(a, b) == pytest.approx(edits(b, a))
    assert edits(a, c) <= edits(a, b) + edits(b, c) + 1e-9


def test_cider_as_worked_by_hand() -> None:
    cider = Cider([["a cat"], ["a dog"]])
    # "a" is in both pictures and weighs nothing; "cat" and "a cat" weigh log 2; there are no trigrams: (1 + 1) / 4 x 10
    assert cider.score("a cat", ["a cat"]) == pytest.approx(5.0)
    assert cider.score("A cat.", ["a cat"]) == pytest.approx(5.0)
    assert cider.score("a dog", ["a cat"]) == 0.0
    # "cat" twice is clipped at once: cosine 1/2; of two bigrams one fits: 1/sqrt 2; one word too many: exp(-1/72)
    by_hand = 10 * (1 / 2 + 1 / math.sqrt(2)) / 4 * math.exp(-1 / 72)
    assert cider.score("a cat cat", ["a cat"]) == pytest.approx(by_hand)
    assert cider.score("a cat", ["a cat", "a dog"]) == pytest.approx(2.5)
    assert cider.score("", ["a cat"]) == cider.score("a cat", []) == 0.0
    assert Cider([["a cat"]]).score("a cat", ["a cat"]) == 0.0
    with pytest.raises(BadInput, match="at least one picture"):
        Cider([])


@pytest.mark.parametrize(
    ("caption", "leaks"),
    [
        ("the answer is kitten", True),
        ("its young is called a kitten", True),
        ("kitten", True),
        ("a cat to the left of a red circle", False),
        ("the young of the cat is a kitten", False),  # it says what is to be seen as well: for the judge
    ],
)
def test_a_caption_that_only_restates(caption: str, leaks: bool) -> None:
    question = "what is the young of the thing left of the circle called?"
    assert restates(caption, question, ["kitten"], ["a cat and a circle"]) is leaks


def test_the_words_of_the_question_may_be_used_for_what_others_see_too() -> None:
    question, caption = "what is at the bottom left?", "a cactus at the bottom left"
    assert not restates(caption, question, ["cactus"], ["a cactus and a dog"])
    assert restates(caption, question, ["cactus"], ["a dog and a moon"])
    assert restates("a cactus", question, ["cactus"], ["a cactus and a dog"])


def test_an_answer_that_no_other_caption_shows() -> None:
    others = ["a cat and a red circle", "a cat on a white background"]
    assert planted("a kitten beside a circle", ["kitten"], others)
    assert not planted("a cat beside a circle", ["kitten"], others)
    assert not planted("two cats", ["cat"], others)
    assert not planted("a red circle above a bus", ["red"], others)
    assert planted("an old car", ["a car"], ["a carton"])  # whole words only


def test_a_caption_that_speaks_of_the_task() -> None:
    assert off_topic("You've already identified the answer to the original question: a pizza.", ["a pizza"])
    assert not off_topic("a pizza to the left of a triangle", ["a pizza"])
    assert not off_topic("a question mark on a sign", ["a sign with a question mark"])


def test_an_answer_that_the_picture_does_not_show_is_planted_though_another_one_is_shown() -> None:
    answers = ["dog"] * 8 + ["animal"] * 2
    assert planted("a dog on a couch", answers, ["an animal on a couch"])
    assert not planted("a dog, an animal, on a couch", answers, ["an animal on a couch"])
    assert not planted("a dog on a couch", answers, ["a dog", "an animal on a couch"])
