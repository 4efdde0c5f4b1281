"""Rows that are like examples, drawn evenly, or chosen to stand for all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.runtime.errors import BadInput
from inloop.tools.curation import (
    balanced,
    by_clusters,
    by_samples,
    coverage,
    farthest_first,
    graph_selection,
    hierarchy,
    neighbours,
    unit_rows,
)
from inloop.tools.curation.balance import shares


def scattered(seed, count=40, size=8):
    return unit_rows(np.random.default_rng(seed).standard_normal((count, size)))


def crowded(seed, sizes, noise=0.1, size=24):
    rng = np.random.default_rng(seed)
    centres = unit_rows(rng.standard_normal((len(sizes), size)))
    of = np.repeat(np.arange(len(sizes)), sizes)
    return unit_rows(centres[of] + noise * rng.standard_normal((len(of), size))), of


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_as_many_are_chosen_as_were_asked_for_and_none_twice(seed, count):
    vectors = scattered(seed)
    for chosen in (graph_selection(vectors, count), farthest_first(vectors, count), balanced(hierarchy(vectors, [8, 3]), count)):  # fmt: skip
        assert len(chosen) == len(set(chosen.tolist())) == count
    assert coverage(vectors, graph_selection(vectors, 40)).min() > 1 - 1e-5


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.data())
def test_shares_are_even_as_far_as_there_is_enough(sizes, data):
    count = data.draw(st.integers(1, sum(sizes)))
    given_ = shares(sizes, count)
    assert sum(given_) == count and all(part <= size for part, size in zip(given_, sizes, strict=True))
    short = [part for part, size in zip(given_, sizes, strict=True) if part < size]
    assert not short or max(given_) <= min(short) + 1  # nobody has two more than one who could have had more


def test_the_graph_selection_takes_the_most_connected_and_leaves_what_is_served():
    """By hand: a star of five, a pair, and one alone; k = 1 joins each with its nearest."""
    angles = np.radians([0, 3, -4, 5, -6, 90, 91, 200])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    near = neighbours(vectors, 1)[:, 0].tolist()
    assert near == [1, 3, 4, 1, 2, 6, 5, 6]
    # joined: 0-1, 1-3, 2-4, 5-6, 6-7: 1 and 6 have two neighbours, then 2 and 4 have one, each the other
    assert graph_selection(vectors, 3, k=1).tolist() == [1, 6, 2]


def test_the_chosen_cover_more_than_random_ones():
    vectors, _ = crowded(4, [10] * 20, noise=0.15)
    rng = np.random.default_rng(0)
    random = [coverage(vectors, rng.choice(200, 20, replace=False)).mean() for _ in range(50)]
    assert coverage(vectors, graph_selection(vectors, 20)).mean() > max(random)


def test_rare_kinds_are_drawn_as_often_as_common_ones():
    vectors, of = crowded(2, [400, 300, 40, 30], noise=0.05)
    drawn = balanced(hierarchy(vectors, [40, 4]), 80)
    counts = np.bincount(of[drawn], minlength=4)
    assert counts.min() >= 15  # of a random draw the rarest has three


def test_clusters_find_more_of_what_is_like_the_examples_than_samples():
    vectors, of = crowded(5, [75] * 4 + [75] * 36, noise=0.12, size=64)
    relevant = of < 4
    rng = np.random.default_rng(1)
    examples = unit_rows(vectors[np.flatnonzero(relevant)[rng.choice(300, 60, replace=False)]] + 0.02 * rng.standard_normal((60, 64)))  # fmt: skip
    near, parts = by_samples(vectors, examples), by_clusters(vectors, examples)
    assert relevant[near].mean() > 0.95 and relevant[parts].mean() > 0.95
    assert relevant[parts].sum() > 1.5 * relevant[near].sum()


@pytest.mark.parametrize("seed", range(6))
def test_most_of_several_clusterings_are_right_where_one_is_not(seed):
    """Forty kinds of 75 rows, four of them wanted: one clustering joins two kinds or misses one in some of these draws."""
    vectors, of = crowded(100 + seed, [75] * 40, noise=0.14, size=64)
    relevant = of < 4
    rng = np.random.default_rng(seed)
    centres = np.stack([vectors[of == kind].mean(axis=0) for kind in range(4)])
    examples = unit_rows(unit_rows(centres)[rng.integers(4, size=60)] + 0.14 * rng.standard_normal((60, 64)))
    found = by_clusters(vectors, examples)
    assert relevant[found].mean() > 0.97 and relevant[found].sum() > 0.92 * 300


def test_no_cluster_that_is_hit_too_seldom_is_taken():
    vectors, _ = crowded(6, [30, 30])
    assert len(by_clusters(vectors, vectors[:2], clusters=2, hits=3)) == 0
    assert by_clusters(vectors, vectors[:4], clusters=2, hits=3).tolist() == list(range(30))
    assert len(by_clusters(vectors, vectors[:4], clusters=2, hits=3, most=10)) == 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: graph_selection(np.eye(3), 4), "4 of 3 rows: give 1 to 3"),
        (lambda: farthest_first(np.eye(3), 0), "0 of 3 rows"),
        (lambda: neighbours(np.eye(3), 3), "3 neighbours of 3 rows"),
        (lambda: balanced(hierarchy(np.eye(3), [2]), 9), "9 of 3 rows"),
        (lambda: hierarchy(np.eye(3), [2, 2]), "falling numbers"),
        (lambda: by_samples(np.eye(3), np.eye(3), each=4), "give 1 to 3"),
        (lambda: by_clusters(np.eye(3), np.eye(3)[:0]), "no examples"),
        (lambda: by_clusters(np.eye(3), np.eye(3), votes=0), "votes=0"),
    ],
)
def test_bad_input_says_what_to_give(call, message):
    with pytest.raises(BadInput, match=message):
        call()
