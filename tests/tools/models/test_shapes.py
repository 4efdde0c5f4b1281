"""Batch shapes by the size of a call: all filled, the largest first."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from inloop.tools.models import shapes


def test_a_call_is_cut_up_into_powers_of_two() -> None:
    assert shapes([0] * 5, 8) == [4, 4, 4, 4, 1]
    assert shapes([0] * 13, 8) == [8] * 8 + [4] * 4 + [1]
    assert shapes([0] * 6, 3) == [2] * 6
    assert shapes(["a", "b", "a", "a"], 8) == [2, 1, 2, 1]
    assert shapes([], 8) == []


@given(st.lists(st.sampled_from("abc"), max_size=80), st.integers(1, 64))
def test_nothing_is_padded(company: list[str], most: int) -> None:
    sizes = shapes(company, most)
    assert len(sizes) == len(company)
    for (_, size), count in Counter(zip(company, sizes, strict=True)).items():
        assert count % size == 0  # every batch is full
        assert size & (size - 1) == 0 and size <= most
    for each in set(company):
        own = [size for other, size in zip(company, sizes, strict=True) if other == each]
        # the largest first, and no size twice but the largest: fewer batches cannot do
        assert own == sorted(own, reverse=True)
        largest = 1 << (most.bit_length() - 1)
        assert all(count == size for size, count in Counter(own).items() if size != largest)
