"""Every store against the conformance suite: real LanceDB, Qdrant's local mode, real PostgreSQL with pgvector."""

import os
import random

import pytest

from inloop.runtime.errors import BadInput
from inloop.runtime.passages import Compare, Passage, Query, passage_id
from inloop.tools.index.conformance.checks import CHECKS, Lacks, LetterEmbedder, check_all
from inloop.tools.index.memory import MemoryIndex
from inloop.tools.index.open import local_path, open_index

pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("Stemmer", reason="the extra rag is not installed: pip install 'inloop[rag]'")


@pytest.mark.parametrize("check", CHECKS)
async def test_in_memory(check):
    async def opener(**given):
        return await open_index("memory:", **given)

    await CHECKS[check](opener, Lacks(persistence=True))


@pytest.mark.parametrize("check", CHECKS)
async def test_lancedb(check, tmp_path):
    pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")

    async def opener(**given):
        return await open_index(f"lancedb://{tmp_path}/index", **given)

    await CHECKS[check](opener, Lacks())


@pytest.mark.parametrize("check", CHECKS)
async def test_qdrant_in_a_folder(check, tmp_path):
    pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed: pip install 'inloop[qdrant]'")

    async def opener(**given):
        return await open_index(f"qdrant+file://{tmp_path}/index", **given)

    await CHECKS[check](opener, Lacks(text_order=True, widening=True))


@pytest.mark.parametrize("check", CHECKS)
async def test_qdrant_server(check):
    pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed: pip install 'inloop[qdrant]'")
    server = os.environ.get("INLOOP_TEST_QDRANT")
    if not server:
        pytest.skip("no Qdrant server: start one and set INLOOP_TEST_QDRANT=qdrant://HOST:PORT")
    name = f"{server.rstrip('/')}/inloop-test-{os.getpid()}-{check}"

    async def opener(**given):
        return await open_index(name, **given)

    await CHECKS[check](opener, Lacks(text_order=True, widening=True))


@pytest.mark.parametrize("check", CHECKS)
async def test_postgresql(check, postgres_url):
    pytest.importorskip("psycopg", reason="the extra pgvector is not installed: pip install 'inloop[pgvector]'")
    mark = "&" if "?" in postgres_url else "?"

    async def opener(**given):
        return await open_index(f"{postgres_url}{mark}name=t{os.getpid()}_{check}", **given)

    await CHECKS[check](opener, Lacks())


@pytest.mark.parametrize("check", CHECKS)
async def test_langchain(check):
    from langchain_core.vectorstores import InMemoryVectorStore

    from inloop.tools.index.langchain import AsEmbeddings, LangChainIndex

    store = InMemoryVectorStore(AsEmbeddings(LetterEmbedder()))

    async def opener(text, image=None, chunker=""):
        if image is not None:
            assert check == "pictures"
        return await LangChainIndex(store, text=text, chunker=chunker).open()

    await CHECKS[check](opener, Lacks(filters=True, bm25=True, images=True, listing=True, manifest=True))


async def test_the_suite_finds_faults():
    """A store that ignores filters, doubles rows or returns distances does not pass."""

    class Deaf(MemoryIndex):
        async def count(self, where=None):
            return await super().count(None)

    class Distances(MemoryIndex):
        async def _near(self, space, vectors, k, where):
            found = await super()._near(space, vectors, k, where)
            return [[(passage, 1 - cosine) for passage, cosine in ranking] for ranking in found]

    class Forgetful(MemoryIndex):
        async def _remove(self, ids, where):
            return len(ids)

    class Blind(MemoryIndex):
        def iterate(self, where=None, *, without=None):
            return super().iterate(where)

    faults = {Deaf: "filters", Distances: "dense_search", Forgetful: "deletes_delete", Blind: "vectors_later"}
    for broken, check in faults.items():

        def opener(broken=broken):
            async def opened(**given):
                return await broken(**given).open()

            return opened

        outcomes = await check_all(opener, Lacks(persistence=True))
        assert outcomes[check], broken


def test_local_paths(monkeypatch):
    assert str(local_path("lancedb:///./index")) == "index"
    assert str(local_path("lancedb:///../up/index")) == "../up/index"
    assert str(local_path("lancedb:///data/index")) == "/data/index"
    assert str(local_path("lancedb:index")) == "index" and str(local_path("some/index")) == "some/index"
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(local_path("qdrant+file:///~/index")) == "/home/someone/index"
    with pytest.raises(BadInput, match="names no folder"):
        local_path("lancedb://")


async def test_urls_of_no_known_kind():
    for url in ("chroma://x", "http://host"):
        with pytest.raises(BadInput, match="no index that inloop knows"):
            await open_index(url)


async def test_an_index_that_must_be_there(tmp_path):
    pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    with pytest.raises(BadInput, match="there is no index"):
        await open_index(f"lancedb://{tmp_path}/absent", create=False)
    assert not (tmp_path / "absent").exists(), "looking makes nothing"
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BadInput, match="is a file"):
        await open_index(str(tmp_path / "file"))
    (tmp_path / "foreign" / "t.lance").mkdir(parents=True)
    with pytest.raises(BadInput, match="did not make"):
        await open_index(str(tmp_path / "foreign"))


def test_records_refuse_nonsense():
    with pytest.raises(ValueError, match="words or a picture"):
        Passage(id="1", document="d", text="  ")
    with pytest.raises(ValueError, match="meta name"):
        Passage(id="1", document="d", text="x", meta={"a'b": 1})
    with pytest.raises(ValueError, match="no field"):
        Compare(field="text", value="x")
    with pytest.raises(ValueError, match="does not order truth values"):
        Compare(field="meta.a", op="lt", value=True)
    with pytest.raises(ValueError, match="needs words"):
        Query()
    assert passage_id("d", "text") == passage_id("d", "text") != passage_id("d", "text", 1)
    shown = Passage(id="1", document="d", text="under B", title="T", headings=("A", "B"))
    assert shown.indexed == "T\nA\nunder B"


async def test_vectors_in_partitions_are_found_exactly(tmp_path, monkeypatch):
    """A large LanceDB index finds what the one in memory finds, with a filter, and also what came in afterwards."""
    pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    from inloop.tools.index import lancedb_table

    monkeypatch.setattr(lancedb_table, "_ANN_ROWS", 600)
    embedder, rng = LetterEmbedder(), random.Random(0)
    texts = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=40)) for _ in range(900)]
    passages = [Passage(id=f"{n:04}", document=f"d{n % 7}", text=text) for n, text in enumerate(texts)]
    large = await open_index(f"lancedb://{tmp_path}/index", text=embedder)
    small = await open_index("memory:", text=embedder)
    for index in (large, small):
        await index.upsert(passages[:800])
        await index.optimise()
        await index.upsert(passages[800:])
        await index.delete(["0003"])
    table = await large._table(None)
    assert any("text_vector" in made.columns for made in await table.list_indices())
    for where in (None, Compare(field="document", op="eq", value="d2")):
        asked = [texts[n] for n in (3, 44, 850)]
        found, wanted = [await index.search(asked, k=20, mode="dense", where=where) for index in (large, small)]
        for some, others in zip(found, wanted, strict=True):
            near = [{hit.passage.id: round(hit.similarity, 5) for hit in hits} for hits in (some, others)]
            assert list(near[0].values()) == list(near[1].values())
            last = min(near[0].values())  # of equally near ones at the end either may be there
            assert {key for key, value in near[0].items() if value > last} == {
                k for k, v in near[1].items() if v > last
            }
    await large.close()
    await small.close()


async def test_an_index_of_ones_own(tmp_path, monkeypatch):
    source = "from inloop.tools.index.memory import MemoryIndex\nclass Mine(MemoryIndex): pass\ndef none(url, **given): return 3\n"
    (tmp_path / "shelf.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    index = await open_index("shelf:Mine", chunker="c")
    assert type(index).__name__ == "Mine" and await index.count() == 0
    with pytest.raises(BadInput, match=r"'shelf:none' opens is no index: it has no annotate, no close, no count"):
        await open_index("shelf:none")


async def test_words_counted_by_other_rules_are_not_searched(tmp_path, monkeypatch):
    pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    url = f"lancedb://{tmp_path}/index"
    with monkeypatch.context() as before:
        before.setattr("inloop.tools.index.base.terms_here", lambda: "")  # an index from before the rules had a number
        index = await open_index(url)
        await index.upsert([Passage(id="a", document="d", text="ประภาคาร")])
        await index.close()
    with pytest.raises(BadInput, match=r"counted by other rules \(terms 1 and not .*index anew under another URL"):
        await open_index(url)
    assert local_path(url).is_dir(), "it is left as it is"
