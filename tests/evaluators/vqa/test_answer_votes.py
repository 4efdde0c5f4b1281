"""Votes that become one answer, and the causes of wrong ones."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.captions import Vote, is_untold, meant_choice, short_answer
from inloop.evaluators.vqa.accuracy import Asked, Human
from inloop.evaluators.vqa.error_causes import cause_of, counted, same_meaning
from inloop.evaluators.vqa.voting import ensemble


def votes(*pairs):
    return [Vote(text=text, logprob=math.log(p) if p else None) for text, p in pairs]


def test_the_three_rules_differ():
    given = votes(("cat", 0.5), ("dog", 0.3), ("dog", 0.3), ("bird", 0.1), ("bird", 0.1), ("bird", 0.1))
    assert ensemble(given, "max").text == "cat"
    assert ensemble(given, "sum").text == "dog"
    assert ensemble(given, "majority").text == "bird"
    assert ensemble(given, "majority").shares[0] == ("bird", 0.5)


def test_equal_answers_are_one_and_the_likeliest_wording_stays():
    made = ensemble(votes(("two dogs", 0.1), ("2 dogs.", 0.4), ("cat", 0.45)), "sum")
    assert made.text == "2 dogs." and made.shares[0][0] == "2 dogs" and made.shares[0][1] == pytest.approx(0.5 / 0.95)


def test_without_probabilities_the_majority_decides_and_says_so():
    made = ensemble(votes(("cat", None), ("dog", 0.9), ("cat", 0.1)), "sum")
    assert made.text == "cat" and made.rule == "majority" and "no log-probabilities" in made.note
    assert ensemble(votes(("a", None)), "max").note == "", "one vote needs no rule"
    assert ensemble(votes(("a", None)), "max").shares == (("a", 1.0),)


def test_an_answer_that_is_certain_is_the_likeliest():
    made = ensemble([Vote(text="Dogs", logprob=-0.1), Vote(text="dogs", logprob=0.0)], "sum")
    assert made.text == "dogs"


def test_empty_votes_do_not_count():
    assert ensemble(votes((" ", 0.9), ("dog", 0.1)), "max").text == "dog"
    assert ensemble([], "max").text == "" and ensemble(votes(("", 0.5)), "sum").text == ""


@given(st.lists(st.tuples(st.sampled_from(["cat", "dog", "a bird", ""]), st.floats(1e-6, 1)), max_size=8), st.randoms())
def test_the_order_of_different_votes_does_not_matter(pairs, rng):
    for rule in ("max", "sum"):
        one = ensemble(votes(*pairs), rule)
        mixed = list(pairs)
        rng.shuffle(mixed)
        other = ensemble(votes(*mixed), rule)
        weights = dict(one.shares)
        assert weights == pytest.approx(dict(other.shares))
        best = max(weights.values(), default=0)
        if sum(math.isclose(value, best) for value in weights.values()) == 1:
            assert one.text == other.text
        assert not weights or math.isclose(sum(weights.values()), 1)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Racing.", "racing"), ("A: a dog", "dog"), ("The answer is a dog.\nBecause", "dog"), ("a", "a"), ("the", "the"),
        ("\n\n Big Ben ", "big ben"), ("calf\n===\nContext: x", "calf"), ("10,000", "10,000"), ('"Sub."', "sub"), ("", ""),
        ("It is an eagle", "eagle"),
    ],
)  # fmt: skip
def test_short_answers(reply, answer):
    assert short_answer(reply) == answer


@given(st.text(max_size=300))
def test_any_reply_is_read(reply):
    said = short_answer(reply)
    assert "\n" not in said and said == " ".join(said.split()) and len(said) <= 200
    is_untold(said)
    assert meant_choice(reply, ("a cat", "b")) in ("a cat", "b", "")


@pytest.mark.parametrize(
    ("text", "untold"),
    [("unknown", True), ("it cannot be told", True), ("can't say", True), ("not visible", True), ("a knot", False), ("none", False)],
)  # fmt: skip
def test_what_cannot_be_told(text, untold):
    assert is_untold(text) is untold


def asked(*answers):
    return Asked(id="1", humans=tuple(Human(text=text, id=n) for n, text in enumerate(answers)))


def test_form_alone():
    people = asked(*["batteries"] * 6, *["electricity"] * 3, "plug")
    assert same_meaning("battery", people) and same_meaning("it runs on batteries", people)
    assert not same_meaning("plug", people), "what one person of ten said is no consensus"
    assert not same_meaning("electric", people) and not same_meaning("", people)


@pytest.mark.parametrize(
    ("score", "caption", "passage", "both", "cause"),
    [
        (0.6, None, None, None, "right"), (0.0, 1.0, 0.0, 1.0, "caption"), (0.3, 0.0, 0.6, 1.0, "knowledge"),
        (0.0, 0.0, 0.0, 1.0, "caption and knowledge"), (0.0, 1.0, 1.0, 1.0, "caption or knowledge"),
        (0.0, 0.0, 0.0, 0.0, "reasoning"), (0.0, None, None, None, "unknown"), (0.0, 0.0, None, None, "unknown"),
        (0.0, 1.0, None, None, "caption"), (0.0, 0.0, 0.0, None, "unknown"),
    ],
)  # fmt: skip
def test_causes(score, caption, passage, both, cause):
    found = cause_of(
        "wrong", asked("right", "right"), score, with_caption=caption, with_passage=passage, with_both=both
    )
    assert found == cause
    assert counted([found, "right"])[cause] >= 1


def test_another_form_is_a_cause_before_what_an_oracle_says():
    assert cause_of("two cows", asked(*["cow"] * 10), 0.0, with_caption=1.0) == "normalisation"
