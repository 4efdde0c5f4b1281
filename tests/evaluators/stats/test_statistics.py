"""Means and intervals: unscored items are counted and left out, the same input gives the same interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.evaluators.stats.intervals import Estimate, by_group, compare, estimate, holm, mean, paired_gain, slices
from inloop.runtime.errors import BadInput

scores = st.lists(st.none() | st.floats(-1, 1), max_size=12)


def test_unscored_items_are_no_zeros() -> None:
    assert mean([1.0, None, 0.5]) == 0.75
    assert mean([None]) is None and mean([]) is None
    made = estimate([1.0, None, 0.5, None])
    assert (made.value, made.n, made.unscored) == (0.75, 2, 2)
    assert estimate([None]) == Estimate(value=None, ci=None, n=0, unscored=1)
    assert estimate([0.3]) == Estimate(value=0.3, ci=None, n=1, unscored=0)


def test_pairs_with_one_side_unscored_are_left_out() -> None:
    made = paired_gain([0.0, 0.5, None, 0.2], [0.5, 0.5, 1.0, None])
    assert (made.value, made.n, made.unscored) == (0.25, 2, 2)
    with pytest.raises(BadInput, match="2 scores before and 1 after"):
        paired_gain([0.1, 0.2], [0.3])


def test_pairing_takes_the_spread_between_items_out() -> None:
    before = np.linspace(0, 1, 20).tolist()
    after = [value + 0.1 for value in before]
    made = paired_gain(before, after)
    assert made.ci is not None and made.value == pytest.approx(0.1)
    assert made.ci[0] == pytest.approx(0.1) and made.ci[1] == pytest.approx(0.1)
    alone = estimate(after)
    assert alone.ci is not None and alone.ci[1] - alone.ci[0] > 0.1


def test_the_interval_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(1).normal(0.3, 0.2, size=400).tolist()
    made = estimate(values)
    error = np.std(values) / 20
    assert made.ci is not None
    assert made.ci[0] == pytest.approx(np.mean(values) - 1.96 * error, abs=0.15 * error)
    assert made.ci[1] == pytest.approx(np.mean(values) + 1.96 * error, abs=0.15 * error)
    narrow = estimate(values, level=0.5)
    assert narrow.ci is not None and narrow.ci[1] - narrow.ci[0] < 0.5 * (made.ci[1] - made.ci[0])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        made = estimate(rng.uniform(0, 1, size=24).tolist(), draws=1000)
        assert made.ci is not None
        hits += made.ci[0] <= 0.5 <= made.ci[1]
    assert 0.88 <= hits / 200 <= 0.99


@given(scores)
def test_the_mean_lies_in_its_interval_and_repeats(values: list[float | None]) -> None:
    made = estimate(values, draws=200)
    assert made == estimate(values, draws=200)
    assert made.n + made.unscored == len(values)
    known = [value for value in values if value is not None]
    if made.ci is not None:
        assert min(known) - 1e-9 <= made.ci[0] <= made.ci[1] <= max(known) + 1e-9


def test_bad_settings_are_refused() -> None:
    with pytest.raises(BadInput, match=r"level=1\.5"):
        estimate([1.0, 2.0], level=1.5)
    with pytest.raises(BadInput, match="draws=3"):
        estimate([1.0, 2.0], draws=3)


def test_groups_come_before_the_interval() -> None:
    values = [0.0, 1.0, None, 1.0, None]
    assert by_group(values, ["a", "a", "a", "b", "c"]) == {"a": 0.5, "b": 1.0, "c": None}
    pictures = [value for value in np.random.default_rng(0).random(20).tolist() for _ in range(10)]
    prompts = [place // 10 for place in range(200)]
    over_pictures, over_prompts = estimate(pictures), estimate(list(by_group(pictures, prompts).values()))
    assert over_pictures.value == pytest.approx(over_prompts.value)
    assert over_pictures.ci is not None and over_prompts.ci is not None
    width = [ci[1] - ci[0] for ci in (over_pictures.ci, over_prompts.ci)]
    assert width[1] > 2.5 * width[0], "ten copies of a picture are no ten pictures"
    with pytest.raises(BadInput, match="1 scores and 2 groups"):
        by_group([1.0], ["a", "b"])


def test_slices_by_tag() -> None:
    made = slices([1.0, 0.0, None, 0.5], ["a", "a", "b", "c"], [["color"], ["color", "count"], ["count"], []])
    assert list(made) == ["color", "count"]
    assert (made["color"].value, made["color"].n) == (0.5, 1)
    assert (made["count"].value, made["count"].n, made["count"].unscored) == (0.0, 1, 1)


def test_two_runs_are_compared_by_item() -> None:
    before = {str(n): n / 20 for n in range(12)}
    after = {**{key: value + 0.1 for key, value in before.items()}, "new": 1.0, "3": None}
    made = compare(before, after)
    assert (made.gain.n, made.gain.unscored, made.better, made.worse) == (11, 2, 11, 0)
    assert made.p is not None and made.p < 0.01
    same = compare(before, before)
    assert (same.equal, same.gain.value, same.p) == (12, 0, 1)
    assert compare({"a": 0.1}, {"a": 0.2}).p is None
    with pytest.raises(BadInput, match="no item in common"):
        compare({"a": 0.1}, {"b": 0.2})


def test_the_sign_flip_test_is_rarely_wrong_where_nothing_is() -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(100):
        zeros, noise = dict.fromkeys(range(15), 0.0), dict(enumerate(rng.normal(size=15).tolist()))
        found.append(compare(zeros, noise, draws=200).p or 0)
    assert 0.0 <= sum(p < 0.05 for p in found) / 100 <= 0.12 and 0.35 < np.mean(found) < 0.65


def test_holm_corrects_for_the_number_of_candidates() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0} and holm({}) == {}
    with pytest.raises(BadInput, match="'a'"):
        holm({"a": 1.5})
