"""Documents of which an earlier version quoted the wrong words: inputs of our own, and the reported files where they are."""

from pathlib import Path

import pytest

pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")

from rag_files import shared

import inloop
from inloop.tools.index.conformance.checks import LetterEmbedder

FAQ = """# Questions

## How do I end my contract?

Write to us by the third of the month.

## May I keep a parrot?

Yes, as long as it does not sing at night.
"""
CONTENTS = """<html><body><h1>Doors</h1><p>Table of contents</p><p>1. What is a hatch?</p><p>2. How do I lock a hatch?</p>
<h2>1. What is a hatch?</h2><p>It is a small door in a deck or a floor.</p>
<h2>2. How do I lock a hatch?</h2><p>Run the command:</p><pre>hatchctl lock NAME</pre></body></html>"""
ADMONITION = """Signing keys
~~~~~~~~~~~~

.. admonition:: How to make a strong signing key

    Run the following command, which prints 48 random bytes::

        $ keygen --bytes 48

"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Index files and ask, by words alone; the answers in order."""
    monkeypatch.chdir(tmp_path)

    def ask(files, *questions):
        folder = tmp_path / "docs"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        inloop.index(str(folder), to="lancedb:///./index", embedder="none", clip="none")
        return inloop.ask(*questions, index="lancedb:///./index", embedder="none").answers

    return ask


def reported(*names):
    """The reported files by their names; reStructuredText as plain text too, for what is under test is what is quoted."""
    return {Path(name).name.replace(".rst", ".txt"): shared(name).read_text(encoding="utf-8") for name in names}


def test_the_heading_is_the_question(asked):
    known, unknown = asked({"faq.md": FAQ}, "May I keep a parrot?", "How high is the roof?")
    assert [s.text for s in known.sentences] == ["Yes, as long as it does not sing at night."]
    assert not unknown.answered


def test_the_text_and_the_command_not_the_contents_or_the_title(asked):
    lock, key, hatch = asked(
        {"doors.html": CONTENTS, "keys.txt": ADMONITION},
        "How do I lock a hatch?", "How do I make a strong signing key?", "What is a hatch?",
    )  # fmt: skip
    assert lock.sentences[0].text.startswith("Run the command:") and "hatchctl lock NAME" in lock.sentences[0].text
    assert "keygen --bytes 48" in key.sentences[0].text and key.sentences[0].text.startswith("Run the following")
    assert hatch.sentences[0].text == "It is a small door in a deck or a floor."


def test_copies_and_links_are_one_source(asked, tmp_path):
    text = "The boathouse of Osterby is painted green and was built by a carpenter."
    files = {f"copy{number}.txt": text for number in range(6)} | {
        "other.txt": "The boathouse of Osterby has two floors."
    }
    [answer] = asked(files, "What colour is the boathouse painted?")
    [citation] = [c for c in answer.citations if "green" in c.quote]
    assert len(citation.also) == 5


def test_the_reported_faq(asked):
    [answer] = asked(reported("faq/faq.md"), "Can I bring a dog?")
    assert [s.text for s in answer.sentences] == ["Yes, if it is on a leash."]


def test_the_reported_contents_and_admonition(asked):
    hold, key = asked(
        reported("toc.html", "rst_heading.rst"), "How do I hold a package?", "How do I generate a good secret key?"
    )
    assert "apt-mark hold NAME" in hold.sentences[0].text
    assert "secrets.token_hex()" in key.sentences[0].text


def test_the_reported_copies(asked):
    [text] = reported("dup_links/copy1.txt").values()
    [answer] = asked({f"copy{number}.txt": text for number in range(6)}, "What colour is the lighthouse painted?")
    assert len(answer.citations) == 1 and len(answer.citations[0].also) == 5


def test_the_reported_text_without_blanks(asked):
    [answer] = asked(reported("zh/zh.txt"), "灯塔有多高？")
    assert "灯塔高四十一米。" in [sentence.text for sentence in answer.sentences]


def test_without_an_embedder_an_index_that_holds_vectors_is_searched_by_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mill.md").write_text("# The mill\n\nThe mill was built in 1913.\n", encoding="utf-8")
    inloop.index("mill.md", to="lancedb:///./index", clip="none", models={"embedder": LetterEmbedder()})
    [answer] = inloop.ask("When was the mill built?", index="lancedb:///./index", embedder="none").answers
    assert [citation.quote for citation in answer.citations] == ["The mill was built in 1913."]
