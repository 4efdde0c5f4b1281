"""Gated blocks change nothing at first, learn from pairs, and leave every weight of CLIP as it was."""

import hashlib
import json

import numpy as np
import pytest
import torch
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.passages import Passage
from inloop.runtime.store.open import Store
from inloop.tools.adaptation.react import ReactRecipe, adapt, random_pairs, retrieve_pairs
from inloop.tools.encoders.clip import open_clip
from inloop.tools.encoders.gated_blocks import blocks_of, insert_blocks, load_blocks
from inloop.tools.encoders.zero_shot import class_vectors, classify
from inloop.tools.index.open import open_index
from inloop.tools.training import checkpoint

pytestmark = pytest.mark.trains

COLORS = {"red": (220, 30, 30), "green": (30, 160, 40), "blue": (30, 60, 220)}
QUICK = ReactRecipe(blocks=1, epochs=6, batch=8, rate=3e-3, gate_rate=0.05)


@pytest.fixture
def store(settings):
    with Store.open(settings) as opened:
        yield opened


def painted(blobs, color, number):
    rng = np.random.default_rng(number)
    pixels = np.clip(np.array(COLORS[color]) + rng.normal(0, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
    return blobs.put_image(Image.fromarray(pixels))


def pairs(blobs, each=8):
    return [
        Passage(id=f"{color}{n}", document="d", text=f"a {color} box", image=painted(blobs, color, 10 * n + place))
        for place, color in enumerate(COLORS)
        for n in range(each)
    ]


def loaded(folder):
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(folder).float().eval()


def digest(model):
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if ".block." not in name:
            total.update(name.replace(".layer.", ".", 1).encode() + value.numpy().tobytes())
    return total.hexdigest()


def logits(model):
    torch.manual_seed(3)
    pixels, words = torch.randn(3, 3, 32, 32), torch.randint(0, 200, (2, 7))
    with torch.inference_mode():
        return model(pixel_values=pixels, input_ids=words, attention_mask=torch.ones_like(words)).logits_per_image


def test_blocks_begin_by_changing_nothing(clip_folder):
    plain, model = loaded(clip_folder), loaded(clip_folder)
    blocks = insert_blocks(model, 2)
    assert list(blocks) == [0, 1] and (logits(model) - logits(plain)).abs().max() < 1e-5
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained and all(".block." in name for name in trained)
    blocks[1].mlp_gate.data += 0.5
    assert (logits(model) - logits(plain)).abs().max() > 1e-4, "an open gate does"
    with pytest.raises(BadInput, match="already"):
        insert_blocks(model, 1)
    for count in (0, 3):
        with pytest.raises(BadInput, match="2 layers"):
            insert_blocks(loaded(clip_folder), count)


def test_the_bundled_clip_is_itself_behind_closed_gates():
    from inloop.runtime import models

    folder = models.bundled("clip")
    plain, model = loaded(folder), loaded(folder)
    before = digest(model)
    insert_blocks(model, 4)
    torch.manual_seed(3)
    side = plain.config.vision_config.image_size
    given = {"pixel_values": torch.randn(4, 3, side, side), "input_ids": torch.randint(0, 800, (5, 9))}
    with torch.inference_mode():
        change = model(**given).logits_per_image - plain(**given).logits_per_image
    assert change.abs().max() < 1e-5 and digest(model) == before == digest(plain)


async def test_what_is_frozen_stays_byte_for_byte(clip_folder, settings, store, tmp_path):
    files = {path.name: path.read_bytes() for path in clip_folder.iterdir()}
    before = digest(loaded(clip_folder))
    folder = tmp_path / "adapter"
    card = await adapt(str(clip_folder), pairs(store.blobs), folder, store, settings, recipe=QUICK)
    assert card.losses[-1] < card.losses[0] and len(card.losses) == 6 and card.pairs == 24 and card.layers == (1,)
    assert {path.name: path.read_bytes() for path in clip_folder.iterdir()} == files
    adapted = loaded(clip_folder)
    load_blocks(folder, adapted)
    assert digest(adapted) == before
    assert float(blocks_of(adapted)[1].mlp_gate.detach().abs()) > 0
    assert sorted(path.name for path in folder.iterdir()) == ["adapter.json", "blocks.safetensors"]


async def test_it_learns_and_is_a_model_of_its_own(clip_folder, settings, store, tmp_path):
    """Random weights know no colours; pairs teach them, shuffled captions do not."""
    classes, templates = list(COLORS), ("a {} box",)
    test = [(color, painted(store.blobs, color, 1000 + n)) for n in range(8) for color in COLORS]
    held = pairs(store.blobs)
    captions = [pair.text for pair in held]
    shuffled = [pair.model_copy(update={"text": captions[(5 * n) % 24]}) for n, pair in enumerate(held)]
    found = {}
    for name, given in (("plain", None), ("react", held), ("shuffled", shuffled)):
        spec = str(clip_folder)
        if given is not None:
            await adapt(spec, given, tmp_path / name, store, settings, recipe=QUICK.model_copy(update={"epochs": 20}))
            spec += f"?adapter={tmp_path / name}"
        clip = open_clip(spec, store, settings)
        said = await classify(clip, [image for _, image in test], classes, templates=templates)
        found[name] = np.mean([one.text == color for one, (color, _) in zip(said, test, strict=True)])
        found[name, "revision"] = clip.revision
        assert all(abs(sum(one.scores.values()) - 1) < 1e-9 for one in said)
        await clip.aclose()
    assert found["react"] >= 0.9 and max(found["plain"], found["shuffled"]) <= 0.75
    assert len({found[name, "revision"] for name in ("plain", "react", "shuffled")}) == 3


async def test_the_same_training_is_not_paid_twice(clip_folder, settings, store, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_PAUSE", 0.0)
    held, folder = pairs(store.blobs), tmp_path / "adapter"
    whole = await adapt(str(clip_folder), held, folder, store, settings, recipe=QUICK)
    written = (folder / "blocks.safetensors").stat().st_mtime_ns
    assert await adapt(str(clip_folder), held, folder, store, settings, recipe=QUICK) == whole
    assert (folder / "blocks.safetensors").stat().st_mtime_ns == written
    with pytest.raises(BadInput, match="other pairs or another recipe"):
        await adapt(str(clip_folder), held[::-1], folder, store, settings, recipe=QUICK)

    class Cut(Exception):
        pass

    def cut(line):
        if line.startswith("epoch 3/"):
            raise Cut

    again, said = tmp_path / "again", []
    with pytest.raises(Cut):
        await adapt(str(clip_folder), held, again, store, settings, recipe=QUICK, say=cut)
    resumed = await adapt(str(clip_folder), held, again, store, settings, recipe=QUICK, say=said.append)
    assert [line.split("  ")[0] for line in said] == ["goes on from step 9/18", "epoch 4/6", "epoch 5/6", "epoch 6/6"]
    assert resumed == whole
    assert (again / "blocks.safetensors").read_bytes() == (folder / "blocks.safetensors").read_bytes()


async def test_bad_adapters_are_named(clip_folder, settings, store, tmp_path):
    def opened(folder):
        return open_clip(f"{clip_folder}?adapter={folder}", store, settings)

    with pytest.raises(BadInput, match="is no adapter"):
        opened(tmp_path / "nothing")
    folder = tmp_path / "adapter"
    await adapt(str(clip_folder), pairs(store.blobs), folder, store, settings, recipe=QUICK)
    with pytest.raises(BadInput, match="has an adapter already"):
        await adapt(
            f"{clip_folder}?adapter={folder}", pairs(store.blobs), tmp_path / "b", store, settings, recipe=QUICK
        )
    with pytest.raises(BadInput, match="takes the option adapter=FOLDER alone"):
        open_clip(f"{clip_folder}?steps=2", store, settings)
    weights = (folder / "blocks.safetensors").read_bytes()
    (folder / "blocks.safetensors").write_bytes(weights[:100])
    clip = opened(folder)
    with pytest.raises(PrerequisiteError, match="cannot be loaded"):
        await clip.texts(["a red box"])
    await clip.aclose()
    card = json.loads((folder / "adapter.json").read_text(encoding="utf-8"))
    (folder / "adapter.json").write_text(json.dumps(card | {"base_revision": "another"}), encoding="utf-8")
    with pytest.raises(BadInput, match="was trained for"):
        opened(folder)
    for given, reason in (
        (pairs(store.blobs, 2), "fewer than a batch"),
        ([Passage(id="1", document="d", text="a")], "no pair"),
    ):
        with pytest.raises(BadInput, match=reason):
            await adapt(str(clip_folder), given, tmp_path / "c", store, settings, recipe=QUICK)


async def test_pairs_are_retrieved_for_class_names(clip_folder, settings, store):
    pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    clip = open_clip(str(clip_folder), store, settings)
    index = await open_index("memory:", text=clip, image=clip)
    held = pairs(store.blobs, 5)
    await index.upsert([*held, *(Passage(id=f"t{n}", document="d", text="a red red box") for n in range(30))])
    found = await retrieve_pairs(index, ["red", "blue"], templates=("a {} box",), per_class=5, mode="bm25")
    assert sorted(pair.id for pair in found[:5]) == [f"red{n}" for n in range(5)], "bare texts are passed over"
    assert sorted(pair.id for pair in found) == sorted(p.id for p in held if p.text != "a green box")
    by_picture = await retrieve_pairs(index, ["red", "blue"], per_class=4, keys="image")
    assert len({pair.id for pair in by_picture}) == 8 and all(pair.image is not None for pair in by_picture)
    drawn = await random_pairs(index, 6, seed=1)
    assert len({pair.id for pair in drawn}) == 6 and drawn == await random_pairs(index, 6, seed=1)
    assert drawn != await random_pairs(index, 6, seed=2) and len(await random_pairs(index, 99)) == 15
    for classes, given in (([], {}), (["a"], {"templates": ["no place"]}), (["a"], {"per_class": 0})):
        with pytest.raises(BadInput):
            await retrieve_pairs(index, classes, **given)
    with pytest.raises(BadInput):
        await class_vectors(clip, ["a"], ["no place"])
    assert await classify(clip, [], ["red"], templates=["{}"]) == []
    await clip.aclose()
