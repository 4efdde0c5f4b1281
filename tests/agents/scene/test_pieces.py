"""Prompts without one of their pieces: what is left is still a prompt."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.scene.pieces import pieces_of


def without(text: str) -> dict[str, str]:
    return {piece.text: piece.without for piece in pieces_of(text)}


def test_frames_clauses_phrases_and_the_words_before_nouns_are_pieces() -> None:
    assert without("a photo of a centred red mug on a wooden table, soft light, 8k") == {
        "a photo of": "a centred red mug on a wooden table, soft light, 8k",
        "centred": "a photo of a red mug on a wooden table, soft light, 8k",
        "red": "a photo of a centred mug on a wooden table, soft light, 8k",
        "on a wooden table": "a photo of a centred red mug, soft light, 8k",
        "wooden": "a photo of a centred red mug on a table, soft light, 8k",
        "soft light": "a photo of a centred red mug on a wooden table, 8k",
        "soft": "a photo of a centred red mug on a wooden table, light, 8k",
        "8k": "a photo of a centred red mug on a wooden table, soft light",
    }


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (
            "a tiny disc to the left of an azure box",
            {
                "tiny": "a disc to the left of an azure box",
                "to the left of an azure box": "a tiny disc",
                "azure": "a tiny disc to the left of a box",
            },
        ),
        ("a wooden owl", {"wooden": "an owl"}),
        ("an old unicorn", {"old": "a unicorn"}),
        ("An old barn and a dog without a hat", {
            "old": "A barn and a dog without a hat",
            "and a dog": "An old barn without a hat",
            "without a hat": "An old barn and a dog",
        }),
        ("a vintage photograph", {"vintage": "a photograph"}),
        ("一只猫，红色的", {"红色的": "一只猫"}),
        ("cat", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_what_is_left_reads_as_one_would_write_it(text: str, pieces: dict[str, str]) -> None:
    assert without(text) == pieces


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from("a an the red cat, on of photo mat ; and in front".split())).map(" ".join)
)
def test_a_piece_is_of_the_text_and_what_is_left_is_less(text: str) -> None:
    def words(of: str) -> list[str]:
        return [word for word in re.findall(r"[^\W_]+", of.casefold()) if word not in ("a", "an")]

    for piece in pieces_of(text):
        assert piece.text and piece.without.strip() and piece.text in text
        left, whole = words(piece.without), words(text)
        assert len(left) <= len(whole) and all(word in whole for word in left)


def test_of_many_pieces_the_longest_are_kept_in_the_order_of_the_text() -> None:
    text = ", ".join(f"{'very ' * n}blue thing" for n in range(1, 9))
    kept = [piece.text for piece in pieces_of(text, most=4)]
    assert kept == [f"{'very ' * n}blue thing" for n in range(5, 9)]
