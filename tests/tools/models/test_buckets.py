"""Batches by length: every sequence once, of a shape that its own length decides, and little of it padding."""

import random

import pytest

from inloop.tools.models import buckets


def shapes(lengths, **options):
    """By place the length and the rows of the batch that a sequence is in."""
    return {place: (bucket.length, bucket.rows) for bucket in buckets(lengths, **options) for place in bucket.places}


@pytest.mark.parametrize("batch", [1, 8, 64])
def test_a_shape_is_a_sequences_own(batch):
    rng = random.Random(0)
    lengths = [rng.randint(0, 250) for _ in range(300)]
    together = shapes(lengths, most=250, batch=batch)
    assert sorted(together) == list(range(300))
    assert all(together[place] == shapes([lengths[place]], most=250, batch=batch)[0] for place in range(300))
    for bucket in buckets(lengths, most=250, batch=batch):
        held = [lengths[place] for place in bucket.places]
        assert max(held) <= bucket.length < min(held) + 17 and 1 <= len(held) <= bucket.rows


def test_few_texts_of_different_lengths_are_not_mostly_padding():
    lengths = [*range(10, 250, 10)]
    computed = sum(bucket.length * bucket.rows for bucket in buckets(lengths, most=256))
    assert computed < 2.5 * sum(lengths)


def test_nothing_is_padded_beyond_what_the_model_reads():
    assert shapes([250, 3], most=250) == {0: (250, 1), 1: (16, 24)}
    assert list(buckets([], most=512)) == []
