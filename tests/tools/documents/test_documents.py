"""Files as documents, and documents as passages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rag_files import pdf, png

from inloop.runtime.errors import BadInput
from inloop.runtime.store.blobs import BlobStore
from inloop.tools.documents.chunks import Chunker, Document, Section
from inloop.tools.documents.readers import media_of, parse


def read(data, media, **given):
    return parse(data if isinstance(data, bytes) else data.encode(), media, id="d", name="file", **given)


def passages(document, **given):
    return Chunker(**given).passages(document)


@settings(deadline=None, max_examples=200)
@given(
    text=st.text(st.sampled_from("ab .!?\n\t\u3000é漢。🦊") | st.characters(exclude_categories=["Cs"]), max_size=600),
    size=st.integers(100, 300),
    cut=st.integers(0, 600),
)
def test_passages_are_the_text_and_miss_no_word(text, size, cut):
    cut = min(cut, len(text))
    sections = (Section(start=0, end=cut, headings=("one",)), Section(start=cut, end=len(text), headings=("two",)))
    document = Document(id="d", text=text, sections=sections)
    found = passages(document, size=size, least=20)
    assert found == passages(document, size=size, least=20)
    covered = [False] * len(text)
    end = 0
    for part, passage in enumerate(found):
        assert passage.text == text[passage.start : passage.end] and passage.text.strip()
        assert len(passage.text) <= size + 20
        assert (passage.part, passage.parts) == (part, len(found))
        assert passage.start >= end and (passage.end <= cut or passage.start >= cut)
        assert passage.headings == (("one",) if passage.end <= cut else ("two",))
        end = passage.end
        covered[passage.start : passage.end] = [True] * (passage.end - passage.start)
    assert all(done or letter.isspace() for done, letter in zip(covered, text, strict=True))
    assert len({passage.id for passage in found}) == len(found)


def test_cuts_are_where_the_structure_is():
    first, second = "A short one. " * 6, "Another paragraph that is here. " * 5
    found = passages(read(f"{first}\n\n{second}\n\nend.", "text/plain"), size=170, least=30)
    assert [p.text for p in found] == [first.strip(), second + "\n\nend."]
    found = passages(read("One sentence of words. " * 20, "text/plain"), size=100)
    assert all(p.text.endswith("words.") for p in found)
    assert [len(p.text) for p in passages(read("x" * 250, "text/plain"), size=100, least=0)] == [100, 100, 50]


def test_ids_outlive_changes_elsewhere():
    old = passages(read("# A\nalpha\n# B\nbeta\n# C\nbeta", "text/markdown"))
    new = passages(read("# A\nalpha, changed\n# B\nbeta\n# C\nbeta", "text/markdown"))
    assert [p.id for p in old][1:] == [p.id for p in new][1:] and old[0].id != new[0].id
    assert old[1].id != old[2].id, "the same words twice are two passages"


def test_markdown():
    text = """---
title: "The manual"
---
before

# Top *one*

under top

```
# no heading
```

Deeper
------
words [with](http://a.b) a link

## Empty
# Last
"""
    document = read(text, "text/markdown")
    assert document.title == "The manual" and document.text == text
    found = [(p.headings, p.text) for p in passages(document)]
    assert found == [
        ((), "before"),
        (("Top one",), "under top\n\n```\n# no heading\n```"),
        (("Top one", "Deeper"), "words [with](http://a.b) a link"),
        (("Top one", "Empty"), "## Empty"),
        (("Last",), "# Last"),
    ]
    assert read("# Only\ntext", "text/markdown").title == "Only"
    windows = read(b"# A\r\n\r\nx\r\ny\r\n", "text/markdown")
    assert [p.text for p in passages(windows)] == ["x\ny"]


def test_html():
    pytest.importorskip("bs4", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    page = """<!doctype html><html><head><title>A  page</title><style>p {}</style></head><body><nav>menu</nav>
      <h1>Head <em>line</em></h1><p>One <b>bold</b> word,<br>next line.</p><ul><li>first<li>second</ul>
      <h2>Under</h2><table><tr><th>a</th><td>b</td></tr></table><pre>  x =
  1</pre><script>alert(1)</script><!-- hidden --><p>caf&eacute;</body>"""
    document = read(page.encode("latin-1"), "text/html")
    assert document.title == "A page"
    first, second = passages(document)
    assert first.headings == ("Head line",) and second.headings == ("Head line", "Under")
    assert "One bold word,\nnext line." in first.text and "first\nsecond" in first.text
    assert "a | b" in second.text and "  x =\n  1" in second.text and "café" in second.text
    assert not any(word in document.text for word in ("menu", "alert", "hidden", "p {}"))
    deep = read("<div>" * 3000 + "deep words" + "</div>" * 3000, "text/html")
    assert deep.text.strip() == "deep words"


def test_pdf():
    pytest.importorskip("pypdf", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    document = read(pdf("First page (with) words.", "", "Third page.", title="Report"), "application/pdf")
    assert document.title == "Report" and document.notes == ("no text on page 2",)
    assert [(p.page, p.text) for p in passages(document)] == [(1, "First page (with) words."), (3, "Third page.")]
    with pytest.raises(BadInput, match=r"no text on its 2 pages: it is a scan.*ocrmypdf"):
        read(pdf("", ""), "application/pdf")
    for broken in (b"", b"no pdf", pdf("words")[:200], pdf("words").replace(b"/Pages 2 0 R", b"/Pages 9 0 R")):
        with pytest.raises(BadInput, match="'file' is damaged"):
            read(broken, "application/pdf")


def test_encodings():
    assert read("\ufeffplain é", "text/plain").text == "plain é"
    assert read("sechzehn é".encode("utf-16"), "text/plain").text == "sechzehn é"
    german = "Der Bär läuft über die Straße und grüßt höflich die Jäger im Wald.\n" * 5
    document = read(german.encode("cp1252"), "text/plain")
    assert document.text == german and "not UTF-8" in document.notes[0]
    mixed = read("utf é line\n".encode() + "latin é line\n".encode("latin-1"), "text/plain")
    assert mixed.text == "utf é line\nlatin é line\n" and "the first is 2" in mixed.notes[0]
    for binary in (b"\x00\x01\x02" * 100, bytes(range(1, 32)) * 20 + b"\xff\xfe\xfd" * 300, png()):
        with pytest.raises(BadInput, match="binary file"):
            read(binary, "text/plain")
    with pytest.raises(BadInput, match="no text"):
        read(b"  \n", "text/plain")


def test_pictures(tmp_path):
    document = read(png(), "image/*", blobs=BlobStore(tmp_path), caption=" a red box ")
    [passage] = passages(document)
    assert passage.image is not None and passage.text == "a red box" and passage.media == "image/png"
    [bare] = passages(read(png("blue"), "image/*", blobs=BlobStore(tmp_path)))
    assert bare.text == "" and bare.indexed == "" and bare.id != passage.id
    with pytest.raises(BadInput, match=r"damaged|no picture"):
        read(png()[:40], "image/*", blobs=BlobStore(tmp_path))


def test_kinds(tmp_path):
    assert media_of(tmp_path / "A.MD") == "text/markdown" and media_of(tmp_path / "a.bin") is None
    with pytest.raises(BadInput, match="not read"):
        read(b"x", "application/zip")
