"""Labels tried by a probe: folds that hold copies together, wrong labels among clear ones, and what gives a label away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn", reason="labels are judged with scikit-learn: pip install 'inloop[labels]'")
pytest.importorskip("cleanlab", reason="labels are judged with cleanlab: pip install 'inloop[labels]'")

from inloop.runtime.errors import BadInput
from inloop.tools.curation import FOLDS, doubted, folds_of, planted_labels, probed, told_by


def clouds(classes, each, size=16, seed=0):
    """Vectors around one centre a class, well apart."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(classes), each)
    return rng.standard_normal((classes, size))[y] * 2 + 0.5 * rng.standard_normal((len(y), size)), y


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 25)), min_size=1, max_size=120), st.integers(0, 5))
def test_copies_of_each_other_are_in_one_fold(rows, seed):
    """`rows`: class and neighbourhood of each picture."""
    labels, crowds = [label for label, _ in rows], [crowd for _, crowd in rows]
    different = [len({crowd for label, crowd in rows if label == each}) for each in set(labels)]
    if len(different) < 2 or min(different) < FOLDS:
        with pytest.raises(BadInput, match="give two classes or more"):
            folds_of(labels, crowds, seed=seed)
        return
    folds = folds_of(labels, crowds, seed=seed)
    assert set(folds.tolist()) <= set(range(FOLDS))
    assert all(
        len({int(fold) for fold, crowd in zip(folds, crowds, strict=True) if crowd == one}) == 1 for one in set(crowds)
    )


def test_wrong_labels_are_doubted_and_right_ones_are_not():
    vectors, y = clouds(4, 60)
    made = y.copy()
    made[::12] = (made[::12] + 1) % 4
    folds = folds_of(made.tolist(), range(len(y)))
    probabilities = probed(vectors, made.tolist(), folds, 4)
    found = doubted(made.tolist(), probabilities)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert found.wrong[made != y].mean() > 0.8 and found.wrong[made == y].mean() < 0.02
    assert (found.likely == y).all() and (found.trust[found.wrong] < 0.5).all()
    caught, others = planted_labels(vectors, y.tolist(), folds, 4)
    assert np.mean(caught) > 0.8 and np.mean(others) < 0.02 and len(caught) + len(others) == len(y)


def test_a_probe_learns_from_what_it_is_given_alone():
    vectors, y = clouds(3, 40)
    folds = folds_of(y.tolist(), range(len(y)))
    some = y != 2
    found = probed(vectors, y.tolist(), folds, 3, fitted_on=some)
    assert (found[:, 2] == 0).all() and (found[some].argmax(axis=1) == y[some]).all()
    one = probed(vectors, y.tolist(), folds, 3, fitted_on=y == 1)
    assert (one.argmax(axis=1) == 1).all()


def test_what_gives_a_label_away_is_told_from_what_does_not():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [300, 100])
    folds = folds_of(y.tolist(), range(len(y)))
    chance, clue = rng.random(len(y)), y + 0.2 * rng.random(len(y))
    assert np.mean(told_by(clue, y.tolist(), folds, 2)) == pytest.approx(1)
    assert 0.4 < np.mean(told_by(chance, y.tolist(), folds, 2)) < 0.6
    groups = np.where(rng.random(len(y)) < 0.9, y, 1 - y)
    assert 0.8 < np.mean(told_by(groups, y.tolist(), folds, 2, named=True)) < 1
