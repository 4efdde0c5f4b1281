"""Near copies among more rows than are compared all with all: borders, files, crowds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.tools.curation import RULES, cluster, clusters, found_border, lists, remove_copies, unit_rows


def pairs_of(count, seed=0, size=32, noise=0.02):
    """Rows and a copy of each, in random order; and which original each is of."""
    rng = np.random.default_rng(seed)
    originals = unit_rows(rng.standard_normal((count, size)))
    rows = unit_rows(np.concatenate([originals, originals + noise * rng.standard_normal(originals.shape)]))
    order = rng.permutation(2 * count)
    return rows[order], np.tile(np.arange(count), 2)[order]


@pytest.fixture
def small(monkeypatch):
    """More than 200 rows are compared in clusters and across their borders."""
    monkeypatch.setattr(clusters, "_WHOLE", 200)
    monkeypatch.setattr(lists, "_RUN", 20_000)


def left_over(removal, of):
    return int(removal.kept.sum()) - len(set(of.tolist()))


def test_copies_on_two_sides_of_a_border_meet(small):
    """Directions drawn at random: nothing that clusters part well."""
    vectors, of = pairs_of(1500, size=64, noise=0.06)
    alone = remove_copies(vectors, 0.8, clusters=cluster(vectors, 55))
    removal = remove_copies(vectors, 0.8)
    assert alone.border is None and left_over(alone, of) > 100
    assert removal.border.rows >= 20 and removal.border.margin > 0
    assert left_over(removal, of) < left_over(alone, of) / 4
    assert removal.border.recall_ci[0] <= 1 - left_over(removal, of) / 1500 + 0.02  # what is told of it is so
    for goes in np.flatnonzero(~removal.kept):
        assert of[removal.copy_of[goes]] == of[goes] and removal.kept[removal.copy_of[goes]]


def test_a_mapped_file_is_cleaned_as_the_rows_in_memory_are(small, tmp_path):
    vectors, _ = pairs_of(700)
    half = vectors.astype(np.float16)
    np.save(tmp_path / "vectors.npy", half)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    for rule in RULES:
        whole, read = remove_copies(half, 0.95, rule=rule), remove_copies(mapped, 0.95, rule=rule, scratch=tmp_path)
        assert (whole.kept == read.kept).all() and (whole.copy_of == read.copy_of).all(), rule
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.npy"]  # the temporary file is gone


def test_where_there_are_hardly_any_copies_the_margin_comes_from_planted_ones(small):
    vectors = unit_rows(np.random.default_rng(3).standard_normal((600, 24)))
    border = found_border(vectors, cluster(vectors, 25).centroids, 0.95)
    assert border.recall is None and border.rows == 0 and border.margin > 0
    removal = remove_copies(np.concatenate([vectors, vectors[:3]]), 0.95)
    assert removal.kept.sum() == 600


def test_a_crowd_of_one_row_is_left_once(small):
    vectors, _ = pairs_of(200)
    crowd = np.concatenate([vectors, np.repeat(vectors[:1], 3000, axis=0)])
    for rule in RULES:
        removal = remove_copies(crowd, 0.95, rule=rule)
        alone = remove_copies(vectors, 0.95, rule=rule)
        assert abs(int(removal.kept.sum()) - int(alone.kept.sum())) <= 4  # other clusters, other borders
        assert not removal.kept[400:].any() or not removal.kept[0]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.6, 0.9]), st.integers(2, 5))
def test_rounds_keep_what_a_walk_keeps(seed, threshold, size):
    rng = np.random.default_rng(seed)
    vectors = unit_rows(rng.standard_normal((60, size)))
    cosines = vectors @ vectors.T
    if (np.abs(cosines - threshold) < 1e-5).any():
        return
    priority = rng.permutation(60).astype(float)
    walked: list[int] = []
    for row in np.argsort(-priority):
        if not any(cosines[row, other] > threshold for other in walked):
            walked.append(int(row))
    assert np.flatnonzero(remove_copies(vectors, threshold, priority=priority).kept).tolist() == sorted(walked)
