"""Thresholds that keep their promise, and probabilities that are what they say."""

import numpy as np
import pytest

from inloop.evaluators.stats import answers_needed, logistic, selected_threshold, share_interval


def test_shares_have_intervals_that_are_known():
    assert share_interval(0, 0) is None
    assert share_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-3)  # Wilson's, as in many textbooks
    assert share_interval(0, 10)[0] == 0.0 and share_interval(10, 10)[1] == 1.0


def test_how_many_answers_a_promise_needs():
    assert answers_needed(0.9) == 35
    assert share_interval(35, 35)[0] >= 0.9 > share_interval(34, 34)[0]


def test_no_threshold_without_enough_answers_and_the_lowest_that_holds_with_them():
    assert selected_threshold([0.9] * 34, [True] * 34, 0.9) is None
    assert selected_threshold([0.9] * 35, [True] * 35, 0.9) == 0.9
    scores = [*np.linspace(1.0, 0.5, 60), *np.linspace(0.49, 0.1, 30)]
    right = [True] * 60 + [False] * 30
    found = selected_threshold(scores, right, 0.9)
    assert found is not None and 0.4 < found < 0.5


def test_the_promise_is_kept_in_nearly_all_draws():
    """Of many draws the share that is right above the threshold falls below the promise in one of twenty at most."""
    broken, without = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scores = rng.random(150)
        right = rng.random(150) < scores**0.3  # P(right) rises with the score
        threshold = selected_threshold(scores.tolist(), right.tolist(), 0.8)
        if threshold is None:
            without += 1
            continue
        above = np.linspace(threshold, 1, 2000)
        broken += (above**0.3).mean() < 0.8
    assert without < 20 and broken <= 10


def test_probabilities_are_calibrated_and_rise_with_what_tells():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((4000, 3))
    truth = rng.random(4000) < 1 / (1 + np.exp(-(2 * rows[:, 0] - 1 * rows[:, 1] + 0.5)))
    chances = logistic(rows, truth.tolist())(rows)
    for low in (0.1, 0.4, 0.7):
        here = (chances >= low) & (chances < low + 0.2)
        assert abs(chances[here].mean() - truth[here].mean()) < 0.06


def test_a_fit_of_what_can_be_parted_has_an_end():
    rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    chances = logistic(rows, [False, False, True, True])(rows)
    assert (np.diff(chances) > 0).all() and chances[0] < 0.5 < chances[-1] and np.isfinite(chances).all()
