"""The memory classifier at its borders: what trains, what stays, what a memory is worth, and classes added without training."""

import hashlib
import json

import numpy as np
import pytest
import torch
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.passages import Passage
from inloop.runtime.store.blobs import BlobStore
from inloop.runtime.store.open import Store
from inloop.tools.adaptation.memory_attention import MemoryAttention
from inloop.tools.adaptation.memory_classifier import MemoryClassifier, MemoryRecipe, neighbours_of, vote
from inloop.tools.encoders.clip import open_clip
from inloop.tools.encoders.zero_shot import class_vectors
from inloop.tools.index.open import open_index

pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytestmark = pytest.mark.trains

SIZE, CLASSES = 16, ("ant", "bee", "cow", "dog", "elk", "fox")


class Known:
    """Pictures and captions with vectors that were put in."""

    model, revision = "known", "1"

    def __init__(self):
        self.vectors = {}
        self.names = {}

    async def texts(self, texts, *, role=None):
        return [self.names[text] for text in texts]

    async def images(self, images):
        return [self.vectors[image.sha256] for image in images]

    async def aclose(self):
        pass


class World:
    """Each class has two far modes; a class weight fitted to the mode of one picture misses the other mode, a memory knows both."""

    def __init__(self, blobs, seed=5):
        self.blobs, self.embedder, self.made = blobs, Known(), 0
        rng = np.random.default_rng(seed)
        self.modes = {name: rng.normal(size=(2, SIZE)) for name in CLASSES}
        self.rng = np.random.default_rng(seed + 1)
        middles = {
            name: modes.sum(axis=0) for name, modes in self.modes.items()
        }  # as CLIP has a caption amid its pictures
        self.embedder.names = {name: (m / np.linalg.norm(m)).tolist() for name, m in middles.items()}

    def picture(self, name, mode):
        self.made += 1
        image = self.blobs.put(self.made.to_bytes(4, "big"), "image/png")
        vector = self.modes[name][mode] + 0.5 * self.rng.normal(size=SIZE)
        self.embedder.vectors[image.sha256] = (vector / np.linalg.norm(vector)).tolist()
        return image

    def pairs(self, classes, each, prefix="m"):
        return [
            Passage(id=f"{prefix}{name}{n}", document="d", text=name, image=self.picture(name, n % 2))
            for name in classes
            for n in range(each)
        ]

    async def index(self, pairs):
        index = await open_index("memory:", text=self.embedder, image=self.embedder)
        await index.upsert(pairs)
        return index

    def tail(self):
        """One picture each of the last three classes, ten of the others."""
        shown = [(n, self.picture(n, i % 2)) for n in CLASSES[:3] for i in range(10)]
        shown += [(n, self.picture(n, 0)) for n in CLASSES[3:]]
        return [image for _, image in shown], [name for name, _ in shown]


@pytest.fixture
def world(tmp_path):
    return World(BlobStore(tmp_path / "blobs"))


async def accuracy(classifier, tests, classes=CLASSES):
    said = await classifier.predict([image for _, image in tests])
    right = [one.text == name for one, (name, _) in zip(said, tests, strict=True) if name in classes]
    return np.mean(right)


async def test_memory_helps_the_tail_and_a_shuffled_one_does_not(tmp_path):
    """Over three worlds: what one training of a few pictures gains is chance."""
    tail, head, gained = CLASSES[3:], CLASSES[:3], {}
    for seed in (5, 6, 7):
        world = World(BlobStore(tmp_path / f"blobs{seed}"), seed)
        held = world.pairs(CLASSES, 20)
        images, labels = world.tail()
        tests = [(name, world.picture(name, n % 2)) for name in CLASSES for n in range(30)]
        wrong = np.random.default_rng(1).permutation(len(held))
        shuffled = [p.model_copy(update={"text": held[n].text}) for p, n in zip(held, wrong, strict=True)]
        for name, index in (
            ("probe", None),
            ("memory", await world.index(held)),
            ("shuffled", await world.index(shuffled)),
        ):
            classifier = MemoryClassifier(index, world.embedder, recipe=MemoryRecipe(k=8, rate=1e-2))
            losses = await classifier.fit(images, labels)
            assert losses[-1] < losses[0] and classifier.classes == CLASSES
            right = (await accuracy(classifier, tests, tail), await accuracy(classifier, tests, head))
            gained.setdefault(name, []).append(right)
    mean = {name: np.mean(rights, axis=0) for name, rights in gained.items()}
    assert mean["memory"][0] > max(mean["probe"][0], mean["shuffled"][0]) + 0.1
    assert mean["memory"][1] > mean["probe"][1] - 0.1


async def test_a_class_is_added_without_training(world):
    old, new = CLASSES[:4], CLASSES[4]
    index = await world.index(world.pairs(old, 20))
    shown = [(name, world.picture(name, n % 2)) for name in old for n in range(10)]
    classifier = MemoryClassifier(index, world.embedder, recipe=MemoryRecipe(k=8))
    await classifier.fit([image for _, image in shown], [name for name, _ in shown])
    tests = [(name, world.picture(name, n % 2)) for name in (*old, new) for n in range(20)]
    before = {name: value.clone() for name, value in classifier._module.state_dict().items()}
    known = await accuracy(classifier, tests, old)
    assert await accuracy(classifier, tests, [new]) == 0
    await classifier.add_class(new, world.pairs([new], 10, "new"))
    assert classifier.classes == (*old, new) and await index.count() == 90
    after = classifier._module.state_dict()
    assert all(
        torch.equal(value, after[name][:4] if name == "classes" else after[name]) for name, value in before.items()
    )
    assert await accuracy(classifier, tests, [new]) >= 0.7 and await accuracy(classifier, tests, old) >= known - 0.1
    for name, pairs in (
        (new, world.pairs([new], 1, "x")),
        ("other", []),
        ("other", [Passage(id="1", document="d", text="ant")]),
    ):
        with pytest.raises(BadInput):
            await classifier.add_class(name, pairs)


async def test_it_is_saved_and_loaded(world, tmp_path):
    index = await world.index(world.pairs(CLASSES, 5))
    images, labels = world.tail()
    classifier = MemoryClassifier(index, world.embedder, recipe=MemoryRecipe(k=4, epochs=2))
    with pytest.raises(BadInput, match="call fit or load"):
        await classifier.predict(images)
    await classifier.fit(images, labels)
    said, folder = await classifier.predict(images), tmp_path / "saved"
    classifier.save(folder)
    again = MemoryClassifier(index, world.embedder)
    again.load(folder)
    assert await again.predict(images) == said and again.recipe == classifier.recipe
    assert await again.predict([]) == [] and all(abs(sum(one.scores.values()) - 1) < 1e-9 for one in said)
    with pytest.raises(BadInput, match="was trained with"):
        MemoryClassifier(None, world.embedder).load(folder)
    with pytest.raises(BadInput, match="holds no memory classifier"):
        again.load(tmp_path)
    card = json.loads((folder / "memory.json").read_text(encoding="utf-8"))
    (folder / "memory.json").write_text(json.dumps({"classes": card["classes"]}), encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="cannot be read"):
        again.load(folder)
    for pictures, names in ((images, labels[1:]), (images[:2], ["ant", "ant"]), ([], [])):
        with pytest.raises(BadInput):
            await classifier.fit(pictures, names)
    with pytest.raises(BadInput, match="holds no captioned picture"):
        empty = await open_index("memory:", text=world.embedder, image=world.embedder)
        await MemoryClassifier(empty, world.embedder).fit(images, labels)


async def test_a_picture_is_not_its_own_neighbour(world):
    """The training pictures are in the memory, under wrong captions: read, they would mislead every vote."""
    held = world.pairs(CLASSES, 6)
    lies = [p.model_copy(update={"text": CLASSES[(CLASSES.index(p.text) + 1) % 6]}) for p in held]
    names = await class_vectors(world.embedder, CLASSES, ["{}"])
    images = [p.image for p in held]
    alone = await vote(await world.index(lies[:1]), world.embedder, images[1:], CLASSES, names, k=1)
    assert set(alone) == {lies[0].text}
    index = await world.index([*lies[:1], *(p for p in world.pairs(CLASSES, 6, "other"))])
    [said] = await vote(index, world.embedder, images[:1], CLASSES, names, k=1)
    assert said != lies[0].text


async def test_a_picture_with_many_captions_still_has_all_its_neighbours(world):
    held = world.pairs(CLASSES, 2)
    own = held[0].image
    many = [held[0].model_copy(update={"id": f"own{n}"}) for n in range(30)]
    index = await world.index([*held, *many])
    images = [own, held[1].image]
    vectors = np.array(await world.embedder.images(images), dtype=np.float32)
    mine, other = await neighbours_of(index, images, vectors, 8, None)
    assert len(mine) == 8 and len({passage.id for passage in mine}) == 8 and all(p.image != own for p in mine)
    assert len(other) == 8
    [few, _] = await neighbours_of(index, images, vectors, 50, None)
    assert len(few) == len(held) - 1, "no more than there are"


def test_without_neighbours_and_at_a_closed_gate_it_is_the_probe():
    torch.manual_seed(0)
    module, probe = MemoryAttention(8, 5, 3).eval(), MemoryAttention(8, None, 3).eval()
    with torch.no_grad():
        module.classes.normal_()
        probe.classes.copy_(module.classes)
    vectors, keys, values = torch.randn(4, 8), torch.randn(4, 6, 8), torch.randn(4, 6, 5)
    memory = (keys, values, torch.ones(4, 6, dtype=torch.bool))
    nothing = (keys, values, torch.zeros(4, 6, dtype=torch.bool))
    assert torch.equal(module(vectors, memory), probe(vectors, None))
    with torch.no_grad():
        module.gate.fill_(1.0)
    assert not torch.allclose(module(vectors, memory), probe(vectors, None))
    assert torch.allclose(module(vectors, nothing), probe(vectors, None))


async def test_the_encoder_stays_byte_for_byte(clip_folder, settings):
    def digest(model):
        return hashlib.sha256(b"".join(v.numpy().tobytes() for v in model.state_dict().values())).hexdigest()

    with Store.open(settings) as store:
        clip = open_clip(str(clip_folder), store, settings)
        rng = np.random.default_rng(2)
        images = [
            store.blobs.put_image(Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))) for _ in range(12)
        ]
        index = await open_index("memory:", text=clip, image=clip)
        words = ["a red disc", "a blue box"]
        await index.upsert(
            [Passage(id=str(n), document="d", text=words[n % 2], image=i) for n, i in enumerate(images[:6])]
        )
        before = digest(clip._model)
        classifier = MemoryClassifier(index, clip, recipe=MemoryRecipe(k=3, epochs=3))
        await classifier.fit(images[6:], ["disc", "box"] * 3)
        assert len(await classifier.predict(images)) == 12 and digest(clip._model) == before
        await clip.aclose()
