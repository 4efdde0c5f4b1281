"""Files as documents, and documents as passages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rag_files import png, read

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.store.blobs import BlobStore
from inloop.tools.documents.chunks import Chunker, Document, Section
from inloop.tools.documents.readers import KINDS, Hints, media_of


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


BYTES = st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.media)
@settings(deadline=None, max_examples=60)
@given(data=BYTES, encoding=st.sampled_from(["", "cp1252", "shift_jis"]))
def test_bytes_are_read_or_refused_with_a_reason(kind, data, encoding):
    try:
        document = read(data, kind.media, hints=Hints(encoding=encoding))
    except (BadInput, PrerequisiteError) as error:
        assert "file" in str(error)
    else:
        assert passages(document) and document.text == document.text.encode().decode()
