"""Budgets: what is refused, when they stop, and what unknown money does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.runtime.budget import LIMITS, Budget
from inloop.runtime.errors import BadInput
from inloop.runtime.records import Cost
from inloop.runtime.store import CALL_KINDS, CallKind


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("images=0", "above 0"),
        ("seconds=-1", "above 0"),
        ("money=nan", "above 0"),
        ("tokens=inf", "above 0"),
        ("picturs=3", "no limit 'picturs'; the limits are images"),
        ("images", "write name=limit"),
        ("images=many", "'many' is not a number"),
        ("images=2.5", "whole number"),
        ("images=1,images=2", "given twice"),
        ("=3", "no limit ''"),
    ],
)
def test_bad_budgets_name_the_part(text: str, words: str) -> None:
    with pytest.raises(BadInput, match="budget") as caught:
        Budget.parse(text)
    assert words in str(caught.value)


@given(st.dictionaries(st.sampled_from(LIMITS), st.integers(1, 10**9)))
def test_written_as_it_is_read(limits: dict[str, float]) -> None:
    assert Budget.parse(str(Budget(limits))).limits == limits


def test_each_limit_stops_in_words() -> None:
    budget = Budget.parse(" images=10, tokens=100 ,answers=5,calls=7,money=0.5 ")
    assert budget.exhausted() is None
    budget.charge(Cost(images=9, input_tokens=50, output_tokens=49, answers=4, calls=6, money=0.4))
    assert budget.exhausted() is None
    assert budget.exhausted(Cost(images=1)) is None
    assert budget.exhausted(Cost(images=2)) == (
        "the next step would go beyond the budget of 10 images (9 images used, 2 images needed)"
    )
    for cost, reason in [
        (Cost(images=1), "the budget of 10 images is spent (10 images used)"),
        (Cost(output_tokens=1), "the budget of 100 tokens is spent (100 tokens used)"),
        (Cost(answers=1), "the budget of 5 answers is spent (5 answers used)"),
        (Cost(calls=1), "the budget of 7 calls is spent (7 calls used)"),
        (Cost(money=0.1), "the budget of 0.5 dollars is spent (0.5 dollars used)"),
    ]:
        one = Budget(budget.limits, spent=budget.spent)
        one.charge(cost)
        assert one.exhausted() == reason


def test_no_limit_never_stops() -> None:
    budget = Budget.parse("")
    budget.charge(Cost(images=10**9, money=None))
    assert budget.exhausted(Cost(images=10**9)) is None
    assert budget.notes == []


def test_seconds_are_wall_clock_over_all_processes() -> None:
    now = [100.0]
    budget = Budget({"seconds": 60}, elapsed=50.0, clock=lambda: now[0])
    assert budget.exhausted() is None
    now[0] += 9.5
    assert budget.exhausted() is None
    now[0] += 0.5
    assert budget.exhausted() == "the budget of 60.0 seconds is spent (60.0 seconds used)"


def test_unknown_money_is_said_once_and_is_not_zero() -> None:
    budget = Budget.parse("money=1")
    budget.charge(Cost(money=0.6))
    budget.charge(Cost(money=None))
    budget.charge(Cost(money=None))
    assert budget.spent.money is None
    assert len(budget.notes) == 1 and "price of some calls is not known" in budget.notes[0]
    assert budget.exhausted() is None
    budget.charge(Cost(money=0.4))  # the known part alone is too much
    assert budget.exhausted() == "the budget of 1 dollars is spent (1 dollars used)"


def test_an_amount_that_a_kind_of_call_books_can_be_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    depth = CallKind("the depth map of a picture", amounts={"gpu_seconds": "seconds on the GPU"})
    monkeypatch.setitem(CALL_KINDS._own, "depth", depth)
    budget = Budget.parse("gpu_seconds=2.5")
    assert str(budget) == "gpu_seconds=2.5" and budget.exhausted() is None
    budget.charge(Cost(amounts={"gpu_seconds": 1.5}))
    budget.charge(Cost(amounts={"gpu_seconds": 1.0}) + Cost(images=3))
    assert budget.exhausted() == "the budget of 2.5 seconds on the GPU is spent (2.5 seconds on the GPU used)"
    assert "amounts" not in Cost(images=1).model_dump(mode="json"), "old readers and files know nothing of them"
    with pytest.raises(BadInput, match=r"the limits are images, .*, gpu_seconds"):
        Budget.parse("gpu_secs=1")
