"""Embeddings of a scaled-down CLIP: unit vectors that depend on nothing but their text or picture."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.records import BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.encoders.clip import open_clip

TEXTS = ["a red disc", "a blue box", "two stars", "a red disc on the left of a blue box", "star"]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


def pictures(store: Store, count: int = 5) -> list[BlobRef]:
    rng = np.random.default_rng(6)
    return [
        store.blobs.put_image(Image.fromarray(rng.integers(0, 256, (48, 40, 3), dtype=np.uint8))) for _ in range(count)
    ]


async def test_vectors_are_those_of_transformers(clip_folder: Path, settings: Settings, store: Store) -> None:
    from transformers import CLIPModel, CLIPProcessor

    images = pictures(store)
    clip = open_clip(str(clip_folder), store, settings)
    model, processor = CLIPModel.from_pretrained(clip_folder).eval(), CLIPProcessor.from_pretrained(clip_folder)
    inputs = processor(
        text=TEXTS, images=[store.blobs.get_image(image) for image in images], return_tensors="pt", padding=True
    )
    wanted = model(**inputs)
    texts, seen = np.array(await clip.texts(TEXTS)), np.array(await clip.images(images))
    assert np.abs(texts - wanted.text_embeds.detach().numpy()).max() < 1e-5
    assert np.abs(seen - wanted.image_embeds.detach().numpy()).max() < 1e-5
    assert np.abs(np.linalg.norm(np.vstack([texts, seen]), axis=1) - 1).max() < 1e-6
    assert len({tuple(vector) for vector in texts}) == len(TEXTS)
    await clip.aclose()


async def test_vectors_do_not_depend_on_their_company(clip_folder: Path, settings: Settings, tmp_path: Path) -> None:
    results = []
    for number in range(3):
        with Store(tmp_path / str(number)) as store:
            images = pictures(store)
            clip = open_clip(str(clip_folder), store, settings)
            if number == 0:
                made = [await clip.texts(TEXTS), await clip.images(images)]
            elif number == 1:
                made = [[(await clip.texts([text]))[0] for text in TEXTS], []]
                made[1] = [(await clip.images([image]))[0] for image in images]
            else:
                made = [(await clip.texts(TEXTS[::-1]))[::-1], (await clip.images(images[::-1] + images))[5:]]
            await clip.aclose()
        results.append(made)
    assert results[0] == results[1] == results[2]


async def test_a_cached_run_loads_nothing(clip_folder: Path, settings: Settings, store: Store) -> None:
    (image,) = pictures(store, 1)
    clip = open_clip(str(clip_folder), store, settings)
    first = [*await clip.texts(TEXTS[:2]), *await clip.images([image])]
    await clip.aclose()
    store.close()
    code = f"""
import asyncio, json, sys
from pathlib import Path
from inloop.runtime.records import BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.encoders.clip import open_clip
settings = Settings(runs_dir=Path({str(settings.runs_dir)!r}), cache_dir=Path({str(settings.cache_dir)!r}))
clip = open_clip({str(clip_folder)!r}, Store.open(settings), settings)
async def main():
    made = [*await clip.texts({TEXTS[:2]!r}), *await clip.images([BlobRef.model_validate({image.model_dump()!r})])]
    print(made == {first!r}, clip.loaded, [name for name in ("torch", "transformers") if name in sys.modules])
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "True False []\n", done.stderr


async def test_a_long_text_is_refused_and_not_cut(clip_folder: Path, settings: Settings, store: Store) -> None:
    clip = open_clip(str(clip_folder), store, settings)
    fits = "star " * 75
    with pytest.raises(BadInput, match=r"has 78 tokens and clip-small takes 77"):
        await clip.texts([fits + "red", fits])
    assert store.ledger.counts()["embedding"]["paid"] == 1
    with pytest.raises(BadInput, match="' ' is empty"):
        await clip.texts([" "])
    await clip.aclose()


async def test_a_missing_picture_is_told(clip_folder: Path, settings: Settings, store: Store) -> None:
    images = pictures(store, 2)
    store.blobs.path(images[0]).unlink()
    clip = open_clip(str(clip_folder), store, settings)
    with pytest.raises(PrerequisiteError, match="not in the store"):
        await clip.images(images)
    assert len(await clip.images(images[1:])) == 1 and store.ledger.counts()["embedding"] == {"paid": 1, "reused": 1}
    await clip.aclose()
