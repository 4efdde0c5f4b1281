"""Passages as blocks, and passages that are cut between blocks."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.tools.documents import Chunker, blocks, parse, term_of


def kinds(text):
    return [(block.kind, text[block.start : block.end], block.title) for block in blocks(text)]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            ["a word", "- item", "  - item", "::", "```", "=====", "| a | b |", "    x = 1", "", ".. note::", "# T"]
        )
    )
)
def test_every_word_is_in_one_block(lines):
    text = "\n".join(lines)
    read = blocks(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(read))
    inside = {place for block in read for place in range(block.start, block.end)}
    assert all(place in inside for place, letter in enumerate(text) if not letter.isspace())
    assert all(text[block.start : block.end] == text[block.start : block.end].strip() for block in read)


def test_restructured_text():
    text = """Locks
=====

.. _locks:

Lock the gate with the command::

    $ gate --lock

.. admonition:: How to open it again

   Ask the keeper.

   .. code-block:: bash

      gate --open

+------+-------+
| gate | width |
+======+=======+
| west | 3 m   |
+------+-------+
"""
    assert [(kind, title) for kind, _, title in kinds(text)] == [
        ("title", ""), ("markup", "Locks"), ("paragraph", "Locks"), ("code", "Locks"), ("title", "Locks"),
        ("paragraph", "How to open it again"), ("code", "How to open it again"), ("table", "How to open it again"),
    ]  # fmt: skip


def test_markdown_and_plain_text():
    text = "Two ways:\n\n1. by boat\n   or raft\n\n2. on foot\n\n```sh\nrow\n\nfast\n```\n\nname | depth\n--- | ---\nwest | 3 m\n\nAfter."
    assert [kind for kind, _, _ in kinds(text)] == ["paragraph", "list", "code", "table", "paragraph"]
    assert kinds(text)[1][1].endswith("on foot") and kinds(text)[2][1].startswith("```sh")


@pytest.mark.parametrize(
    "text",
    [
        "Table of contents\n\n1. What is a lock?\n\n2. How do I open it?",
        "Contents\n\n- Locks\n- Gates and keepers",
        "Locks . . . . . . . . . 12\nGates . . . . . . . . . 14",
        "1.1 Locks ............ 3\n1.2 Gates ............ 9",
        ".. toctree::\n   :maxdepth: 2\n\n   locks\n   gates",
    ],
)
def test_contents(text):
    assert {kind for kind, _, _ in kinds(text)} == {"contents"}


def test_contents_end_where_sentences_begin():
    read = kinds("Contents\n\n1. Locks\n\n2. Gates\n\nA lock is a door for ships.")
    assert [kind for kind, _, _ in read] == ["contents", "contents", "paragraph"]


def passages(text, **given):
    document = parse(text.encode(), "text/plain", id="d", name="d")
    return Chunker(**given).passages(document)


def test_no_passage_ends_between_a_colon_and_what_follows():
    filler = "The harbour is old and deep, and ships of all kinds have lain in it. " * 9
    text = f"{filler}\n\nLock the gate with:\n\n    gate --lock --west\n\nThen go home."
    for size in range(500, 760, 20):
        [holding] = [p.text for p in passages(text, size=size) if "gate --lock" in p.text]
        assert "Lock the gate with:\n\n    gate --lock --west" in holding


def test_a_list_and_code_are_cut_only_where_they_are_too_long():
    items = "\n".join(f"- item {number} of the list" for number in range(12))
    found = passages(f"{'Words of a paragraph. ' * 10}\n\n{items}\n\n{'More words here. ' * 10}", size=420, least=0)
    assert any(items in p.text for p in found)
    long = "\n".join(f"- item {number} of a longer list" for number in range(40))
    assert all(p.text.startswith("- item") for p in passages(long, size=200))


def test_what_goes_on_in_the_next_passage_keeps_its_title():
    text = "Opening hours\n=============\n\n" + "The office opens at eight in the morning. " * 30
    first, *rest = passages(text, size=400)
    assert first.text.startswith("Opening hours") and first.headings == ()
    assert rest and all(p.headings == ("Opening hours",) for p in rest)


def test_what_is_set_in_stands_under_its_term():
    text = """Locks
=====

--quiet: Says less.

  The default is to say all.

  - Nothing at all with -qq.

Two of them: both of oak.

--fast / -f: Runs."""
    assert [(words, title) for _, words, title in kinds(text)][1:] == [
        ("--quiet: Says less.", "Locks"),
        ("The default is to say all.", "--quiet"),
        ("- Nothing at all with -qq.", "--quiet"),
        ("Two of them: both of oak.", "Locks"),
        ("--fast / -f: Runs.", "Locks"),
    ]


@pytest.mark.parametrize(
    ("paragraph", "term"),
    [
        ("--quiet: Says less.", "--quiet"),
        ("How long may a gate stay open?: Two hours.", "How long may a gate stay open?"),
        ("push [-p|--patch] [-k|--keep-index] [<name>]: Saves it.", "push [-p|--patch] [-k|--keep-index] [<name>]"),
        ("**Type:** Bool", ""),
        ("Note: it is closed.", ""),
        ("There are two gates: west and east.", ""),
        ("The gate", ""),
    ],
)
def test_terms(paragraph, term):
    assert term_of(paragraph) == term


def test_rows_that_name_their_columns_are_a_table():
    rows = "Boat: Tern; Length: 7 m\nBoat: Heron; Length: 12 m"
    assert [(block.kind, rows[block.start : block.end]) for block in blocks(rows)] == [("table", rows)]
    for prose in ("Boat: Tern; Length: 7 m", "Note: it leaks; beware: it sinks.\nIt is old."):
        assert [block.kind for block in blocks(prose)] == ["paragraph"]
