"""Near copies of vectors: what each rule promises, whatever the vectors are."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inloop.runtime.errors import BadInput
from inloop.tools.curation import (
    KEEPS,
    RULES,
    cluster,
    components,
    fair_removal,
    group_similarities,
    membership,
    near_pairs,
    nearest,
    remove_copies,
    unit_rows,
)

SLACK = 1e-5  # of a cosine in float32


@st.composite
def tables(draw):
    """Vectors with near copies among them, in few dimensions, so that neighbourhoods overlap."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    originals = rng.standard_normal((draw(st.integers(1, 25)), draw(st.integers(2, 6))))
    copies = originals[rng.integers(len(originals), size=draw(st.integers(0, 25)))]
    copies = copies + draw(st.sampled_from([0.0, 0.03, 0.3])) * rng.standard_normal(copies.shape)
    return unit_rows(np.concatenate([originals, copies]))


THRESHOLDS = st.sampled_from([0.5, 0.9, 0.97])


def safe(vectors, threshold):
    """Whether no cosine is so near to the threshold that rounding decides."""
    return (np.abs(vectors @ vectors.T - threshold) > SLACK).all()


@settings(deadline=None, max_examples=60)
@given(tables(), THRESHOLDS, st.sampled_from(KEEPS))
def test_greedy_covers_each_that_goes_by_one_that_stays(vectors, threshold, keep):
    removal = remove_copies(vectors, threshold, rule="greedy", priority=keep)
    gone = np.flatnonzero(~removal.kept)
    assert removal.kept.any() and removal.kept[removal.copy_of[gone]].all()
    cosines = np.einsum("ij,ij->i", vectors[gone], vectors[removal.copy_of[gone]])
    assert (cosines > threshold - SLACK).all() and np.allclose(cosines, removal.similarity[gone], atol=SLACK)
    kept = vectors[removal.kept]
    assert (np.triu(kept @ kept.T, 1) <= threshold + SLACK).all()


@settings(deadline=None, max_examples=60)
@given(tables(), THRESHOLDS)
def test_components_keep_no_two_that_are_similar_and_one_of_each(vectors, threshold):
    removal = remove_copies(vectors, threshold, rule="components")
    kept = vectors[removal.kept]
    assert (np.triu(kept @ kept.T, 1) <= threshold + SLACK).all()
    labels = components(vectors, threshold)
    assert sorted(labels[removal.kept]) == sorted(set(labels))
    assert (labels <= np.arange(len(vectors))).all() and (labels[labels] == labels).all()


@settings(deadline=None, max_examples=60)
@given(tables(), THRESHOLDS)
def test_released_is_the_released_code(vectors, threshold):
    """`triu(S, 1).max(0) > 1 - eps` over rows in their order, as `semdedup.py` has it."""
    order = np.linspace(1, 0, len(vectors))
    removal = remove_copies(vectors, threshold, rule="released", priority=order)
    similarity = np.triu(vectors @ vectors.T, 1).max(axis=0)
    if safe(vectors, threshold):
        assert (removal.kept == ~(similarity > threshold)).all()


@settings(deadline=None, max_examples=40)
@given(tables(), THRESHOLDS, st.integers(0, 99))
def test_the_order_of_rows_is_nothing_where_priorities_say_who_stays(vectors, threshold, seed):
    order = np.random.default_rng(seed).permutation(len(vectors))
    priority = np.random.default_rng(seed + 1).permutation(len(vectors)).astype(float)
    if not safe(vectors, threshold):
        return
    for rule in RULES:
        straight = remove_copies(vectors, threshold, rule=rule, priority=priority)
        mixed = remove_copies(vectors[order], threshold, rule=rule, priority=priority[order])
        assert (mixed.kept == straight.kept[order]).all(), rule
    assert len(set(components(vectors, threshold))) == len(set(components(vectors[order], threshold)))


@settings(deadline=None, max_examples=30)
@given(tables(), st.sampled_from(RULES))
def test_a_threshold_above_all_similarities_removes_nothing(vectors, rule):
    assert remove_copies(vectors, 1.01, rule=rule).kept.all()


@settings(deadline=None, max_examples=30)
@given(tables(), THRESHOLDS)
def test_rules_are_nested(vectors, threshold):
    """In one order: what components keep, released keeps; what released keeps, greedy keeps."""
    order = np.linspace(1, 0, len(vectors))
    kept = {rule: remove_copies(vectors, threshold, rule=rule, priority=order).kept for rule in RULES}
    if safe(vectors, threshold):
        assert (kept["components"] <= kept["released"]).all() and (kept["released"] <= kept["greedy"]).all()


def test_a_chain_is_where_the_rules_differ():
    angles = np.radians([0, 20, 40, 60])
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    order = np.array([4.0, 3, 2, 1])
    kept = {
        rule: remove_copies(chain, np.cos(np.radians(25)), rule=rule, priority=order).kept.tolist() for rule in RULES
    }
    assert kept["greedy"] == [True, False, True, False]
    assert kept["released"] == kept["components"] == [True, False, False, False]
    released = remove_copies(chain, np.cos(np.radians(25)), rule="released", priority=order)
    assert released.copy_of.tolist() == [-1, 0, -1, -1]  # the last two are like nothing that stays


def test_blocks_and_half_precision_give_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    originals = rng.standard_normal((60, 16))
    vectors = unit_rows(np.concatenate([originals, originals + 0.01 * rng.standard_normal(originals.shape)]))
    order = np.linspace(1, 0, len(vectors))  # copies are as far from the centroid as their originals
    whole = {rule: remove_copies(vectors, 0.95, rule=rule, priority=order).kept for rule in RULES}
    for module in ("near_copies", "clusters"):
        monkeypatch.setattr(f"inloop.tools.curation.{module}.BLOCK", 7)
    for rule in RULES:
        assert (remove_copies(vectors, 0.95, rule=rule, priority=order).kept == whole[rule]).all()
        half = remove_copies(vectors.astype(np.float16), 0.95, rule=rule, priority=order)
        assert (half.kept == whole[rule]).all()
    assert all(kept.sum() == 60 for kept in whole.values())


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables(), st.integers(1, 6), st.sampled_from([-1.0, 0.5]))
def test_near_pairs_are_the_nearest_of_each_once(monkeypatch, vectors, k, floor):
    monkeypatch.setattr("inloop.tools.curation.clusters.BLOCK", 5)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    pairs = near_pairs(vectors, k=k, floor=floor)
    assert (pairs.rows[:, 0] < pairs.rows[:, 1]).all()
    assert [tuple(row) for row in pairs.rows.tolist()] == sorted({tuple(row) for row in pairs.rows.tolist()})
    assert np.allclose(pairs.scores, cosines[pairs.rows[:, 0], pairs.rows[:, 1]], atol=SLACK)
    there = {tuple(row) for row in pairs.rows.tolist()}
    for row in range(len(vectors)):
        least = np.sort(cosines[row])[::-1][min(k, len(vectors) - 1) - 1] if len(vectors) > 1 else np.inf
        for other in np.flatnonzero(cosines[row] > max(least, floor) + SLACK).tolist():
            assert (min(row, other), max(row, other)) in there


def test_clusters_are_those_that_were_planted():
    rng = np.random.default_rng(0)
    centres = unit_rows(rng.standard_normal((5, 32)))
    truth = rng.integers(5, size=400)
    vectors = unit_rows(centres[truth] + 0.05 * rng.standard_normal((400, 32)))
    parts = cluster(vectors, 5)
    assert len({(a, b) for a, b in zip(truth.tolist(), parts.assigned.tolist(), strict=True)}) == 5
    assert sorted(np.concatenate(parts.members()).tolist()) == list(range(400))
    removal = remove_copies(vectors, 0.75, clusters=parts)
    assert removal.kept.sum() == 5 and (truth[removal.copy_of[~removal.kept]] == truth[~removal.kept]).all()


def test_clusters_without_rows_of_their_own():
    vectors = unit_rows(np.tile([1.0, 0.0], (6, 1)))
    parts = cluster(vectors, 3)
    assert len(np.concatenate(parts.members())) == 6 and np.isfinite(parts.centroids).all()


@settings(deadline=None, max_examples=30)
@given(tables(), THRESHOLDS, st.sampled_from(["matched", "fairdedup"]))
def test_of_each_neighbourhood_one_stays_for_a_group(vectors, threshold, choice):
    similarities = group_similarities(vectors, np.eye(vectors.shape[1])[:2])
    labels = components(vectors, threshold)
    removal = fair_removal(vectors, labels, similarities, choice)
    assert sorted(labels[removal.kept]) == sorted(set(labels))
    gone = ~removal.kept
    assert (labels[removal.copy_of[gone]] == labels[gone]).all()


def test_groups_are_read_within_neighbourhoods_where_over_all_rows_they_are_not():
    """Levels of scenes differ by ten times what the groups do; 15 % are of the first group."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(300), rng.integers(1, 7, size=300))
    first = rng.random(len(labels)) < 0.15
    lead = 10 * rng.standard_normal(300)[labels] + 3.0 * first + rng.standard_normal(len(labels))
    found = membership(np.stack([lead, -lead], axis=1), labels)
    alone = np.bincount(labels)[labels] == 1
    assert ((found[~alone, 0] > 0.5) == first[~alone]).mean() > 0.92
    assert abs(found[:, 0].mean() - first.mean()) < 0.03 and np.allclose(found.sum(axis=1), 1)
    assert found[alone, 0].max() < 0.6  # of one that stands alone nothing is known


def test_of_three_groups_each_is_told_from_the_others():
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(200), 4)
    of = rng.integers(3, size=800)
    similarities = 5 * rng.standard_normal((200, 3))[labels] + 4 * np.eye(3)[of] + 0.5 * rng.standard_normal((800, 3))
    found = membership(similarities, labels)
    assert (found.argmax(axis=1) == of).mean() > 0.9


def test_copies_that_are_all_alike_tell_no_group():
    labels = np.repeat(np.arange(30), 3)
    assert (membership(np.ones((90, 2)), labels) == 0.5).all()
    assert (membership(np.random.default_rng(0).random((15, 2)), labels[:15]) == 0.5).all()  # five neighbourhoods
    priority = np.random.default_rng(1).random(90)
    kept = fair_removal(np.ones((90, 2)), labels, np.ones((90, 2)), priority=priority).kept
    assert (priority[kept] == priority.reshape(30, 3).max(axis=1)).all()


def test_shares_stay_as_they_were_where_the_encoder_knows_the_groups():
    """A minority of 15 % in mixed neighbourhoods: farthest from the centroid, it is what SemDeDup keeps, and its share trebles."""
    rng = np.random.default_rng(1)
    axis = np.eye(32)[0]
    rows, group = [], []
    for _ in range(300):
        centre = np.concatenate([[0.0], unit_rows(rng.standard_normal((1, 31)))[0]])
        minority = rng.random(int(rng.integers(2, 8))) < 0.15
        noise = 0.15 * unit_rows(rng.standard_normal((len(minority), 32)))
        rows.append(centre + noise + 0.15 * np.where(minority, 1, -1)[:, None] * axis)
        group.append(minority)
    vectors, minority = unit_rows(np.concatenate(rows)), np.concatenate(group)
    labels = components(vectors, 0.88)
    similarities = group_similarities(vectors, np.stack([axis, -axis]))
    share = {
        "semdedup": minority[remove_copies(vectors, 0.88, rule="components").kept].mean(),
        **{name: minority[fair_removal(vectors, labels, similarities, name).kept].mean() for name in ("matched", "fairdedup")},
    }  # fmt: skip
    before = minority.mean()
    assert abs(share["matched"] - before) < 0.02 < abs(share["fairdedup"] - before) < abs(share["semdedup"] - before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: unit_rows([[1.0, 0.0], [0.0, 0.0]]), "row 1 is all zeros"),
        (lambda: unit_rows([[np.nan, 1.0]]), "row 0 is all zeros or not finite"),
        (lambda: unit_rows([]), "a vector a row"),
        (lambda: remove_copies(np.eye(2), 1.5), "threshold=1.5 is no cosine"),
        (lambda: remove_copies(np.eye(2), 0.5, priority=np.zeros(3)), "give one a row"),
        (lambda: cluster(np.eye(2), 3), "give 1 to 2"),
        (lambda: nearest(np.eye(2), np.eye(0, 2)), "nothing to compare with"),
        (lambda: fair_removal(np.eye(2), np.arange(2), np.zeros((2, 1))), "two groups or more"),
        (lambda: fair_removal(np.eye(2), np.arange(3), np.zeros((2, 2))), "give one each a row"),
    ],
)
def test_bad_input_says_what_to_give(call, message):
    with pytest.raises(BadInput, match=message):
        call()
