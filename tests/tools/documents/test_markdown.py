"""Markdown: its source in sections, what stands before it as `meta`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rag_files import read, read_shared, sections

from inloop.tools.documents import Chunker

MANUAL = """---
title: "The manual"
author: Ida Holst
tags: [boats, harbour]
year: 1874
published: 2021-03-04
nested: {a: 1}
---
before

# Top

under top

<!-- not to be read -->

end
"""


def test_front_matter_is_meta():
    document = read(MANUAL, "text/markdown")
    assert document.title == "The manual" and document.text == MANUAL
    assert document.meta == {
        "author": "Ida Holst", "tags": "boats, harbour", "year": 1874, "published": "2021-03-04",
    }  # fmt: skip
    [passage, *_] = Chunker().passages(document)
    assert passage.meta["year"] == 1874 and passage.text == "before"


def test_front_matter_in_toml():
    document = read("+++\ntitle = 'Rules'\nyear = 1902\n+++\n\nThe harbour opens at 8.\n", "text/markdown")
    assert (document.title, document.meta, sections(document)) == (
        "Rules",
        {"year": 1902},
        [((), "The harbour opens at 8.")],
    )


@pytest.mark.parametrize("front", ["title: [unclosed", "- a list\n- of things", "a: &x [*x]\nb: *y"])
def test_front_matter_that_cannot_be_read_is_text(front):
    document = read(f"---\n{front}\n---\n\nThe harbour opens at 8.\n", "text/markdown")
    assert "front matter" in document.notes[0] and "The harbour opens at 8." in document.text
    shown = " ".join(" ".join((*headings, text)) for headings, text in sections(document))
    assert front.split()[0] in f"{document.title} {shown}"


def test_a_rule_is_no_front_matter():
    document = read("First.\n\n---\n\nSecond.\n", "text/markdown")
    assert document.notes == () and [text for _, text in sections(document)] == ["First.\n\n---\n\nSecond."]


def test_comments_are_in_no_section():
    found = sections(read(MANUAL, "text/markdown"))
    assert found == [((), "before"), (("Top",), "under top"), (("Top",), "end")]


def test_questions_as_headings():
    assert (("Can I bring a dog?",), "Yes, if it is on a leash.") in sections(read_shared("faq/faq.md"))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(st.sampled_from("ab #-*`>\n[]()|1."), max_size=30), max_size=6).map("\n".join))
def test_every_letter_is_in_a_section_or_a_heading(source):
    if any(letter in source for letter in "ab"):
        found = sections(read(source, "text/markdown"))
        shown = "".join(
            [read(source, "text/markdown").title, *("".join((*headings, text)) for headings, text in found)]
        )
        assert set(source) & set("ab") <= set(shown)
