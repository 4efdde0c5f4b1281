"""When a gain is called a gain, and of how few items nothing can be said."""

import numpy as np
import pytest

from inloop.evaluators.stats import FEWEST, estimate, verdict_of


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([1.0, 1.0], "too few"),
        ([1.0] * 5, "too few"),
        ([1.0] * 5 + [None] * 9, "too few"),
        ([1.0] * 6, "gain"),
        ([-1.0] * 6, "loss"),
        ([1.0] * 5 + [-1.0], "unclear"),
        ([0.0] * 8, "unclear"),
        ([0.33, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "unclear"),
        ([1.0, 0.5] * 8, "gain"),
        ([], "too few"),
    ],
)
def test_a_gain_is_called_one_only_by_more_than_luck(gains, verdict):
    assert verdict_of(gains) == verdict


def test_luck_alone_makes_a_gain_in_no_more_than_one_of_twenty():
    rng = np.random.default_rng(4)
    for count in (6, 8, 12, 20):
        called = [verdict_of(list(rng.choice((-1.0, 1.0), size=count))) for _ in range(400)]
        assert sum(each in ("gain", "loss") for each in called) / 400 < 0.08


@pytest.mark.parametrize("count", range(1, FEWEST))
def test_a_few_equal_values_are_no_interval_of_width_0(count):
    assert estimate([100.0] * count).ci is None and estimate([100.0] * count).value == 100.0
