"""Copies: ROUGE-L against a plain table of the longest common subsequence, and what counts as near in which group."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inloop.evaluators.rows.duplicates import KnownTexts, contamination, normal, rouge_l
from inloop.runtime.errors import BadInput
from inloop.runtime.fakes import ScriptedEmbedder

WORDS = st.lists(st.sampled_from(["play", "book", "rain", "a", "é", "7"]), max_size=70)

SLOW_MACHINES_TOO = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def plain(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@SLOW_MACHINES_TOO
@given(WORDS, WORDS)
def test_rouge_l_is_that_of_the_plain_table(a, b):
    expected = 2 * plain(a, b) / (len(a) + len(b)) if a and b else 0.0
    assert rouge_l(" ".join(a), " ".join(b)) == pytest.approx(expected)
    assert rouge_l(" ".join(b), " ".join(a)) == pytest.approx(expected)


@SLOW_MACHINES_TOO
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_compared(a, b):
    assert 0 <= rouge_l(a, b) <= 1
    assert normal(a) == normal(f"  {a} ")


async def test_nearest_says_where_and_how():
    known = KnownTexts(rouge=0.7)
    await known.add("seeds", ["play the new song by Adele", "?!"])
    await known.add("test", ["book a table for two at noon"])
    found = await known.nearest(
        ["Play the new song, by ADELE!", "play the old song by Adele", "book a table for two", "will it rain", "?!"]
    )
    assert [match and (match.group, match.measure) for match in found] == [
        ("seeds", "exact"),
        ("seeds", "rouge-l"),
        ("test", "rouge-l"),
        None,
        ("seeds", "exact"),
    ]
    assert found[1].value == pytest.approx(5 / 6)
    assert "(test)" in str(found[2])


async def test_meaning_is_compared_where_there_is_an_embedder():
    async def embed(texts):
        return [[1.0, 0.0] if "rain" in text or "wet" in text else [0.0, 1.0] for text in texts]

    known = KnownTexts(cosine=0.9, embed=embed)
    await known.add("rows", ["rain tomorrow"])
    near, far = await known.nearest(["getting wet", "a song"])
    assert near.measure == "cosine" and near.group == "rows" and far is None
    hashed = KnownTexts(embed=ScriptedEmbedder().texts)
    assert await hashed.nearest(["nothing is known yet"]) == [None]


def test_thresholds_are_checked():
    with pytest.raises(BadInput, match="rouge"):
        KnownTexts(rouge=0)


def test_contamination_counts_copies_and_names_the_nearest():
    [test, empty] = contamination(
        ["book a table for two", "will it rain", "play a song"],
        {"test": ["Book a table for two!", "will it rain in Rome"], "dev": []},
    )
    assert (test.exact, test.above, test.highest) == (1, 2, 1.0)
    assert test.nearest[0][:2] == ("book a table for two", "Book a table for two!")
    assert (empty.exact, empty.highest) == (0, 0.0)
    assert contamination([], {"test": ["x"]})[0].mean is None
