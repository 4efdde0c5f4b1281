"""A folder into an index, again and again."""

import os
import sys

import pytest
from rag_files import pdf, png

from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.passages import Compare
from inloop.runtime.store.blobs import BlobStore
from inloop.tools.documents.chunks import Chunker
from inloop.tools.index.conformance.checks import LetterEmbedder
from inloop.tools.index.ingestion import ingest
from inloop.tools.index.memory import MemoryIndex

pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("Stemmer", reason="the extra rag is not installed: pip install 'inloop[rag]'")


class Counting(LetterEmbedder):
    def __init__(self):
        super().__init__()
        self.asked = []
        self.bad = ""

    async def texts(self, texts, *, role=None):
        self.asked += texts
        if self.bad and any(self.bad in text for text in texts):
            raise CallFailed("it gave NaN")
        return await super().texts(texts, role=role)


@pytest.fixture
def embedder():
    return Counting()


@pytest.fixture
def index(embedder):
    return MemoryIndex(text=embedder, image=LetterEmbedder("pictures"))


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("# A\nalpha words\n# B\nbeta words", encoding="utf-8")
    (folder / "sub" / "b.txt").write_text("gamma words", encoding="utf-8")
    (folder / "c.txt").write_text("delta words", encoding="utf-8")
    (folder / "data.bin").write_bytes(b"\0\1")
    (folder / ".hidden.txt").write_text("hidden", encoding="utf-8")
    return folder


async def texts(index):
    return {passage.document: passage.text async for passage in index.iterate()}


async def test_only_what_changed_is_done(docs, index, embedder):
    first = await ingest(docs, index)
    assert (first.added, first.changed, first.unchanged, first.deleted, first.passages) == (3, 0, 0, 0, 4)
    assert first.skipped == {".bin": 1} and not first.failed
    [hits] = await index.search(["beta"], k=1)
    hit = hits[0].passage
    assert (hit.document, hit.title, hit.headings) == ("docs/a.md", "A", ("B",))
    assert hit.source == str(docs / "a.md") and hit.text == (docs / "a.md").read_text()[hit.start : hit.end]
    embedder.asked.clear()
    again = await ingest(docs, index)
    assert (again.added, again.changed, again.unchanged, again.passages) == (0, 0, 3, 0) and embedder.asked == []
    (docs / "c.txt").write_text("epsilon words", encoding="utf-8")
    (docs / "sub" / "b.txt").unlink()
    (docs / "new.txt").write_text("zeta words", encoding="utf-8")
    third = await ingest(docs, index)
    assert (third.added, third.changed, third.unchanged, third.deleted) == (1, 1, 1, 1)
    assert set(await texts(index)) == {"docs/a.md", "docs/c.txt", "docs/new.txt"}
    assert {(await texts(index))[f"docs/{name}.txt"] for name in ("c", "new")} == {"epsilon words", "zeta words"}
    [hits] = await index.search(["delta gamma"], k=10, mode="bm25")
    assert hits == []


async def test_a_run_that_was_cut_off_is_finished(docs, index):
    (docs / "long.txt").write_text("\n\n".join(f"paragraph {n} " * 8 for n in range(9)), encoding="utf-8")
    chunker = Chunker(size=100, least=0)
    await ingest(docs, index, chunker=chunker)
    whole = [p.id async for p in index.iterate()]
    await index.delete(whole[::3])  # as if the upsert had been killed between two batches
    done = await ingest(docs, index, chunker=chunker)
    assert done.changed > 0 and [p.id async for p in index.iterate()] == whole
    other = await ingest(docs, index, chunker=Chunker(size=200))
    assert other.changed == 4, "another way of cutting is another version"
    versions = {(p.document, p.version) async for p in index.iterate()}
    assert len(versions) == 4, "nothing of the old version is left"


async def test_collections_do_not_touch_each_other(docs, tmp_path, index):
    await ingest(docs, index)
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.txt").write_text("delta words", encoding="utf-8")
    await ingest(other, index)
    assert await index.count(Compare(field="meta.collection", value="docs")) == 4
    assert await index.count() == 5
    await ingest(other / "c.txt", index, collection="single")
    assert await index.count() == 6


async def test_faults_of_files_are_told(docs, index, embedder, tmp_path):
    pytest.importorskip("pypdfium2", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    (docs / "scan.pdf").write_bytes(pdf("", ""))
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (docs / "binary.txt").write_bytes(b"\0\1\2" * 50)
    (docs / "large.txt").write_bytes(b"x " * 600_000)
    (docs / "gone.txt").symlink_to(docs / "nowhere.txt")
    (docs / "nan.txt").write_text("unlucky words", encoding="utf-8")
    os.mkfifo(docs / "pipe.txt")
    embedder.bad = "unlucky"
    done = await ingest(docs, index, max_bytes=1_000_000)
    reasons = {note.file: note.reason for note in done.failed}
    assert set(reasons) == {
        "scan.pdf", "broken.pdf", "binary.txt", "large.txt", "gone.txt", "nan.txt", "pipe.txt",
    }  # fmt: skip
    assert "--ocr" in reasons["scan.pdf"] and "damaged" in reasons["broken.pdf"]
    assert "binary" in reasons["binary.txt"] and "1 MB" in reasons["large.txt"] and "--max-mb" in reasons["large.txt"]
    assert "a link" in reasons["gone.txt"] and "NaN" in reasons["nan.txt"] and "no ordinary file" in reasons["pipe.txt"]
    assert done.added == 3 and await index.count() == 4


async def test_a_file_that_vanishes_and_a_name_that_cannot_be_written_down(docs, index):
    (docs / "going.txt").write_text("soon gone", encoding="utf-8")
    try:
        (docs / os.fsdecode(b"bad\xff.txt")).write_text("words", encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")

    def progress(done, of, name):
        if name == "going.txt":
            (docs / name).unlink()

    done = await ingest(docs, index, progress=progress)
    reasons = {note.file: note.reason for note in done.failed}
    assert set(reasons) == {"going.txt", r"bad\udcff.txt"}
    assert "vanished" in reasons["going.txt"] and "not UTF-8: rename it" in reasons[r"bad\udcff.txt"]
    assert done.added == 3 and await index.count() == 4


async def test_what_cannot_be_read_any_more_keeps_its_last_state(docs, index):
    await ingest(docs, index)
    (docs / "c.txt").write_bytes(b"\0\1\2" * 50)
    done = await ingest(docs, index)
    assert [note.file for note in done.failed] == ["c.txt"] and done.deleted == 0
    assert (await texts(index))["docs/c.txt"] == "delta words"


async def test_a_file_that_vanishes_between_listing_and_reading(docs, index, monkeypatch):
    await ingest(docs, index)
    (docs / "c.txt").write_text("changed", encoding="utf-8")
    from inloop.tools.index import ingestion as module

    real = module._read

    def vanishing(path, limit):
        if path.name == "c.txt":
            path.unlink()
        return real(path, limit)

    monkeypatch.setattr(module, "_read", vanishing)
    done = await ingest(docs, index)
    assert [note.file for note in done.failed] == ["c.txt"] and "docs/c.txt" not in await texts(index)


async def test_nothing_to_index(tmp_path, index):
    with pytest.raises(BadInput, match="does not exist"):
        await ingest(tmp_path / "absent", index)
    with pytest.raises(BadInput, match="it is empty"):
        await ingest(tmp_path, index)
    (tmp_path / "x.bin").write_bytes(b"1")
    with pytest.raises(BadInput, match=r"\(1 \.bin\)"):
        await ingest(tmp_path, index)


async def test_pictures_with_captions(tmp_path, index):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("fox", "owl", "bare"):
        (folder / f"{name}.png").write_bytes(png({"fox": "red", "owl": "grey", "bare": "blue"}[name]))
    (folder / "fox.txt").write_text("a fox in the snow", encoding="utf-8")
    (folder / "owl.png.txt").write_text("an owl at night", encoding="utf-8")
    (folder / "notes.txt").write_text("no caption of anything", encoding="utf-8")
    done = await ingest(folder, index, blobs=BlobStore(tmp_path / "blobs"))
    assert (done.added, done.passages) == (4, 4) and not done.failed
    [hits] = await index.search(["fox snow"], k=1)
    assert hits[0].passage.document == "pictures/fox.png" and hits[0].passage.image is not None
    (folder / "fox.txt").write_text("a fox in a field", encoding="utf-8")
    assert (await ingest(folder, index, blobs=BlobStore(tmp_path / "blobs"))).changed == 1

    class Captioner:
        model, revision = "describer", "1"

        async def caption(self, asked):
            return ["a plain blue square" for _ in asked]

    done = await ingest(folder, index, blobs=BlobStore(tmp_path / "blobs"), captioner=Captioner())
    [hits] = await index.search(["blue square"], k=1, mode="bm25")
    assert hits[0].passage.document == "pictures/bare.png"


async def test_progress_is_told(docs, index):
    told = []
    await ingest(docs, index, progress=lambda done, files, name: told.append((done, files, name)))
    assert told == [(0, 3, "a.md"), (1, 3, "c.txt"), (2, 3, "sub/b.txt"), (3, 3, "")]


async def test_links_that_lead_out_are_not_followed(docs, tmp_path, index):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("the password is tern", encoding="utf-8")
    (docs / "link.txt").symlink_to(outside / "secret.txt")
    (docs / "folder").symlink_to(outside)
    (docs / "within.txt").symlink_to(next(docs.glob("*.txt")))
    done = await ingest(docs, index)
    assert {note.file for note in done.notes} == {"link.txt", "folder"}
    assert all("leads out of the folder is not followed" in note.reason for note in done.notes)
    assert not [p async for p in index.iterate() if "password" in p.text] and done.failed == ()
    assert [p async for p in index.iterate(Compare(field="document", value="docs/within.txt"))]
    only = tmp_path / "only"
    only.mkdir()
    (only / "link.txt").symlink_to(outside / "secret.txt")
    with pytest.raises(BadInput, match="1 links that lead out of it"):
        await ingest(only, index)


class Pages:
    model, revision = "pages", "1"

    def __init__(self):
        self.read = 0

    async def pages(self, images):
        self.read += len(images)
        return ["The harbour was dredged in 1902." for _ in images]


async def test_pages_without_text_are_recognised(docs, index, tmp_path):
    pytest.importorskip("pypdfium2", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    (docs / "scan.pdf").write_bytes(pdf("The first page has words.", ""))
    reader, blobs = Pages(), BlobStore(tmp_path / "blobs")
    bare = await ingest(docs, index)
    assert [note.file for note in bare.notes] == ["scan.pdf"] and "--ocr rapidocr" in bare.notes[0].reason
    done = await ingest(docs, index, ocr=reader, blobs=blobs)
    assert (done.changed, done.notes, reader.read) == (1, (), 1)
    found = [(p.page, p.text) async for p in index.iterate(Compare(field="document", value="docs/scan.pdf"))]
    assert sorted(found) == [(1, "The first page has words."), (2, "The harbour was dredged in 1902.")]
    again = await ingest(docs, index, ocr=reader, blobs=blobs)
    assert again.changed == 0 and reader.read == 1


async def test_a_lacking_package_stops_no_other_file(docs, index, monkeypatch):
    (docs / "rules.docx").write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "docx", None)
    done = await ingest(docs, index)
    [note] = done.failed
    assert note.file == "rules.docx" and "pip install 'inloop[office]'" in note.reason and done.added > 1


async def test_rules_of_a_reader_are_part_of_what_is_unchanged(docs, index, monkeypatch):
    first = await ingest(docs, index)
    assert (await ingest(docs, index)).unchanged == first.added
    monkeypatch.setattr("inloop.tools.index.ingestion.rules_of", lambda media: 99)
    assert (await ingest(docs, index)).changed == first.added
    assert (await ingest(docs, index, encoding="cp1252")).changed == first.added
