"""Encoders of pictures: scaled-down models of each family against transformers itself, and specs that are refused."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.records import BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.encoders import ClipEmbedder, PictureEncoder, open_encoder

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
VIT = {**SMALL, "image_size": 32, "patch_size": 8}
CNN = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1]}
FAMILIES = {
    "dino": ("ViT", VIT),
    "ibot": ("ViT", VIT),
    "dinov2": ("Dinov2", VIT),
    "dinov3": ("DINOv3ViT", {**VIT, "num_register_tokens": 2}),
    "beit": ("Beit", {**VIT, "use_mean_pooling": True}),
    "seer": ("RegNet", {**CNN, "groups_width": 8}),
    "": ("ResNet", {**CNN, "layer_type": "basic"}),
}


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


def pictures(store: Store, count: int = 5) -> list[BlobRef]:
    rng = np.random.default_rng(6)
    return [
        store.blobs.put_image(Image.fromarray(rng.integers(0, 256, (48, 40, 3), dtype=np.uint8))) for _ in range(count)
    ]


def save(family: str, folder: Path) -> Path:
    import torch
    import transformers

    name, options = FAMILIES[family]
    torch.manual_seed(3)
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**options))
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    transformers.ViTImageProcessor(size=size, image_mean=[0.4] * 3, image_std=[0.3] * 3).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
async def test_vectors_are_those_of_transformers_and_a_second_time_nothing_is_computed(
    family: str, tmp_path: Path, settings: Settings, store: Store
) -> None:
    import torch
    from transformers import AutoImageProcessor, AutoModel

    folder, images = save(family, tmp_path / "model"), pictures(store)
    spec = f"{family}:{folder}" if family else str(folder)
    encoder = open_encoder(spec, store, settings)
    assert isinstance(encoder, PictureEncoder)
    vectors = np.array(await encoder.images(images))
    assert encoder.model == "model" and len(encoder.revision) == 64
    processor = AutoImageProcessor.from_pretrained(folder)
    pixels = processor([store.blobs.get_image(image) for image in images], return_tensors="pt").pixel_values
    with torch.inference_mode():
        out = AutoModel.from_pretrained(folder).eval()(pixel_values=pixels)
    tokens = out.last_hidden_state
    wanted = {"dino": tokens[:, 0], "ibot": tokens[:, 0], "beit": tokens[:, 1:].mean(dim=1)}.get(family)
    wanted = (out.pooler_output.flatten(1) if wanted is None else wanted).numpy()
    np.testing.assert_allclose(vectors, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-5)
    again = open_encoder(spec, store, settings)
    assert isinstance(again, PictureEncoder)
    assert (np.array(await again.images(images)) == vectors).all() and not again.loaded
    assert (np.array(await encoder.images(images[::-1])) == vectors[::-1]).all()
    await encoder.aclose()
    await again.aclose()


async def test_the_company_of_a_picture_does_not_change_its_vector(
    tmp_path: Path, settings: Settings, store: Store
) -> None:
    images, folder = pictures(store, 11), save("dinov2", tmp_path / "model")
    encoder = open_encoder(str(folder), store, settings)
    together = await encoder.images(images)
    with Store.open(settings.model_copy(update={"cache_dir": tmp_path / "other"})) as other:
        alone = open_encoder(str(folder), other, settings)
        assert await alone.images(pictures(other, 11)[7:8]) == together[7:8]


def test_a_clip_model_opens_with_its_texts(clip_folder: Path, settings: Settings, store: Store) -> None:
    for spec in (str(clip_folder), f"clip:{clip_folder}", "mini", "clip:mini"):
        assert isinstance(open_encoder(spec, store, settings), ClipEmbedder)


class Grey:
    """An encoder of one's own."""

    model, revision = "me/grey", "1"

    async def images(self, images):
        return [[1.0, 0.0] for _ in images]


async def test_an_encoder_of_ones_own_needs_no_texts(settings: Settings, store: Store) -> None:
    encoder = open_encoder(Grey(), store, settings)
    assert await encoder.images(pictures(store, 2)) == [[1.0, 0.0]] * 2
    with pytest.raises(BadInput, match="no picture encoder: it has no"):
        open_encoder(object(), store, settings)


def test_specs_that_do_not_fit_are_refused(tmp_path: Path, settings: Settings, store: Store) -> None:
    folder = save("dinov2", tmp_path / "model")
    for spec, words in (
        (f"beit:{folder}", "'dinov2'.*beit has beit"),
        (f"{folder}?batch=2", "leave out batch"),
        (f"vitamin:{folder}", "cannot be opened yet"),
        ("dino:mini", "the bundled encoder is a CLIP"),
        (f"dino:{tmp_path / 'nothing'}", "neither"),
        ("dino:", "neither"),
    ):
        with pytest.raises(BadInput, match=words):
            open_encoder(spec, store, settings)


async def test_weights_that_are_missing_are_not_made_up(tmp_path: Path, settings: Settings, store: Store) -> None:
    from safetensors.torch import load_file, save_file

    file = save("dinov2", tmp_path / "model") / "model.safetensors"
    kept = {name: values for name, values in load_file(file).items() if "layer.1." not in name}
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(PrerequisiteError, match=r"lacks .* of its weights"):
        await open_encoder(str(file.parent), store, settings).images(pictures(store, 1))
