"""The bits that rows ask for, the room of a student, and the verdict."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.evaluators.capacity import draw_facts, fit_of, fit_of_measured, offered_bits, room_of
from inloop.evaluators.stats import Estimate
from inloop.runtime.errors import BadInput
from inloop.runtime.records import Row


def rows_of(answers):
    return [Row(id=str(place), text=f"What is {place}?", label=answer) for place, answer in enumerate(answers)]


def test_different_answers_are_a_choice_among_them():
    bits = offered_bits(rows_of([f"value {number}" for number in range(256)]))
    assert (bits.facts, bits.distinct, bits.low) == (256, 256, pytest.approx(256 * 8))
    assert bits.low < bits.high < bits.low + 8 * 256 * len("value 999\n")


def test_one_answer_for_all_is_no_choice_and_a_row_that_comes_twice_one_fact():
    assert offered_bits(rows_of(["yes"] * 30)).low == 0
    twice = offered_bits([*rows_of(["a", "b"]), *rows_of(["a", "b"])])
    assert (twice.facts, twice.low) == (2, 2)
    with pytest.raises(BadInput):
        offered_bits([])


def test_drawn_facts_have_the_entropy_that_they_say():
    facts = draw_facts(3000, 64, seed=2)
    assert len({row.text for row in facts}) == 3000
    assert offered_bits(facts).a_fact == pytest.approx(6, abs=0.1)
    assert facts == draw_facts(3000, 64, seed=2) != draw_facts(3000, 64, seed=3)
    for wrong in ((0, 4), (4, 1), (4, 5000)):
        with pytest.raises(BadInput):
            draw_facts(*wrong)


@settings(max_examples=30)
@given(answers=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=80))
def test_the_bits_lie_between_none_and_a_choice_of_all(answers):
    bits = offered_bits(rows_of(answers))
    assert -1e-9 <= bits.low <= len(answers) * math.log2(max(1, bits.distinct)) + 1e-6
    assert bits.high > bits.low


@given(parameters=st.integers(1, 10**9), few=st.integers(1, 2000), more=st.integers(1, 2000))
def test_room_grows_with_exposures_up_to_two_bits_a_number(parameters, few, more):
    for method in ("lora", "full"):
        less, room = room_of(parameters, min(few, more), method), room_of(parameters, max(few, more), method)
        assert 0 <= less.low <= room.low <= room.high <= 2 * parameters
        assert less.high <= room.high and less.high >= parameters


def test_far_too_many_facts_do_not_fit_and_too_little_is_known_of_the_rest():
    rng = random.Random(0)
    facts = offered_bits(rows_of([str(rng.randrange(10**9)) for _ in range(4000)]))
    assert fit_of(facts, room_of(10_000, 100, "lora")).verdict == "does not fit"
    assert fit_of(facts, room_of(100_000, 100, "lora")).verdict == "cannot tell"
    assert fit_of(facts, room_of(10**8, 1000, "full")).verdict == "fits"
    assert fit_of(facts, room_of(10**8, 5, "lora")).verdict == "cannot tell"
    assert "retrieval" in fit_of(facts, room_of(10_000, 100, "lora")).why


def test_classes_are_no_facts():
    classes = offered_bits(rows_of(["spam", "ham"] * 500))
    assert classes.like_classes
    assert fit_of(classes, room_of(100, 5, "lora")).verdict == "cannot tell"


def test_a_measurement_decides_by_its_interval():
    def measured(*ends):
        ratio = Estimate(value=sum(ends) / 2, ci=ends, n=100, unscored=0)
        return fit_of_measured(100, ratio, 5).verdict

    assert [measured(0.92, 0.96), measured(0.2, 0.5), measured(0.85, 0.95)] == ["fits", "does not fit", "cannot tell"]
    assert "nothing of the bits" in fit_of_measured(100, Estimate(value=-1, ci=(-1.1, -0.9), n=100, unscored=0), 5).why
    assert fit_of_measured(3, Estimate(value=0.5, ci=None, n=3, unscored=0), 5).verdict == "cannot tell"
