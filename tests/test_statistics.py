"""Means and intervals: unscored items are counted and left out, the same input gives the same interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.evaluators.statistics import Estimate, estimate, mean, paired_gain
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
