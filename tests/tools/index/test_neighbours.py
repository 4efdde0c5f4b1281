"""Neighbours of a query: the best mean vectors of any store, exactly, and the rules by which documents are left out."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from inloop.agents.captions.neighbour_captioner import NeighbourCaptioner, write_captions
from inloop.runtime.errors import BadInput
from inloop.runtime.fakes import ScriptedVQA
from inloop.runtime.passages import Compare, Passage, Query
from inloop.runtime.store.blobs import BlobStore
from inloop.runtime.store.open import Store
from inloop.tools.encoders.clip import open_clip
from inloop.tools.index.neighbours import Neighbours, Selection, drop_cells, drop_words
from inloop.tools.index.open import open_index

pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")


class Few:
    """Vectors of few numbers from hashes, so that many documents lie close together."""

    model, revision = "few", "1"

    def __init__(self, size=4):
        self.size = size

    def vector(self, key):
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        drawn = np.random.default_rng(seed).normal(size=self.size)
        return (drawn / np.linalg.norm(drawn)).tolist()

    async def texts(self, texts, *, role=None):
        return [self.vector(text) for text in texts]

    async def images(self, images):
        return [self.vector(image.sha256) for image in images]

    async def aclose(self):
        pass


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "blobs")


def picture(blobs, number):
    pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return blobs.put_image(Image.fromarray(pixels))


def documents(blobs, count):
    return [
        Passage(id=f"d{n:03d}", document="d", text=f"words {n}", image=picture(blobs, n), meta={"half": n % 2})
        for n in range(count)
    ]


def cosine(one, other):
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


def by_hand(embedder, held, query, k, diversity):
    """All documents by score, then the rule: the definition, without an index."""
    means = {p.id: (np.array(embedder.vector(p.text)) + embedder.vector(p.image.sha256)) / 2 for p in held}
    chosen = []
    for p in sorted(held, key=lambda p: (-means[p.id] @ query, p.id)):
        near = [query, *(means[other] for other in chosen)]
        if diversity is None or all(cosine(means[p.id], other) <= diversity for other in near):
            chosen.append(p.id)
    return chosen[:k]


@pytest.mark.parametrize("diversity", [None, 0.9, 0.3])
@pytest.mark.parametrize("url", ["memory:", "lancedb"])
async def test_the_best_means_are_found_exactly(blobs, tmp_path, url, diversity):
    if url == "lancedb":
        pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
        url = f"lancedb://{tmp_path}/index"
    embedder = Few()
    index = await open_index(url, text=embedder, image=embedder)
    held = documents(blobs, 120)
    await index.upsert([*held, Passage(id="bare", document="d", text="words alone")])
    finder = Neighbours(index, embedder, blobs, Selection(diversity=diversity, duplicate=None))
    for k in (1, 5):
        queries = [Query(text=f"asked {n}") for n in range(4)]
        found = await finder.find(queries, k=k)
        for query, each in zip(queries, found, strict=True):
            vector = np.array(embedder.vector(query.text))
            assert [one.passage.id for one in each] == by_hand(embedder, held, vector, k, diversity)
            means = [
                (np.array(embedder.vector(o.passage.text)) + embedder.vector(o.passage.image.sha256)) / 2 for o in each
            ]
            assert [one.score for one in each] == pytest.approx([mean @ vector for mean in means], abs=1e-5)
    if diversity == 0.3:
        everything = (await finder.find([Query(text="asked 0")], k=120))[0]
        assert 0 < len(everything) < 120, "fewer than asked for, and it ends"
    await index.close()


async def test_what_is_left_out(blobs):
    embedder = Few(64)
    index = await open_index("memory:", text=embedder, image=embedder)
    held = documents(blobs, 20)
    await index.upsert(held)
    anything = Neighbours(index, embedder, blobs, Selection(diversity=None, duplicate=None))
    strict = Neighbours(index, embedder, blobs, Selection(diversity=None))

    async def ids(finder, query, **given):
        [found] = await finder.find([query], k=20, **given)
        return {one.passage.id for one in found}

    same_picture, same_words = Query(image=held[3].image), Query(text="WORDS  3")
    assert await ids(anything, same_picture) == {p.id for p in held} == await ids(anything, same_words)
    assert await ids(strict, same_picture) == {p.id for p in held} - {"d003"} == await ids(strict, same_words)
    assert "d004" not in await ids(anything, same_words, exclude=[["d004"]])
    assert await ids(anything, same_words, where=Compare(field="meta.half", value=1)) == {p.id for p in held[1::2]}
    both = Query(text="words 3", image=held[3].image)
    [[first, *_]] = await anything.find([both], k=1)
    assert first.passage.id == "d003" and first.score == pytest.approx(
        np.linalg.norm(_mean(embedder, held[3])), abs=1e-5
    )


def _mean(embedder, passage):
    return (np.array(embedder.vector(passage.text)) + embedder.vector(passage.image.sha256)) / 2


async def test_query_dropout(blobs):
    embedder = Few(64)
    index = await open_index("memory:", text=embedder, image=embedder)
    await index.upsert(documents(blobs, 30))
    query = Query(text="one two three four five six seven eight nine ten", image=picture(blobs, 99))

    async def scores(queries, **given):
        found = await Neighbours(index, embedder, blobs, Selection(diversity=None, **given)).find(queries, k=5)
        return [(one.passage.id, one.score) for one in found[-1]]

    thinned = await scores([query], dropout=0.2, seed=1)
    assert thinned == await scores([Query(text="company"), query], dropout=0.2, seed=1), "by its seed alone"
    assert len({tuple(thinned), tuple(await scores([query], dropout=0.2, seed=2)), tuple(await scores([query]))}) == 3

    rng = np.random.default_rng(0)
    kept = drop_words(query.text, 0.2, rng).split()
    assert len(kept) == 8 and sorted(kept, key=query.text.split().index) == kept
    assert drop_words("alone", 0.9, rng) == "alone" and drop_words("", 0.5, rng) == ""
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 64, 3), dtype=np.uint8))
    changed = np.asarray(drop_cells(image, 0.25, rng)) != np.asarray(image)
    cells = changed.any(axis=2).reshape(8, 5, 8, 8).any(axis=(1, 3))
    assert cells.sum() == 16


async def test_bad_input(blobs):
    embedder = Few()
    index = await open_index("memory:", text=embedder, image=embedder)
    finder = Neighbours(index, embedder, blobs)
    assert await finder.find([Query(text="nothing is there")]) == [[]]
    for queries, given in (
        ([Query(text="a")], {"k": 0}),
        ([Query(text="a")], {"exclude": []}),
        ([Query(vector=(1.0, 0.0, 0.0, 0.0))], {}),
    ):
        with pytest.raises(BadInput):
            await finder.find(queries, **given)
    bare = await open_index("memory:", text=embedder)
    await bare.upsert(documents(blobs, 2))
    with pytest.raises(BadInput, match=r"image vectors .* are missing"):
        await Neighbours(bare, embedder, blobs).find([Query(text="a")])


async def test_real_embeddings_need_no_second_pass(clip_folder, settings):
    """The index and the finder share one embedder: what was embedded for the index is not paid again."""
    with Store.open(settings) as store:
        clip = open_clip(str(clip_folder), store, settings)
        index = await open_index("memory:", text=clip, image=clip)
        held = [
            Passage(id=str(n), document="d", text=f"a red {word}", image=picture(store.blobs, n))
            for n, word in enumerate(["disc", "box", "star", "picture"])
        ]
        await index.upsert(held)
        served = clip.stats.items
        finder = Neighbours(index, clip, store.blobs, Selection(diversity=None, duplicate=1.0))
        [found] = await finder.find([Query(image=held[1].image)], k=4)
        assert clip.stats.items == served and {one.passage.id for one in found} == {"0", "2", "3"}
        await clip.aclose()


async def test_captions_say_what_the_vqa_model_confirms(blobs):
    """Hypotheses come from the neighbours; what is not confirmed is struck, and of two for one thing the surer stays."""
    yes = {
        "Is there a red disc?": 0.9, "Are there stars?": 0.8, "Are there exactly two stars?": 0.3, "Is there a box?": 0.7,
        "Is there a large disc?": 0.95,
    }  # fmt: skip
    asked = []

    def answer(image, question):
        asked.append(question)
        return "box" if question.startswith("What") else yes.get(question, 0.1)

    vqa, embedder = ScriptedVQA(answer), Few(64)
    image = picture(blobs, 0)
    shown = [Passage(id=t, document="d", text=t, image=image) for t in ("a red disc above two stars", "a large disc")]
    assert await write_captions([image, image], [shown, []], vqa, embedder, most=3) == [
        "a large disc and a box",
        "a box",
    ]
    assert {"Are there exactly two stars?", "Is there a red disc?"} <= set(asked)
    assert await write_captions([], [], vqa, embedder) == []

    index = await open_index("memory:", text=embedder, image=embedder)
    await index.upsert([p.model_copy(update={"image": picture(blobs, n + 5)}) for n, p in enumerate(shown)])
    finder = Neighbours(index, embedder, blobs, Selection(diversity=None))
    captioner = NeighbourCaptioner(finder, vqa, embedder, k=2)
    assert await captioner.caption([(image, None), (image, "What is red?")]) == ["a large disc and a box"] * 2
    assert await NeighbourCaptioner(finder, vqa, embedder, k=0).caption([(image, None)]) == ["a box"]
    with pytest.raises(BadInput):
        NeighbourCaptioner(finder, vqa, embedder, k=-1)
