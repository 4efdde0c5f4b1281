"""What a source says only in doubt, in a case, or as somebody's words: never borne out without that."""

import pytest

from inloop.tools.entailment import compare


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(
    ("statement", "source", "why"),
    [
        ("The gate was open.", "A guest complained that the gate was open.", "complained"),
        ("The gate was open.", "The guest said the gate was open.", "said"),
        ("The lamp is bright.", "The lamp is bright, according to Jon, who wrote the list.", "according to"),
        ("The lamp is bright.", "According to Jon, the lamp is bright.", "according to"),
        ("Sales will rise next year.", "The bank expects sales to rise next year.", "expects"),
        ("Sales will rise next year.", "The bank thinks sales will rise next year.", "thinks"),
        ("The bridge opens in May.", "The bridge is expected to open in May.", "expected"),
        ("The bridge opens in May.", "The bridge was to open in May.", "was to"),
        ("The bridge was finished in May.", "The bridge was almost finished in May.", "almost"),
        ("The fan runs.", "The fan seldom runs.", "seldom"),
        ("Jon climbed the tower.", "Jon tried to climb the tower.", "tried"),
        ("Jon paid the fine.", "Jon was asked to pay the fine.", "asked"),
        ("Jon is the chair.", "Jon was the chair.", "was"),
        ("The gate may be closed in May.", "The gate may be closed in May if it rains.", "if"),
        ("The board plans to sell the mill.", "The board plans to sell the mill if the loan is refused.", "if"),
    ],
)
def test_a_doubt_that_the_statement_drops(statement, source, why, words):
    comparison = compare(statement, source, words=words)
    assert comparison.outcome == "not told" and f"{why}" in comparison.why


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("The gate is closed.", "If it rains, the gate is closed."),
        ("The gate is closed.", "The mill opens at six, but if it rains, the gate is closed."),
        ("The rent rises to 30 crowns.", "The rent rises to 30 crowns, but only if the water bill rises."),
        ("Refunds are paid within 14 days.", "Refunds are paid within 14 days, provided that the ticket is unused."),
        ("Refunds are paid within 14 days.", "Refunds are paid within 14 days, as long as the ticket is unused."),
        ("Entry is free.", "Entry is free only on Sundays."),
        ("The gate is open if it rains.", "The gate is open unless it rains."),
        ("The gate is not open unless it rains.", "The gate is open unless it rains."),
    ],
)
def test_a_condition_that_the_statement_drops_or_turns(statement, source, words):
    assert compare(statement, source, words=words).outcome != "borne out"


@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("Jon thinks that the gate is open.", "Jon thinks that the gate is open and the lamp is lit."),
        ("Jon wrote the first list.", "The lamp is bright, according to Jon, who wrote the first list."),
        ("The harbour is deep.", "We believe that the harbour is deep."),
        ("Jon seconded the proposal of Ada.", "Ada proposed it, and Jon seconded the proposal of Ada."),
        ("The mill opens at six.", "The mill opens at six, but if it rains, the gate stays shut."),
        ("Entry is free on Sundays.", "Entry is free only on Sundays."),
        ("The bridge was closed.", "The bridge was closed, and almost all shops were empty."),
    ],
)
def test_a_doubt_about_something_else_or_that_both_have(statement, source):
    assert compare(statement, source).outcome == "borne out"


def test_what_is_excepted_is_denied():
    assert compare("The gate is not open if it rains.", "The gate is open unless it rains.").outcome == "borne out"
    assert (
        compare("The gate is closed if it rains.", "If it rains, the gate is closed.", words=False).outcome
        == "borne out"
    )
