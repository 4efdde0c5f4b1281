"""The estimate of strengths and reliabilities is held to what it claims by simulated worlds; the next pair is the one that tells most."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.evaluators.preferences import (
    Preference,
    agreement,
    fit,
    judge_preferences,
    next_pair,
    planned_pairs,
)
from inloop.evaluators.preferences.choice import information
from inloop.runtime.errors import BadInput

ITEMS = [f"p{number}" for number in range(6)]


def world(number: int, raters: int = 2) -> tuple[np.ndarray, np.ndarray, list[Preference]]:
    """Strengths and log sharpness from the prior, and answers of the model to random pairs."""
    rng = np.random.default_rng(number)
    strengths, sharpness = rng.standard_normal(len(ITEMS)), 0.62 + 0.8 * rng.standard_normal(raters)
    told = []
    for _ in range(int(rng.integers(5, 80))):
        i, j = rng.choice(len(ITEMS), 2, replace=False)
        rater = int(rng.integers(raters))
        chance = 1 / (1 + np.exp(-np.exp(sharpness[rater]) * (strengths[i] - strengths[j])))
        told.append(Preference(ITEMS[i], ITEMS[j], float(rng.random() < chance), "ab"[rater]))
    return strengths, sharpness, told


def test_with_nothing_said_every_item_may_be_the_best() -> None:
    posterior = fit(ITEMS, [], raters=["a"])
    assert posterior.best.sum() == pytest.approx(1) and np.all(np.abs(posterior.best - 1 / 6) < 0.06)
    (reliability,) = posterior.reliabilities()
    assert reliability.answers == 0 and 0.75 < reliability.value < 0.86 and reliability.ci[0] < 0.65


def test_the_probability_of_the_best_is_as_often_right_as_it_says() -> None:
    claimed, right, covered = [], [], []
    for number in range(120):
        strengths, _, told = world(number)
        posterior = fit(ITEMS, told, raters=["a", "b"])
        top, probability = posterior.top
        claimed.append(probability)
        right.append(top == ITEMS[int(strengths.argmax())])
        by_item = {standing.item: standing.ci for standing in posterior.standings()}
        covered += [by_item[item][0] <= strengths[at] <= by_item[item][1] for at, item in enumerate(ITEMS)]
    # three standard errors of 120 worlds
    assert abs(np.mean(right) - np.mean(claimed)) < 0.12
    assert 0.91 < np.mean(covered) < 0.985


def test_going_on_from_an_earlier_posterior_is_believing_the_same() -> None:
    _, _, told = world(3)
    posterior = fit(ITEMS, told[:10], raters=["a", "b"])
    for end in range(11, len(told) + 1):
        posterior = fit(ITEMS, told[:end], raters=["a", "b"], after=posterior)
    anew = fit(ITEMS, told, raters=["a", "b"])
    assert np.abs(posterior.best - anew.best).max() < 0.1


def test_who_is_reliable_is_measured_and_counts_for_more() -> None:
    rng, order = np.random.default_rng(0), dict(zip(ITEMS, range(6), strict=True))
    told = []
    for first, second in list(itertools.combinations(ITEMS, 2)) * 8:
        right = float(order[first] > order[second])
        told += [Preference(first, second, right, "sure"), Preference(first, second, float(rng.random() < 0.5), "coin")]
    posterior = fit(ITEMS, told)
    sure, coin = posterior.reliabilities()
    assert sure.value > 0.93 and coin.value < 0.65 and coin.ci[1] < sure.ci[0]
    assert posterior.top == ("p5", pytest.approx(1, abs=0.02))
    one_more = [Preference("p0", "p5", 1.0, "coin")] * 10
    assert fit(ITEMS, [*told, *one_more]).top[0] == "p5"


def test_sides_do_not_matter_and_a_tie_is_half_each_way() -> None:
    told = [Preference("p0", "p1", 1.0, "a"), Preference("p2", "p1", 0.0, "a"), Preference("p3", "p4", 0.5, "a")]
    turned = [Preference(second, first, 1 - share, rater) for first, second, share, rater, _ in told]
    assert np.allclose(fit(ITEMS, told).best, fit(ITEMS, turned).best)
    tied = fit(["x", "y"], [Preference("x", "y", 0.5, "a")] * 30)
    assert 0.4 < tied.top[1] < 0.6


def test_a_judge_alone_is_never_sure_however_many_pictures_it_scored() -> None:
    posterior = fit(ITEMS, judge_preferences("judge", {item: float(at) for at, item in enumerate(ITEMS)}))
    assert posterior.top[0] == "p5" and posterior.top[1] < 0.9
    scored = {"p0": 1.0, "p1": None, "p2": 1.0, "p3": 0.5}
    told = judge_preferences("judge", scored)
    assert [(each.first, each.second, each.share) for each in told] == [
        ("p0", "p2", 0.5), ("p0", "p3", 1.0), ("p2", "p3", 1.0),
    ]  # fmt: skip
    assert sum(each.weight for each in told) == pytest.approx(2)
    assert judge_preferences("judge", {"p0": None}) == []


def test_the_pair_that_tells_most_is_between_those_that_may_be_the_best() -> None:
    order = dict(zip(ITEMS, (0, 0, 0, 0, 5, 5), strict=True))
    told = [
        Preference(first, second, 0.5 if order[first] == order[second] else float(order[first] > order[second]), "a")
        for first, second in list(itertools.combinations(ITEMS, 2)) * 3
    ]
    posterior = fit(ITEMS, told)
    asked = next_pair(posterior, "a")
    assert asked is not None and {asked.first, asked.second} == {"p4", "p5"} and 0 < asked.bits <= 1
    others = [("p0", "p1"), ("p1", "p2")]
    assert information(posterior, "a", others).max() < asked.bits / 5
    assert next_pair(posterior, "a", pairs=[]) is None
    assert next_pair(posterior, "a", pairs=others) is not None
    # a rater whom nobody knows yet is taken for one of the known
    assert next_pair(posterior, "new") is not None


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_information_is_between_nothing_and_one_bit(number: int) -> None:
    _, _, told = world(number)
    bits = information(fit(ITEMS, told, raters=["a", "b"]), "a", list(itertools.combinations(ITEMS, 2)))
    assert np.all((bits >= 0) & (bits <= 1 + 1e-9))


def test_a_plan_asks_each_pair_once_and_not_only_about_two_items() -> None:
    pairs = list(itertools.combinations(ITEMS, 2))
    plan = planned_pairs(ITEMS, [], "a", pairs=pairs, count=8)
    assert len(plan) == len(set(plan)) == 8 and set(plan) <= set(pairs)
    assert len({item for pair in plan for item in pair}) >= 4
    assert len(planned_pairs(ITEMS[:3], [], "a", pairs=pairs[:2], count=8)) == 2


def test_the_telling_pair_needs_fewer_answers_than_random_order() -> None:
    spent = {True: 0, False: 0}
    for number, telling in itertools.product(range(4), (True, False)):
        rng = np.random.default_rng(number)
        strengths, told, left = rng.standard_normal(len(ITEMS)), list[Preference](), list[np.ndarray]()
        posterior = fit(ITEMS, told, raters=["a"])
        while posterior.top[1] < 0.9 and len(told) < 150:
            left = left or list(rng.permutation(list(itertools.combinations(ITEMS, 2))))
            asked = next_pair(posterior, "a")
            assert asked is not None
            first, second = (asked.first, asked.second) if telling else left.pop()
            better = strengths[ITEMS.index(first)] > strengths[ITEMS.index(second)]
            told.append(Preference(str(first), str(second), float(better == (rng.random() < 0.85)), "a"))
            posterior = fit(ITEMS, told, raters=["a"], after=posterior)
        spent[telling] += len(told)
    assert spent[True] < 0.8 * spent[False]


def test_agreement_is_over_groups_and_leaves_ties_out() -> None:
    answers = [(f"pair {at}", float(at % 2), 1.0) for at in range(8)] + [("t", 0.5, 1.0), ("t", 1.0, None)]
    found = agreement(answers)
    assert found.share.value == 0.5 and found.share.ci is not None and found.answers == 8 and found.ties == 2
    assert agreement([("a", 1.0, 0.0)]).share.ci is None
    assert agreement([]).share.value is None


@pytest.mark.parametrize(
    "wrong",
    [
        Preference("p0", "p0", 1.0, "a"),
        Preference("p0", "nobody", 1.0, "a"),
        Preference("p0", "p1", 1.5, "a"),
        Preference("p0", "p1", float("nan"), "a"),
        Preference("p0", "p1", 1.0, "a", 0.0),
    ],
)
def test_what_is_no_preference_is_refused(wrong: Preference) -> None:
    with pytest.raises(BadInput):
        fit(ITEMS, [wrong])


def test_items_have_names_of_their_own() -> None:
    for wrong in ([], ["x", "x"]):
        with pytest.raises(BadInput, match="each once"):
            fit(wrong, [])
