"""Statements for the verifier: what is reworded stays true, what is changed says something else, and a row can be made again."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from inloop.mini.training.verifier.falsehoods import Falsifier
from inloop.mini.training.verifier.rewordings import REWORDINGS, synonyms
from inloop.mini.training.verifier.rows import OUTCOMES, Rows
from inloop.mini.training.verifier.texts import Claim, Text
from inloop.mini.training.verifier.wordnet import WordNet

WORDS = WordNet(
    synonyms={"tower": ["spire"]},
    opposites={"tall": ["low"]},
    siblings={"brick": ["marble", "granite"]},
    parts={"tower": {"noun"}, "brick": {"noun"}, "marble": {"noun"}},
)
MILL = Text(
    "essays",
    "The mill of Osterby",
    (
        "The mill was built by Falk in 1913.",
        "In 1921, Jon Dahl sold the mill to Ada Berg for 310 crowns.",
        "The tall tower, which is made of brick, may fall in a strong wind.",
        "However, the miller cannot grind rye, barley, and wheat before the spring because the wheel is broken.",
        "The Brunmoor Society, a club of friends, was founded on 4 May 1987 and has 38 percent of the shares.",
        "If the wind is strong, the wheel of the mill turns quickly.",
        "The club was founded by Eva Holm.",
    ),
)
ROWS = Rows([MILL], [Claim("Falk built the mill.", MILL, (0,), "supports")], WORDS)


@pytest.mark.parametrize(
    ("rule", "sentence", "expected"),
    [
        ("active", MILL.sentences[0], {"Falk built the mill in 1913."}),
        ("first phrase last", MILL.sentences[1], {"Jon Dahl sold the mill to Ada Berg for 310 crowns in 1921."}),
        ("relative", "The tower, which is made of brick, fell.", {"The tower is made of brick.", "The tower fell."}),
        ("without its opening", MILL.sentences[3], {MILL.sentences[3][9].upper() + MILL.sentences[3][10:]}),
        ("appositive", MILL.sentences[4], {"The Brunmoor Society is a club of friends."}),
        ("contracted", "The wheel does not turn.", {"The wheel doesn't turn."}),
        ("embedded", "We found that the old wheel turns quite fast.", {"The old wheel turns quite fast."}),
        ("possessive", "We know that the wheel of the mill is old.", {"We know that the mill's wheel is old."}),
    ],
)
def test_a_reworded_sentence_says_the_same(rule: str, sentence: str, expected: set[str]) -> None:
    made = {REWORDINGS[rule][1](sentence, random.Random(seed)) for seed in range(8)} - {None, sentence}
    assert made and made <= expected


def test_numbers_and_dates_are_written_otherwise() -> None:
    made = {REWORDINGS["number written otherwise"][1](MILL.sentences[4], random.Random(seed)) for seed in range(60)}
    assert any("1987-05-04" in (text or "") for text in made) and any("38 %" in (text or "") for text in made)


def test_a_word_with_one_sense_has_its_synonyms() -> None:
    assert synonyms(WORDS)("The tower fell.", random.Random(0)) == "The spire fell."


@pytest.mark.parametrize(
    ("kind", "place", "expected"),
    [
        ("number nearby", 0, None),
        ("opposite", 2, "low"),
        ("word of its kind", 2, None),
        ("not more", 0, "not"),
        ("not less", 3, "can"),
        ("hedge", 2, "falls"),
        ("condition", 5, "The wheel of the mill turns quickly."),
        ("names exchanged", 1, "Ada Berg sold the mill to Jon Dahl"),
        ("agent exchanged", 6, "Eva Holm was founded by the club"),
        ("addition", 0, None),
    ],
)
def test_a_changed_sentence_says_something_else(kind: str, place: int, expected: str | None) -> None:
    falsifier = Falsifier(WORDS, ["Eva Holm"])
    made = [falsifier.change(kind, MILL.sentences[place], MILL.sentences, random.Random(seed)) for seed in range(40)]
    statements = {falsehood.statement for falsehood in made if falsehood is not None}
    assert statements and MILL.sentences[place] not in statements
    if expected is not None and kind != "hedge":
        assert any(expected in statement for statement in statements)


def test_rows_are_those_of_their_seed_and_of_all_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inloop.mini.training.verifier.rows._TRIES", 50)  # few sentences: not every rule applies to one
    drawn = [ROWS.draw(random.Random(seed)) for seed in range(120)]
    assert drawn == [ROWS.draw(random.Random(seed)) for seed in range(120)]
    assert set(Counter(row.outcome for row in drawn)) == set(OUTCOMES)
    assert all(row.premise.strip() and 4 <= len(row.statement.split()) <= 60 for row in drawn)
    assert all(row.statement in row.premise for row in drawn if row.kind == "copy")


def test_wordnet_files_are_read(tmp_path: Path) -> None:
    lines = {
        "noun": [
            "  1 the licence",
            "00000001 03 n 01 building 0 000 | a structure",
            "00000002 06 n 02 spire 0 tower 1 001 @ 00000001 n 0000 | a tall one",
            "00000003 06 n 01 keep 0 001 @ 00000001 n 0000 | a strong one",
        ],
        "adj": ["00000004 00 a 01 tall 0 001 ! 00000005 a 0101 | high", "00000005 00 a 01 low 0 001 ! 00000004 a 0101 | not high"],
        "verb": [],
        "adv": [],
    }  # fmt: skip
    for part, rows in lines.items():
        (tmp_path / f"data.{part}").write_text("\n".join(rows), encoding="utf-8")
    wordnet = WordNet.read(tmp_path)
    assert wordnet.synonyms["tower"] == ["spire"] and wordnet.opposites["tall"] == ["low"]
    assert wordnet.siblings["tower"] == ["keep"]
