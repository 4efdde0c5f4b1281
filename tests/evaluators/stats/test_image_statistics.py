"""FID, KID, precision and recall: known values, and what they must tell apart."""

import numpy as np
import pytest

from inloop.evaluators.stats.image_statistics import compare_sets, fid, kid, precision_recall, set_statistics
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedEmbedder
from inloop.runtime.records import BlobRef


def normal(count, seed, *, shift=0.0, spread=1.0, width=4):
    return np.random.default_rng(seed).normal(shift, spread, size=(count, width))


def test_fid_is_the_distance_of_the_fitted_normal_distributions():
    one, other = normal(20_000, 0), normal(20_000, 1, shift=0.5, spread=2.0)
    # 4 dimensions, independent: 4 x (0.5^2 + (2 - 1)^2)
    assert fid(one, other) == pytest.approx(4 * (0.25 + 1), rel=0.03)
    assert fid(one, one) == pytest.approx(0, abs=1e-9) and fid(one, other) == pytest.approx(fid(other, one))


def test_kid_is_0_for_sets_that_are_alike_and_above_for_others():
    value, error = kid(normal(800, 0), normal(800, 1), size=200)
    assert abs(value) < 5 * error + 0.01
    assert kid(normal(800, 0), normal(800, 1, shift=0.5), size=200)[0] > 0.05


def test_precision_and_recall_say_which_side_is_missing():
    reference = normal(600, 0)
    narrow, wide = normal(600, 1, spread=0.3), normal(600, 2, spread=3.0)
    precision, recall = precision_recall(narrow, reference)
    assert precision > 0.95 and recall < 0.4, "alike pictures: all real, little covered"
    precision, recall = precision_recall(wide, reference)
    assert precision < 0.6 and recall > 0.8
    assert precision_recall(reference, reference) == (1, 1)


async def test_over_any_encoder_and_a_picture_that_fails_is_counted():
    class Failing(ScriptedEmbedder):
        async def images(self, images):
            if any(image.bytes == 7 for image in images):
                raise CallFailed("broken")
            return await super().images(images)

    blobs = [BlobRef(sha256=f"{n:064x}", media_type="image/png", bytes=7 if n == 3 else 1) for n in range(40)]
    made = await compare_sets(blobs[:20], blobs[20:], Failing())
    assert (made.n, made.n_reference, made.unread) == (19, 20, 1) and made.encoder == "fake-embedder (fake)"
    assert "read KID" in made.notes[0] and 0 <= made.precision <= 1 and 0 <= made.recall <= 1
    same = await compare_sets(blobs[20:], blobs[20:], ScriptedEmbedder())
    assert same.fid == pytest.approx(0, abs=1e-6) and (same.precision, same.recall) == (1, 1)


def test_features_that_do_not_fit_are_named():
    with pytest.raises(BadInput, match=r"the reference have the shape \(3, 4\)"):
        set_statistics(normal(10, 0), normal(3, 0))
    with pytest.raises(BadInput, match="4 and 5 wide"):
        set_statistics(normal(10, 0), normal(10, 0, width=5))
    with pytest.raises(BadInput, match="finite"):
        set_statistics(normal(10, 0) * np.nan, normal(10, 0))
