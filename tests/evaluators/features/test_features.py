"""Probes, neighbours, few examples and names of classes: on features whose accuracy is known, and what is refused."""

from math import erf, sqrt

import numpy as np
import pytest

from inloop.evaluators.features import chosen_penalty, k_shot, knn, linear_probe, probes, ranking, zero_shot
from inloop.evaluators.features.softmax_regression import fits
from inloop.runtime.errors import BadInput

AXES = np.eye(2)


def clouds(count, seed, *, classes=4, width=16, noise=0.3):
    """(n, width) around one unit vector a class, and the words of the classes; the same centres for every seed."""
    centres = np.linalg.qr(np.random.default_rng(99).normal(size=(width, width)))[0][:classes]
    rng = np.random.default_rng(seed)
    numbers = np.arange(count) % classes
    return centres[numbers] + rng.normal(0, noise, (count, width)), np.array([f"class {n}" for n in numbers])


def two_sides(count, seed, *, gap=1.0):
    """Two classes on either side of the diagonal: the nearest of two axes is right with probability Phi(gap)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, count)
    across = np.where(truth == 0, 1, -1) * gap + rng.normal(size=count)
    along = 50 + np.zeros(count)
    return np.stack([along + across, along - across], axis=1), truth


def test_clouds_that_lie_apart_are_told_apart_by_each():
    x, y = clouds(80, 0, noise=0.05)
    at, truth = clouds(40, 1, noise=0.05)
    probe = linear_probe(x, y, at, truth)
    for reading in (probe.reading, knn(x, y, at, truth), k_shot(x, y, at, truth, k=2).reading):
        assert reading.accuracy.value == 1.0 and reading.mean_per_class == 1.0 and reading.accuracy.n == 40
    assert probe.converged and probe.penalty.strength in probe.penalty.validation


def test_labels_at_random_are_answered_by_chance():
    x, _ = clouds(400, 0)
    at, _ = clouds(400, 1)
    rng = np.random.default_rng(2)
    y, truth = rng.integers(0, 4, 400), rng.integers(0, 4, 400)
    for reading in (
        linear_probe(x, y, at, truth).reading,
        knn(x, y, at, truth),
        k_shot(x, y, at, truth, k=5).reading,
    ):
        assert abs(reading.accuracy.value - 0.25) < 0.1


def test_the_penalty_is_chosen_on_validation_and_never_by_the_test_pictures():
    x, y = clouds(120, 0, noise=0.6)
    at, truth = clouds(60, 1, noise=0.6)
    one, other = linear_probe(x, y, at, truth), linear_probe(x, y, at, np.roll(truth, 1))
    assert one.penalty == other.penalty
    assert one.penalty.validation[one.penalty.strength] == max(one.penalty.validation.values())
    assert one.reading.accuracy.value > other.reading.accuracy.value
    assert linear_probe(x, y, at, truth, strengths=(1000.0, 100.0)).penalty.at_edge


@pytest.mark.parametrize("narrow", [1.0, 0.01])
@pytest.mark.parametrize("width", [16, 300])
def test_a_fit_is_that_of_scikit_learn(width, narrow):
    """Also where nearly all of a vector is what all share, as with features of encoders, and where it has more numbers than there are pictures."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn: pip install 'inloop[students]'")
    x, y = clouds(200, 0, width=width, noise=0.5)
    x = np.linspace(1, 2, width) + narrow * x
    at = np.linspace(1, 2, width) + narrow * clouds(100, 1, width=width, noise=0.5)[0]
    numbers = np.unique(y, return_inverse=True)[1]
    ours = {fit.penalty: fit for fit in fits(x, numbers, (1e-3, 1.0, 100.0))}
    for penalty, fit in ours.items():
        known = linear_model.LogisticRegression(C=1 / penalty, max_iter=100_000, tol=1e-8).fit(x, numbers)

        def objective(weights, intercept, penalty=penalty):
            scores = x @ weights + intercept
            logs = scores - np.log(np.exp(scores - scores.max(axis=1)[:, None]).sum(axis=1))[:, None]
            logs -= scores.max(axis=1)[:, None]
            return 0.5 * penalty * (weights**2).sum() - logs[np.arange(len(x)), numbers].sum()

        least = objective(known.coef_.T, known.intercept_)
        assert fit.converged and objective(fit.weights, fit.intercept) < least + 0.002 * len(x)
        if penalty >= 1:  # with hardly any, and fewer pictures than numbers, much is as good as the best
            assert (fit.answers(at) == known.predict(at)).mean() >= 0.95
    assert len(ours) == 3


def test_one_fit_is_asked_about_any_number_of_sets():
    x, y = clouds(120, 0, noise=0.6)
    tests = {"near": clouds(60, 1, noise=0.6), "far": clouds(40, 2, noise=1.5)}
    penalties = [chosen_penalty(x, y, seed=seed) for seed in (0, 1)]
    first, second = probes(x, y, tests, penalties)
    alone = linear_probe(x, y, *tests["far"], seed=0)
    assert first["far"].reading.accuracy.n == 40 and first["near"].penalty == penalties[0]
    assert abs(alone.reading.accuracy.value - first["far"].reading.accuracy.value) <= 0.05
    assert second["near"].penalty == penalties[1]
    with pytest.raises(BadInput, match="'class 9'"):
        probes(x, y, {"other": (tests["far"][0], np.full(40, "class 9"))}, penalties)


def test_neighbours_are_weighed_by_their_nearness():
    x = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    y = np.array(["near", "far", "far"])
    at, truth = np.array([[1.0, 0.1]]), np.array(["near"])
    assert knn(x, y, at, truth, k=3).accuracy.value == 1.0
    assert knn(x, y, at, truth, k=3, temperature=1000.0).accuracy.value == 0.0  # all weigh the same: two against one
    assert knn(x, y, at, truth, k=1).accuracy.value == 1.0


def test_draws_of_the_examples_differ_and_their_spread_shrinks_with_more_examples():
    x, y = clouds(400, 0, noise=0.6)
    at, truth = clouds(400, 1, noise=0.6)
    one, many = k_shot(x, y, at, truth, k=1, draws=30), k_shot(x, y, at, truth, k=50, draws=30)
    assert len(set(one.draws)) > 1 and many.spread < one.spread
    assert one.reading.accuracy.value == pytest.approx(np.mean(one.draws))
    assert k_shot(x, y, at, truth, k=1, draws=1).spread is None
    assert one == k_shot(x, y, at, truth, k=1, draws=30)


def test_the_worst_class_is_named():
    names = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    rows, labels = names[[0, 0, 1, 1, 2, 0]], np.array(["a", "a", "b", "b", "c", "c"])
    reading = zero_shot(rows, labels, ["a", "b", "c"], names)
    assert reading.worst == ("c", 0.5) and reading.correct == (1, 1, 1, 1, 1, 0)
    assert reading.mean_per_class == pytest.approx(2.5 / 3)


def test_intervals_hold_the_known_accuracy_in_95_of_100_sets():
    """Coverage of 95 % gives a share of 200 sets within .035 of it in 97 of 100 draws; the sets are the same each time."""
    truth = (1 + erf(1 / sqrt(2))) / 2
    inside = 0
    for seed in range(200):
        low, high = zero_shot(*two_sides(200, seed), [0, 1], AXES).accuracy.ci
        inside += low <= truth <= high
    assert abs(inside / 200 - 0.95) <= 0.035


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: (x[:0], y[:0]), "train: features of shape"),
        (lambda x, y: (x, y[:-1]), "train: features of shape"),
        (lambda x, y: (x * np.where(np.arange(len(x)) == 3, np.nan, 1)[:, None], y), "row 3"),
        (lambda x, y: (x * (np.arange(len(x)) != 3)[:, None], y), "row 3"),
        (lambda x, y: (x, np.full(len(y), "class 0")), "only class"),
        (lambda x, y: (x[:, :-1], y), "of one encoder"),
        (lambda x, y: (x[y != "class 1"], y[y != "class 1"]), "'class 1'"),
    ],
)
def test_what_does_not_fit_is_refused_by_each(change, words):
    x, y = change(*clouds(40, 0))
    at, truth = clouds(20, 1)
    for ask in (linear_probe, knn, lambda *given: k_shot(*given, k=1)):
        with pytest.raises(BadInput, match=words):
            ask(x, y, at, truth)


def test_too_few_examples_and_names_that_do_not_fit_are_refused():
    x, y = clouds(9, 0)  # two pictures of each class, three of the first
    at, truth = clouds(8, 1)
    with pytest.raises(BadInput, match=r"class 1.*has 2 pictures.*k=3"):
        k_shot(x, y, at, truth, k=3)
    with pytest.raises(BadInput, match=r"class 3.*has one picture"):
        linear_probe(x[:7], y[:7], at[:3], truth[:3])
    with pytest.raises(BadInput, match="'class 3' has no name"):
        zero_shot(at, truth, ["class 0", "class 1", "class 2"], at[:3])
    with pytest.raises(BadInput, match="given twice"):
        zero_shot(at, truth, ["class 0", "class 0"], at[:2])
    with pytest.raises(BadInput, match="strengths"):
        linear_probe(x, y, at, truth, strengths=(0.0,))


def test_a_ranking_tells_a_real_difference_from_luck():
    rng = np.random.default_rng(5)
    good = (rng.random(400) < 0.9).astype(float)
    twin = good.copy()
    places = np.concatenate([np.flatnonzero(good == 1)[:3], np.flatnonzero(good == 0)[:3]])
    twin[places] = 1 - twin[places]  # three better, three worse
    bad = (rng.random(400) < 0.6).astype(float)
    made = ranking({"bad": bad.tolist(), "good": good.tolist(), "twin": twin.tolist()})
    differs = {(pair.one, pair.other): pair.differs for pair in made.pairs}
    assert differs == {("bad", "good"): True, ("bad", "twin"): True, ("good", "twin"): False}
    assert made.order[-1] == "bad" and made.first["bad"] == 0 and sum(made.first.values()) == pytest.approx(1)
    same = ranking({"one": good.tolist(), "other": good.tolist()})
    assert same.first == {"one": 0.5, "other": 0.5} and not same.pairs[0].differs
    with pytest.raises(BadInput, match="same test pictures"):
        ranking({"one": [1.0], "other": [1.0, 0.0]})
    with pytest.raises(BadInput, match="same test pictures"):
        ranking({})
