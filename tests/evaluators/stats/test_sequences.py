"""Evidence by betting: valid at every look, of any order, and as strong as it can be for few pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.evaluators.stats import confidence_sequence, evidence, evidence_needed
from inloop.runtime.errors import BadInput

GAINS = st.lists(st.floats(-1, 1), max_size=30)


@given(GAINS)
def test_the_order_of_the_pairs_is_all_one(gains):
    assert evidence(gains) == pytest.approx(evidence(gains[::-1]), rel=1e-9)
    assert evidence([*gains, None]) == pytest.approx(evidence(gains), rel=1e-9)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), max_size=10), st.sampled_from([0.25, 0.5, 1.0]))
def test_one_more_fair_pair_leaves_the_expected_evidence_as_it_is(gains, size):
    now = evidence(gains)
    assert (evidence([*gains, size]) + evidence([*gains, -size])) / 2 == pytest.approx(now, rel=1e-9)


@given(GAINS)
def test_the_interval_holds_the_mean_and_narrows_with_level(gains):
    low, high = confidence_sequence(gains)
    assert -1 <= low <= high <= 1
    if gains:
        assert low - 1e-6 <= float(np.mean(gains)) <= high + 1e-6
    wide = confidence_sequence(gains, level=0.99)
    assert wide[0] <= low + 1e-9 and high <= wide[1] + 1e-9


@given(GAINS)
def test_the_interval_is_above_zero_where_the_evidence_is_enough_for_both_sides(gains):
    assert (confidence_sequence(gains)[0] > 1e-9) == (evidence(gains, above=1e-9) >= 40) or math.isclose(
        evidence(gains), 40, rel_tol=1e-4
    )


def test_known_values():
    assert evidence([]) == 1.0 and confidence_sequence([]) == (-1.0, 1.0)
    stakes = np.arange(0.05, 1.0, 0.05)
    assert evidence([1.0] * 5) == pytest.approx(float(((1 + stakes) ** 5).mean()))
    assert evidence([1.0] * 6) < 20 < evidence([1.0] * 7) < 40 < evidence([1.0] * 8)
    assert evidence([-1.0] * 8) < 0.2
    low, high = confidence_sequence([0.5] * 200)
    assert 0.35 < low < 0.5 < high < 0.65


def test_looking_after_each_pair_is_no_false_gain_in_more_than_the_level():
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 5, size=(2000, 2, 40)) / 4
    gains = pairs[:, 0] - pairs[:, 1]
    false = sum(max(evidence(row[:seen]) for seen in range(1, 41)) >= 20 for row in gains)
    assert 0 < false <= 0.05 * 2000


def test_each_further_text_needs_more():
    assert evidence_needed() == 20 and evidence_needed(3, of=4) == 80
    needed = [evidence_needed(place, of=None) for place in range(1, 200)]
    assert needed[:3] == pytest.approx([40, 120, 240]) and sum(1 / each for each in needed) < 0.05


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: evidence([0.2, 1.5]), r"a gain of .*1\.5"),
        (lambda: evidence([float("nan")]), "a gain of .*nan"),
        (lambda: confidence_sequence([0.1], level=1), "level=1"),
        (lambda: evidence_needed(0), "place=0"),
        (lambda: evidence_needed(3, of=2), "place=3 of 2"),
    ],
)
def test_what_cannot_be_bet_on_is_named(call, reason):
    with pytest.raises(BadInput, match=reason):
        call()
