"""reStructuredText: words of roles, content of directives, no contents, comments and targets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rag_files import read, read_shared, sections

pytest.importorskip("docutils", reason="the extra rag is not installed: pip install 'inloop[rag]'")


def text_of(source: str) -> str:
    return read(source, "text/x-rst").text


def test_headings_are_sections():
    document = read(
        "The manual\n==========\n\nBefore.\n\nKeys\n----\n\nUnder keys.\n\nOther\n=====\n\nEnd.\n", "text/x-rst"
    )
    assert document.title == "The manual"
    assert sections(document) == [((), "Before."), (("Keys",), "Under keys."), (("Other",), "End.")]


INLINE = {
    "See :ref:`the text <label>`.": "See the text.",
    "Call :meth:`~boat.Tern.sail` or :py:func:`row`.": "Call sail or row.",
    "It is :strange:`as it is`, :abbr:`BHA (Brunmoor Harbour Authority)`.": "It is as it is, BHA (Brunmoor Harbour Authority).",
    "A `link <https://a.b>`_, *em*, **strong**, ``code``.": "A link, em, strong, code.",
    "It is |name|.\n\n.. |name| replace:: Brunmoor": "It is Brunmoor.",
    "It is told [1]_.\n\n.. [1] By Holst.": "It is told [1].\n\n[1] By Holst.",
    ".. _target:\n\n.. a comment\n\n.. index:: boats\n\nThe end.": "The end.",
    ".. toctree::\n   :maxdepth: 2\n\n   intro\n   usage\n\nThe end.": "The end.",
    ".. contents:: On this page\n\n:orphan:\n\nThe end.": "The end.",
    "``SIGHUP``\n\n  Reads its settings again.\n\n  *Default*: off\n\nThe end.": "SIGHUP: Reads its settings again.\n\n  Default: off\n\nThe end.",
    "As Holst has it.\n\n  The sea is wide.\n\nThe end.": "As Holst has it.\n\nThe sea is wide.\n\nThe end.",
    "-d METRES, --depth=METRES\n\n   Depth of the anchor.": "-d METRES, --depth=METRES: Depth of the anchor.",
    ".. image:: tern.png\n   :alt: A tern\n\nThe end.": "The end.",
}


@pytest.mark.parametrize("source", INLINE)
def test_words_are_those_that_are_read(source):
    assert text_of(source) == INLINE[source]


BLOCKS = {
    "Run this::\n\n    $ row --fast\n\nThen wait.": ["Run this:", "```\n$ row --fast\n```", "Then wait."],
    ".. code-block:: bash\n   :caption: x\n\n   row\n": ["```\nrow\n```"],
    ">>> 1 + 1\n2\n": ["```\n>>> 1 + 1\n2\n```"],
    ".. admonition:: How to row?\n\n   So.\n": ["**How to row?**", "So."],
    ".. note:: Mind the tide.\n": ["Mind the tide."],
    ".. dropdown:: More\n   :open:\n\n   Inside *of* it.\n": ["**More**", "Inside of it."],
    ".. versionadded:: 3.8\n   The ``x`` option.\n": ["Added in version 3.8: The x option."],
    ".. confval:: port\n   :type: int\n\n   The port to use.\n\n   It is 80.\n": [
        "port: The port to use.",
        "  It is 80.",
    ],
    "- a rope\n\n  second words\n- a lamp\n\n  1. oil\n  2. wick\n": [
        "- a rope\n  second words\n- a lamp\n  1. oil\n  2. wick"
    ],
    "tern : boat\n    A small boat.\n\n:Owner: Ida Holst\n": ["tern (boat): A small boat.", "Owner: Ida Holst"],
    "-v, --verbose  says more\n": ["-v, --verbose: says more"],
    "====  ===\nBoat  Len\n====  ===\nTern  7 m\n====  ===\n": ["Boat | Len\nTern | 7 m"],
    "| line one\n| line two\n": ["line one\nline two"],
}


@pytest.mark.parametrize("source", BLOCKS)
def test_blocks_keep_their_form(source):
    assert text_of(source).split("\n\n") == BLOCKS[source]


def test_nothing_else_is_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("password", encoding="utf-8")
    source = f".. include:: {secret}\n\n.. literalinclude:: {secret}\n\n.. csv-table::\n   :file: {secret}\n\n.. raw:: html\n\n   password\n\nWords.\n"
    assert text_of(source) == "Words."


def test_a_title_of_a_note_is_none_of_its_sentences():
    [(headings, text)] = sections(read_shared("rst_heading.rst"))
    assert text.startswith("**How to generate good secret keys**\n\nExecute the following command")
    assert "```\n$ python -c 'import secrets; print(secrets.token_hex())'\n```" in text and headings == ()


LINES = st.lists(st.text(st.sampled_from("ab :`.*_|=-\n\t<>[]+~"), max_size=30), max_size=8).map("\n".join)


@settings(deadline=None, max_examples=60)
@given(LINES)
def test_whatever_stands_in_a_file_it_is_read(source):
    document = read(f"Begin.\n\n{source}\n\n\nEnd.\n", "text/x-rst")
    assert "Begin" in document.text or document.title
    assert all(len(section.headings) < 7 for section in document.sections)
